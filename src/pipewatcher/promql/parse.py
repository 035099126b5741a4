"""A query's text as a tree. What PromQL has and we do not offer is refused by its name."""

from __future__ import annotations

from pipewatcher.model.time import Micros
from pipewatcher.promql.errors import BadQuery
from pipewatcher.promql.labels import check_pattern
from pipewatcher.promql.syntax import (
    AGGREGATIONS,
    COMPARISONS,
    MATH,
    METRIC,
    NAME_LABEL,
    OTHERS,
    OVER_TIME,
    WITH_PARAMETER,
    Aggregation,
    Binary,
    Call,
    Expression,
    Matcher,
    Negated,
    Number,
    Selector,
)
from pipewatcher.promql.tokens import Token, duration, tokens, unquoted

QUERY_CHARACTERS_MAX = 8_192
DEPTH_MAX = 30
OPERATIONS_MAX = 100
_PRECEDENCE = {
    **dict.fromkeys(COMPARISONS, 1),
    **dict.fromkeys(("+", "-"), 2),
    **dict.fromkeys(("*", "/", "%"), 3),
    "^": 4,
}
_MATCHES = frozenset({"=", "!=", "=~", "!~"})
_SETS = frozenset({"and", "or", "unless", "on", "ignoring", "group_left", "group_right"})
_NUMBERS = {"inf": float("inf"), "nan": float("nan")}


def parse(query: str) -> Expression:
    """Raises `BadQuery`."""
    parser = _Parser(query)
    expression = parser.expression(1)
    parser.expect("end")
    if isinstance(expression, Selector) and expression.window is not None:
        raise BadQuery("a range vector stands within a function, such as avg_over_time(…)")
    return expression


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """What `match[]` holds. Raises `BadQuery`."""
    found = parse(text)
    if not isinstance(found, Selector) or found.offset:
        raise BadQuery('match[] must be a selector, such as {equipmentId="EQ-1"}')
    return found.matchers


