"""The exact rules of one CSV line. `csv_columns` is their fast twin for whole blocks."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipewatcher.errors import InvalidRequest
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.sources.csv_dialect import LINE_BYTES_MAX, Dialect, LineFault, split_line
from pipewatcher.validate import (
    EVENT_TIME_MAX,
    EVENT_TIME_MIN,
    EventTimeBounds,
    ReadingFault,
    check_equipment_id,
    check_event_time,
    parse_timestamp,
)

ROW = "row"
"""The field that a fault of the whole line is about."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local time has no offset yet
_DIGITS = rb"[+-]?(?:\d+(?:%s\d*)?|%s\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = {
    mark: re.compile(_DIGITS % (mark_re, mark_re))
    for mark, mark_re in ((b".", rb"\."), (b",", rb","))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One good reading."""

    equipment_id: str
    event_time: Micros
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """What a row is judged by beside the dialect of its file."""

    bounds: EventTimeBounds
    zone: ZoneInfo | None = None
    """Of timestamps without an offset; None makes them errors."""


def is_blank(line: bytes) -> bool:
    """Blank lines are passed over: neither good nor bad."""
    return not line.strip(b" \r")


def parse_row(line: bytes, dialect: Dialect, rules: RowRules) -> Taken:
    """A line without its line end, not blank. Raises `ReadingFault`."""
    equipment_id, timestamp, value = _texts(line, dialect)
    return Taken(
        equipment_id=check_equipment_id(equipment_id),
        value=_parse_number(value, dialect),
        event_time=check_event_time(_parse_time(timestamp, rules), rules.bounds),
    )


def shows_decimal(line: bytes, dialect: Dialect) -> bytes | None:
    """The decimal mark that this line's number has, if it has exactly one kind."""
    try:
        text = split_line(line, dialect.delimiter)[dialect.places[2]]
    except (LineFault, IndexError):
        return None
    for mark, number in _NUMBERS.items():
        if mark in text and number.fullmatch(text):
            return mark
    return None


def to_utc(local: Micros, zone: ZoneInfo) -> Micros:
    """UTC of a wall clock's time in `zone`. Raises `ReadingFault` when it is not one instant."""
    try:
        naive = _EPOCH + timedelta(microseconds=local)
        first = _offset(naive, zone, fold=0)
        second = _offset(naive, zone, fold=1)
    except OverflowError:
        raise ReadingFault("timestamp", "lies outside the years 0001 to 9999 of UTC") from None
    if first > second:
        raise ReadingFault("timestamp", f"is ambiguous: it came twice in {zone.key}; add an offset")
    if first < second:
        raise ReadingFault("timestamp", f"never was: clocks in {zone.key} went past it")
    if not EVENT_TIME_MIN <= local - first <= EVENT_TIME_MAX:
        raise ReadingFault("timestamp", "lies outside the years 0001 to 9999 of UTC")
    return local - first


def _offset(naive: datetime, zone: ZoneInfo, fold: int) -> Micros:
    offset = naive.replace(tzinfo=zone, fold=fold).utcoffset()
    assert offset is not None
    return (offset.days * 86_400 + offset.seconds) * SECOND


def _texts(line: bytes, dialect: Dialect) -> tuple[str, str, str]:
    if len(line) > LINE_BYTES_MAX:
        raise ReadingFault(ROW, f"is longer than {LINE_BYTES_MAX} bytes")
    if b"\0" in line:
        raise ReadingFault(ROW, "has NUL bytes")
    if b"\r" in line:
        raise ReadingFault(ROW, "has a carriage return in its middle")
    try:
        line.decode()
        fields = split_line(line, dialect.delimiter)
    except UnicodeDecodeError:
        raise ReadingFault(ROW, "is not UTF-8") from None
    except LineFault as fault:
        raise ReadingFault(ROW, str(fault)) from None
    least = dialect.fields - dialect.ends_in_reason
    if not least <= len(fields) <= dialect.fields:
        raise ReadingFault(ROW, f"has {len(fields)} fields; the header has {dialect.fields}")
    equipment_id, timestamp, value = (fields[place] for place in dialect.places)
    return equipment_id.decode(), timestamp.decode(), value.decode()


def _parse_number(text: str, dialect: Dialect) -> float:
    mark = dialect.decimal or b"."
    if not _NUMBERS[mark].fullmatch(text.encode()):
        raise ReadingFault("value", _why_no_number(text, mark))
    number = float(text.replace(",", "."))
    if not math.isfinite(number):
        raise ReadingFault("value", "must be a finite number")
    return number


def _why_no_number(text: str, mark: bytes) -> str:
    if not text:
        return "must not be empty"
    other = "," if mark == b"." else "."
    if other in text and _NUMBERS[b"."].fullmatch(text.replace(",", "").replace(".", "").encode()):
        return f"has {other!r}, but this file's decimal mark is {mark.decode()!r}"
    return "must be a number"


def _parse_time(text: str, rules: RowRules) -> Micros:
    try:
        return parse_timestamp(text)
    except ReadingFault as fault:
        try:
            local = parse_timestamp(text + "Z")
        except ReadingFault:
            raise fault from None
        if rules.zone is None:
            raise
    return to_utc(local, rules.zone)


def zone_of(name: str | None) -> ZoneInfo | None:
    """Raises `InvalidRequest` for a name that is not in the time-zone database."""
    if name is None:
        return None
    with contextlib.suppress(ValueError, OSError, KeyError):
        return ZoneInfo(name)
    reason = "is not a time zone such as America/Sao_Paulo"
    raise InvalidRequest(f"tz {reason}", [Rejection(field="tz", reason=reason)])
