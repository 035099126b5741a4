"""A query's text as tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND, Micros
from pipewatcher.promql.errors import BadQuery


class Kind(StrEnum):
    """Each but `END` is a group of `_TOKEN`."""

    NAME = "name"
    NUMBER = "number"
    DURATION = "duration"
    TEXT = "text"
    MARK = "mark"
    END = "end"


_SPACE = re.compile(r"(?:\s|#[^\n]*)*")
_TOKEN = re.compile(
    r"""
    (?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+)(?![a-zA-Z0-9_])
    | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![a-zA-Z_])
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    | (?P<mark>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],:@])
    """,
    re.VERBOSE,
)
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
_DURATION_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_SECONDS = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
DURATION_CHARACTERS_MAX = 64
_UNITS = {
    "ms": SECOND // 1_000,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": 7 * DAY,
    "y": 365 * DAY,
}
DURATION_MAX = 10 * 365 * DAY
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    at: int


def tokens(query: str) -> list[Token]:
    """With an `end` at the end. Raises `BadQuery`."""
    found: list[Token] = []
    at = 0
    while True:
        if skipped := _SPACE.match(query, at):
            at = skipped.end()
        if at == len(query):
            found.append(Token(Kind.END, "", at))
            return found
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup is None:
            raise BadQuery(f"unexpected character at position {at + 1}: {query[at]!r}")
        found.append(Token(Kind(match.lastgroup), match[0], at))
        at = match.end()


def duration(text: str) -> Micros:
    """`1h30m`, or a number of seconds. Raises `BadQuery`."""
    if len(text) > DURATION_CHARACTERS_MAX:
        raise BadQuery(f"a duration has at most {DURATION_CHARACTERS_MAX} characters")
    if _DURATION.fullmatch(text):
        length = sum(int(count) * _UNITS[unit] for count, unit in _DURATION_PART.findall(text))
    elif _SECONDS.fullmatch(text):
        length = round(float(text) * SECOND)
    else:
        raise BadQuery(f"not a duration: {text}")
    if length > DURATION_MAX:
        raise BadQuery(f"a duration is at most ten years: {text}")
    return length


def unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    simple, byte, code, other = match.groups()
    if other is not None:
        raise BadQuery(f"unknown escape in a text: \\{other}")
    if simple is not None:
        return _ESCAPED.get(simple, simple)
    character = chr(int(byte or code, 16))
    if "\ud800" <= character <= "\udfff":
        raise BadQuery(f"no character: {match[0]}")
    return character
