"""The tree of a query. Durations are microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pipewatcher.model.time import Micros

METRIC = "pipewatcher_reading"
NAME_LABEL = "__name__"

OVER_TIME = frozenset(
    f"{what}_over_time" for what in ("avg", "min", "max", "sum", "count", "last", "present")
)
AGGREGATIONS = frozenset({"sum", "avg", "min", "max", "count", "group", "topk", "bottomk"})
WITH_PARAMETER = frozenset({"topk", "bottomk"})
MATH = frozenset({"abs", "ceil", "floor", "round", "sqrt", "ln", "log2", "log10", "exp"})
COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
OTHERS = frozenset({"time", "vector", "scalar", "sort", "sort_desc"})


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    negated: bool
    text: str
    is_pattern: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Selector:
    """With a `window` it is a range vector, and stands in an `…_over_time` only."""

    matchers: tuple[Matcher, ...]
    window: Micros | None = None
    offset: Micros = 0


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    function: str
    of: Expression
    parameter: Expression | None
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    as_bool: bool


@dataclass(frozen=True, slots=True)
class Negated:
    of: Expression


Expression: TypeAlias = Number | Selector | Call | Aggregation | Binary | Negated


def selectors(expression: Expression) -> Iterator[tuple[str | None, Selector]]:
    """Each with the function that it stands in, when it is a range vector."""
    match expression:
        case Selector():
            yield None, expression
        case Call(function, arguments):
            for argument in arguments:
                if isinstance(argument, Selector) and argument.window is not None:
                    yield function, argument
                else:
                    yield from selectors(argument)
        case Aggregation(_, of, parameter):
            yield from selectors(of)
            if parameter is not None:
                yield from selectors(parameter)
        case Binary(_, left, right):
            yield from selectors(left)
            yield from selectors(right)
        case Negated(of):
            yield from selectors(of)
