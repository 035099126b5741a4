"""A query's answer, once the figures that it needs are there. Nothing waits here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pipewatcher.promql.errors import BadQuery
from pipewatcher.promql.grid import Grid, Values
from pipewatcher.promql.labels import Labels
from pipewatcher.promql.syntax import (
    COMPARISONS,
    NAME_LABEL,
    OVER_TIME,
    Aggregation,
    Binary,
    Call,
    Expression,
    Negated,
    Number,
    Selector,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One series of an answer."""

    labels: Labels
    values: Values


Vector: TypeAlias = list[Line]
Found: TypeAlias = Vector | Values
"""Series, or one value for each instant."""
Fetched: TypeAlias = Mapping[tuple[str | None, Selector], Vector]


def evaluate(expression: Expression, grid: Grid, fetched: Fetched) -> Found:
    """Raises `BadQuery`."""
    with np.errstate(all="ignore"):
        return _Evaluation(grid, fetched).of(expression)


class _Evaluation:
    def __init__(self, grid: Grid, fetched: Fetched) -> None:
        self._grid = grid
        self._fetched = fetched

    def of(self, expression: Expression) -> Found:
        match expression:
            case Number(value):
                return np.full(self._grid.size, value)
            case Selector():
                return self._fetched[None, expression]
            case Negated(of):
                return _each(self.of(of), np.negative)
            case Call():
                return self._call(expression)
            case Aggregation():
                return self._aggregation(expression)
            case Binary():
                return self._binary(expression)

    def _call(self, call: Call) -> Found:
        function = call.function
        if function == "time":
            return self._grid.instants / 1e6
        first, *others = call.arguments
        if function in OVER_TIME:
            assert isinstance(first, Selector)
            lines = self._fetched[function, first]
            if function == "last_over_time":
                return lines
            return [Line(_without_name(line.labels), line.values) for line in lines]
        if function == "vector":
            return [Line({}, self._number(first, function))]
        found = self._series(first, function)
        if function == "scalar":
            return _only(found, self._grid)
        if function in {"sort", "sort_desc"}:
            return _sorted(found, descending=function == "sort_desc")
        if not others:
            return _each(found, _MATH[function])
        # By the inverse, as Prometheus does: 0.3 to the nearest 0.1 is 0.3.
        parts = 1 / self._number(others[0], function)
        return _each(found, lambda values: np.floor(values * parts + 0.5) / parts)

    def _number(self, expression: Expression, what: str) -> Values:
        found = self.of(expression)
        if not isinstance(found, np.ndarray):
            raise BadQuery(f"`{what}` wants a number there, not series")
        return found

    def _series(self, expression: Expression, what: str) -> Vector:
        found = self.of(expression)
        if isinstance(found, np.ndarray):
            raise BadQuery(f"`{what}` wants series, not a number")
        return found

    def _aggregation(self, aggregation: Aggregation) -> Vector:
        found = self._series(aggregation.of, aggregation.function)
        groups: dict[tuple[tuple[str, str], ...], Vector] = {}
        for line in found:
            groups.setdefault(_group_of(line.labels, aggregation), []).append(line)
        if aggregation.parameter is not None:
            count = self._number(aggregation.parameter, aggregation.function)
            return [
                kept
                for lines in groups.values()
                for kept in _ranked(lines, count, lowest=aggregation.function == "bottomk")
            ]
        reduce = _REDUCED[aggregation.function]
        return [
            Line(dict(key), reduce(np.stack([line.values for line in lines])))
            for key, lines in groups.items()
        ]

    def _binary(self, binary: Binary) -> Found:
        left, right = self.of(binary.left), self.of(binary.right)
        operate = _OPERATIONS[binary.operator]
        compares = binary.operator in COMPARISONS
        if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
            if compares and not binary.as_bool:
                raise BadQuery("between numbers a comparison needs `bool`")
            return operate(left, right).astype(np.float64)
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            return _with_number(left, right, binary, operate)
        return _one_to_one(left, right, binary, operate)


_Operation: TypeAlias = Callable[[Values, Values], Values]


