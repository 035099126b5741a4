"""The rules of one reading. Every door applies these; `validate_columns` is their fast twin.

- `equipmentId`: 1 to 64 visible characters. Visible is what `str.isprintable` says, without the
  space: no white space, no control, format, surrogate, private-use or unassigned characters.
- `value`: a number that is a finite IEEE double; nothing else is turned into one.
- `timestamp`: RFC 3339 with an offset. `T` and `Z` may be lower-case and a single space may stand
  for `T`, as its section 5.6 allows. The offset is `Z` or `±hh:mm` up to 23:59; hours go to 23,
  seconds to 59 (no leap second), and the date must exist. Digits finer than a microsecond are
  cut off, never rounded. The instant must lie in the years 0001 to 9999 of UTC.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipewatcher.model.identity import WriteScope
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND, Micros

EQUIPMENT_ID_CHARS_MAX = 64

CODE_INVALID = "invalid_reading"
CODE_IN_FUTURE = "reading_in_future"
CODE_TOO_OLD = "reading_too_old"
CODE_MALFORMED = "malformed"
CODE_DUPLICATE = "duplicate_member"
CODE_NOT_ALLOWED = "not_allowed"

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on both sides of a difference is exact UTC

EVENT_TIME_MIN: Micros = (datetime.min - _EPOCH).days * 86_400 * SECOND  # noqa: DTZ901
EVENT_TIME_MAX: Micros = ((datetime.max - _EPOCH).days + 1) * 86_400 * SECOND - 1  # noqa: DTZ901

_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    r"(?:\.(\d+))?"
    r"(?:[Zz]|([+-](?:[01]\d|2[0-3]):[0-5]\d))",
    re.ASCII,
)
_SHAPE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(.*)", re.ASCII | re.DOTALL
)
_OFFSET = re.compile(r"[Zz]|[+-]\d\d:\d\d", re.ASCII)


class ReadingFault(ValueError):
    """What is wrong with one field of a reading."""

    def __init__(self, field: str, reason: str, code: str = CODE_INVALID) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.code = code

    def rejection(self, index: int | None = None, line: int | None = None) -> Rejection:
        return Rejection(
            field=self.field, reason=self.reason, code=self.code, index=index, line=line
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimeBounds:
    """Readings with `oldest <= event_time <= latest` are taken; `oldest` None is no bound."""

    latest: Micros
    oldest: Micros | None = None
    writes: WriteScope | None = None
    """And only those of these sensors; None is of all."""


def check_scope(equipment_id: str, bounds: EventTimeBounds) -> None:
    """Raises `ReadingFault`."""
    if bounds.writes is not None and not bounds.writes.allows(equipment_id):
        raise ReadingFault("equipmentId", "is not one that this token may write", CODE_NOT_ALLOWED)


def is_equipment_id(text: str) -> bool:
    return 0 < len(text) <= EQUIPMENT_ID_CHARS_MAX and text.isprintable() and " " not in text


def check_equipment_id(value: object) -> str:
    """The id itself. Raises `ReadingFault`."""
    if not isinstance(value, str):
        raise ReadingFault("equipmentId", "must be a string")
    if is_equipment_id(value):
        return value
    if not value:
        raise ReadingFault("equipmentId", "must not be empty")
    if len(value) > EQUIPMENT_ID_CHARS_MAX:
        raise ReadingFault(
            "equipmentId", f"has {len(value)} characters; at most {EQUIPMENT_ID_CHARS_MAX}"
        )
    raise ReadingFault("equipmentId", "has white space, control or other invisible characters")


def check_value(value: object) -> float:
    """The number as a double. Raises `ReadingFault`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReadingFault("value", "must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ReadingFault("value", "must be a finite number")
    return number


def parse_timestamp(value: object) -> Micros:
    """The instant in UTC microseconds. Raises `ReadingFault`."""
    if not isinstance(value, str):
        raise ReadingFault("timestamp", "must be a string")
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        raise _timestamp_fault(value)
    try:
        since = datetime.fromisoformat(value[:19]) - _EPOCH
    except ValueError:
        raise _timestamp_fault(value) from None
    micros = (since.days * 86_400 + since.seconds) * SECOND
    fraction, offset = match.groups()
    if fraction is not None:
        micros += int(fraction[:6].ljust(6, "0"))
    if offset is not None:
        shift = (int(offset[1:3]) * 60 + int(offset[4:])) * 60 * SECOND
        micros += shift if offset[0] == "-" else -shift
        if not EVENT_TIME_MIN <= micros <= EVENT_TIME_MAX:
            raise ReadingFault("timestamp", "lies outside the years 0001 to 9999 of UTC")
    return micros


def check_event_time(event_time: Micros, bounds: EventTimeBounds) -> Micros:
    """The same instant when it lies within the bounds. Raises `ReadingFault`."""
    if event_time > bounds.latest:
        raise ReadingFault(
            "timestamp",
            f"lies in the future: later than {format_micros(bounds.latest)}",
            CODE_IN_FUTURE,
        )
    if bounds.oldest is not None and event_time < bounds.oldest:
        raise ReadingFault(
            "timestamp",
            f"is older than what is kept: before {format_micros(bounds.oldest)}",
            CODE_TOO_OLD,
        )
    return event_time


def format_micros(instant: Micros) -> str:
    """RFC 3339 in UTC with `Z`, to the second, for messages."""
    whole = min(max(instant, EVENT_TIME_MIN), EVENT_TIME_MAX) // SECOND
    return (_EPOCH + timedelta(seconds=whole)).isoformat() + "Z"


def format_timestamp(instant: Micros) -> str:
    """RFC 3339 in UTC with `Z`, to the microsecond: `parse_timestamp` gives the same instant."""
    moment = _EPOCH + timedelta(microseconds=instant)
    return moment.isoformat(timespec="microseconds") + "Z"


def _timestamp_fault(text: str) -> ReadingFault:
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return ReadingFault(
            "timestamp", "is not RFC 3339 with an offset, as 2026-01-31T08:00:00Z is"
        )
    year, month, day, hour, minute, second = (int(part) for part in shape.groups()[:6])
    rest = shape.group(7)
    if second == 60:
        reason = "second 60 (a leap second) is not accepted"
    elif hour > 23 or minute > 59 or second > 59:
        reason = "has no such time of day"
    elif not _is_date(year, month, day):
        reason = f"there is no day {year:04}-{month:02}-{day:02}"
    elif not rest:
        reason = "has no offset: end it with Z or ±hh:mm"
    elif _OFFSET.fullmatch(rest):
        reason = "has an offset beyond ±23:59"
    else:
        reason = "ends in something that is no offset: Z or ±hh:mm"
    return ReadingFault("timestamp", reason)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return False
    return True