class _Parser:
    def __init__(self, query: str) -> None:
        if len(query) > QUERY_CHARACTERS_MAX:
            raise BadQuery(f"a query has at most {QUERY_CHARACTERS_MAX} characters")
        self._tokens = tokens(query)
        self._at = 0
        self._depth = 0
        self._operations = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def expect(self, what: str) -> Token:
        """The next token, of this kind or with this text."""
        token = self._next
        if what not in {token.kind, token.text}:
            there = f"{token.text!r}" if token.text else "the end"
            raise BadQuery(f"expected {what} at position {token.at + 1}, not {there}")
        self._at += 1
        return token

    def _take(self, *texts: str) -> str | None:
        token = self._next
        if token.kind in {"name", "mark"} and token.text in texts:
            self._at += 1
            return token.text
        return None

    def expression(self, least: int) -> Expression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise BadQuery(f"a query nests at most {DEPTH_MAX} deep")
        left = self._operand()
        while True:
            if self._next.text in _SETS and self._next.kind == "name":
                raise BadQuery(f"`{self._next.text}` is not offered here")
            operator = self._next.text if self._next.kind == "mark" else ""
            precedence = _PRECEDENCE.get(operator, 0)
            if precedence < least:
                break
            self._operations += 1
            if self._operations > OPERATIONS_MAX:
                raise BadQuery(f"a query has at most {OPERATIONS_MAX} operators")
            self._at += 1
            as_bool = operator in COMPARISONS and self._take("bool") is not None
            # Only ^ goes from right to left.
            right = self.expression(precedence if operator == "^" else precedence + 1)
            _no_ranges(left, right)
            left = Binary(operator, left, right, as_bool)
        self._depth -= 1
        return left

    def _operand(self) -> Expression:
        if self._take("+"):
            return self._operand_of_sign()
        if self._take("-"):
            of = self._operand_of_sign()
            _no_ranges(of)
            return Number(-of.value) if isinstance(of, Number) else Negated(of)
        return self._with_range(self._primary())

    def _operand_of_sign(self) -> Expression:
        """`-2^2` is `-(2^2)`."""
        return self.expression(_PRECEDENCE["^"])

    def _primary(self) -> Expression:
        token = self._next
        if token.kind == "number":
            self._at += 1
            return Number(_number(token.text))
        if self._take("("):
            inner = self.expression(1)
            self.expect(")")
            return inner
        if token.text == "{":
            return Selector(self._matchers())
        if token.kind == "name":
            return self._named()
        if token.kind == "text":
            raise BadQuery(f"a text stands for nothing at position {token.at + 1}")
        return Number(float(self.expect("number").text))

    def _named(self) -> Expression:
        name = self.expect("name").text
        lower = name.lower()
        if lower in AGGREGATIONS and self._next.text in {"(", "by", "without"}:
            return self._aggregation(lower)
        if self._next.text == "(" and self._next.kind == "mark":
            return self._call(name)
        if lower in _NUMBERS:
            return Number(_NUMBERS[lower])
        named = Matcher(NAME_LABEL, negated=False, text=name)
        return Selector((named, *(self._matchers() if self._next.text == "{" else ())))

    def _matchers(self) -> tuple[Matcher, ...]:
        self.expect("{")
        found = []
        while not self._take("}"):
            if self._next.kind == "text":
                label = unquoted(self.expect("text").text)
                if self._next.text in {",", "}"}:
                    found.append(Matcher(NAME_LABEL, negated=False, text=label))
                    self._comma("}")
                    continue
            else:
                label = self.expect("name").text
            operator = self._take(*_MATCHES)
            if operator is None:
                raise BadQuery(f"expected =, !=, =~ or !~ at position {self._next.at + 1}")
            found.append(_matcher(label, operator, unquoted(self.expect("text").text)))
            self._comma("}")
        return tuple(found)

    def _comma(self, end: str) -> None:
        if self._next.text != end:
            self.expect(",")

    def _with_range(self, expression: Expression) -> Expression:
        if self._take("["):
            if not isinstance(expression, Selector) or expression.window is not None:
                raise BadQuery("subqueries are not offered here")
            window = self._duration()
            if self._next.text.startswith(":"):
                raise BadQuery("subqueries are not offered here")
            self.expect("]")
            if not window:
                raise BadQuery("a range must be longer than zero")
            expression = Selector(expression.matchers, window)
        if self._take("@"):
            raise BadQuery("@ is not offered here")
        if self._take("offset"):
            if not isinstance(expression, Selector):
                raise BadQuery("offset stands after a selector")
            sign = -1 if self._take("-") else 1
            offset = sign * self._duration()
            expression = Selector(expression.matchers, expression.window, offset)
        return expression

    def _duration(self) -> Micros:
        if self._next.kind == "number":
            return duration(self.expect("number").text)
        return duration(self.expect("duration").text)

    def _aggregation(self, function: str) -> Expression:
        grouping = self._grouping()
        self.expect("(")
        parameter = None
        if function in WITH_PARAMETER:
            parameter = self.expression(1)
            self.expect(",")
        of = self.expression(1)
        self.expect(")")
        _no_ranges(of)
        labels, without = grouping or self._grouping() or ((), False)
        return Aggregation(function, of, parameter, labels, without)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        kind = self._take("by", "without")
        if kind is None:
            return None
        self.expect("(")
        labels = []
        while not self._take(")"):
            labels.append(self.expect("name").text)
            self._comma(")")
        return tuple(labels), kind == "without"

    def _call(self, function: str) -> Expression:
        if function not in OVER_TIME | MATH | OTHERS:
            offered = ", ".join(sorted(OVER_TIME | MATH | OTHERS | AGGREGATIONS))
            raise BadQuery(f"`{function}` is not offered here; there are: {offered}")
        self.expect("(")
        arguments = []
        while not self._take(")"):
            arguments.append(self.expression(1))
            self._comma(")")
        wanted = 0 if function == "time" else 1
        if len(arguments) != wanted and not (function == "round" and len(arguments) == 2):
            raise BadQuery(f"`{function}` takes {wanted} arguments, not {len(arguments)}")
        if function in OVER_TIME:
            [of] = arguments
            if not isinstance(of, Selector) or of.window is None:
                raise BadQuery(f"`{function}` wants a range, such as {METRIC}[5m]")
        else:
            _no_ranges(*arguments)
        return Call(function, tuple(arguments))


def _no_ranges(*expressions: Expression) -> None:
    if any(isinstance(one, Selector) and one.window is not None for one in expressions):
        raise BadQuery("a range vector stands within a function, such as avg_over_time(…)")


def _number(text: str) -> float:
    if text[:2].lower() != "0x":
        return float(text)
    number = int(text, 16)
    if number >= 2**63:
        raise BadQuery(f"{text} is too large")
    return float(number)


def _matcher(label: str, operator: str, text: str) -> Matcher:
    is_pattern = operator in {"=~", "!~"}
    if is_pattern:
        check_pattern(text)
    return Matcher(label, operator in {"!=", "!~"}, text, is_pattern)