def _with_number(left: Found, right: Found, binary: Binary, operate: _Operation) -> Vector:
    found = []
    for line in right if isinstance(left, np.ndarray) else left:
        assert isinstance(line, Line)
        first = left if isinstance(left, np.ndarray) else line.values
        second = right if isinstance(right, np.ndarray) else line.values
        found.append(_combined(line, first, second, binary, operate, kept=line.values))
    return found


def _one_to_one(left: Vector, right: Vector, binary: Binary, operate: _Operation) -> Vector:
    """Series with the same labels, but for the metric's name; as there is one metric, no two of a
    side have the same."""
    others = {_key(line): line.values for line in right}
    return [
        _combined(line, line.values, others[key], binary, operate, kept=line.values)
        for line in left
        if (key := _key(line)) in others
    ]


def _combined(
    line: Line, first: Values, second: Values, binary: Binary, operate: _Operation, *, kept: Values
) -> Line:
    result = operate(first, second)
    there = ~(np.isnan(first) | np.isnan(second))
    if binary.operator in COMPARISONS:
        if not binary.as_bool:
            return Line(line.labels, np.where(there & (result != 0), kept, np.nan))
        result = result.astype(np.float64)
    return Line(_without_name(line.labels), np.where(there, result, np.nan))


def _each(found: Found, operation: Callable[[Values], Values]) -> Found:
    if isinstance(found, np.ndarray):
        return operation(found)
    return [Line(_without_name(line.labels), operation(line.values)) for line in found]


def _ranked(lines: Vector, count: Values, *, lowest: bool) -> Vector:
    """At each instant the `count` greatest; a line stays when it ever is among them."""
    stacked = np.stack([line.values for line in lines])
    keys = np.where(np.isnan(stacked), np.inf, stacked if lowest else -stacked)
    place = keys.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    kept = np.where(place < np.trunc(count), stacked, np.nan)
    there = ~np.isnan(kept).all(axis=1)
    order = sorted(np.flatnonzero(there).tolist(), key=lambda row: int(place[row, -1]))
    return [Line(lines[row].labels, kept[row]) for row in order]


def _only(lines: Vector, grid: Grid) -> Values:
    """The value of the one line that has any, at each instant."""
    if not lines:
        return grid.empty()
    stacked = np.stack([line.values for line in lines])
    single = (~np.isnan(stacked)).sum(axis=0) == 1
    return np.where(single, np.nansum(stacked, axis=0), np.nan)


def _sorted(lines: Vector, *, descending: bool) -> Vector:
    """By the last value; those without one come last."""

    def key(line: Line) -> tuple[bool, float]:
        last = float(line.values[-1])
        return (np.isnan(last), -last if descending else last)

    return sorted(lines, key=key)


def _group_of(labels: Labels, aggregation: Aggregation) -> tuple[tuple[str, str], ...]:
    left_out = {*aggregation.labels, NAME_LABEL}
    return tuple(
        (label, text)
        for label, text in sorted(labels.items())
        if (label not in left_out if aggregation.without else label in aggregation.labels)
    )


def _key(line: Line) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(_without_name(line.labels).items()))


def _without_name(labels: Labels) -> Labels:
    return {label: text for label, text in labels.items() if label != NAME_LABEL}


def _where_any(reduce: Callable[..., Values]) -> Callable[[Values], Values]:
    """NaN where no line has a value."""

    def reduced(stacked: Values) -> Values:
        there = ~np.isnan(stacked)
        return np.where(there.any(axis=0), reduce(stacked, axis=0, where=there), np.nan)

    return reduced


_REDUCED: dict[str, Callable[[Values], Values]] = {
    "sum": _where_any(np.sum),
    "avg": _where_any(np.mean),
    "min": _where_any(lambda values, **how: np.min(values, initial=np.inf, **how)),
    "max": _where_any(lambda values, **how: np.max(values, initial=-np.inf, **how)),
    "count": _where_any(lambda values, **how: np.sum(np.ones_like(values), **how)),
    "group": _where_any(lambda values, **_: np.ones(values.shape[1])),
}
_MATH: dict[str, Callable[[Values], Values]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "round": lambda values: np.floor(values + 0.5),
    "sqrt": np.sqrt,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "exp": np.exp,
}
_OPERATIONS: dict[str, _Operation] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}
