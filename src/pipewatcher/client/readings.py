"""A reading as a client gives it, and as it travels."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import SupportsFloat

import msgspec

GZIP_BYTES_MIN = 1_024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Reading(msgspec.Struct, frozen=True):
    equipment_id: str
    value: float
    at: datetime
    """When it was measured; aware, to the microsecond."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Why one reading is not stored. Sent again as it is, it is refused again."""

    row: int
    """From 0: its place in what was given to `send` or `write_all`; of a reading that the server
    refused later, its number among all that were ever written to this buffer."""
    field: str
    reason: str
    code: str
    equipment_id: object
    value: object
    at: object

    def __str__(self) -> str:
        return f"row {self.row} ({self.equipment_id!r} at {self.at}), {self.field}: {self.reason}"


class Fault(ValueError):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def checked(equipment_id: object, value: object, at: object) -> Reading:
    """What can be sent at all; the rest is the server's to judge. Raises `Fault`."""
    if not isinstance(equipment_id, str):
        raise Fault("equipmentId", "must be a text")
    try:
        equipment_id.encode()
    except UnicodeEncodeError:
        raise Fault("equipmentId", "is not Unicode") from None
    return Reading(equipment_id, _number(value), _instant(at))


def micros(at: datetime) -> int:
    """Since 1970. Not by `timestamp()`, which rounds."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(micros_since_1970: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros_since_1970)


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def body_of(readings: Sequence[Reading]) -> tuple[bytes, dict[str, str]]:
    """One JSON object a line, and the headers that say so."""
    body = b"\n".join(_lines(readings))
    headers = {"content-type": "application/x-ndjson"}
    if len(body) >= GZIP_BYTES_MIN:
        body = gzip.compress(body, 1)
        headers["content-encoding"] = "gzip"
    return body, headers


def _lines(readings: Iterable[Reading]) -> Iterable[bytes]:
    for reading in readings:
        yield _encode(
            {
                "equipmentId": reading.equipment_id,
                "value": reading.value,
                "timestamp": rfc3339(reading.at),
            }
        )


def _number(value: object) -> float:
    if isinstance(value, bool | str | bytes) or not isinstance(value, SupportsFloat):
        raise Fault("value", "must be a number")
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        raise Fault("value", "must be a number that a double can hold") from None
    if not math.isfinite(number):
        raise Fault("value", "must be finite")
    return number


def _instant(at: object) -> datetime:
    if not isinstance(at, datetime) or at.tzinfo is None or at.utcoffset() is None:
        raise Fault("timestamp", "must be a datetime with a time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Fault("timestamp", "lies outside the years 1 to 9999") from None
