"""Bodies of readings → columns and rejections.

A payload in order takes the fast path: one strict decode into structs, columns, column rules.
Only a payload with something odd in it is read again, item by item, to name the culprits.

What makes the fast path safe: a reading without further members is exactly five JSON strings
(three names, an id, a timestamp), so ten quotes. n readings that decode well and hold 10 n
quotes together therefore have no further and no repeated member. Where firmware adds members,
each of the three names must occur n times and no backslash may hide one.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipewatcher.errors import BodyTooLarge, InvalidRequest, MalformedRequest
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX, Batch, Receipt, Rejection
from pipewatcher.model.time import Micros
from pipewatcher.validate import (
    CODE_DUPLICATE,
    CODE_MALFORMED,
    EventTimeBounds,
    ReadingFault,
    check_equipment_id,
    check_event_time,
    check_scope,
    check_value,
    is_equipment_id,
    parse_timestamp,
)
from pipewatcher.validate_columns import encode_equipment_ids, parse_timestamps

READINGS_MAX = 300_000
"""Of one request; 16 MiB cannot hold more good ones."""

_COLUMNS_WORTHWHILE = 64
"""Below this many readings the scalar rules are faster than setting up columns."""

_FIELDS = ("equipmentId", "value", "timestamp")
_QUOTES = 10
_SPACE = re.compile(r"[ \t\n\r]*")
_MALFORMED_LINE = "is no JSON object"

Taken: TypeAlias = tuple[str, Micros, float]


class _Reading(msgspec.Struct, gc=False):
    equipmentId: str  # noqa: N815 - the name on the wire, decoded without renaming
    value: float
    timestamp: str


_one = msgspec.json.Decoder(_Reading)
_many = msgspec.json.Decoder(list[_Reading])
_members_of_many = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


@dataclass(slots=True, kw_only=True)
class Parsed:
    """The good readings of a payload as columns, and what was wrong with the others."""

    equipment_ids: list[str]
    codes: npt.NDArray[np.uint32]
    event_times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    """The first 100."""
    rejected_by_code: Counter[str] = field(default_factory=Counter)
    unknown_fields: int = 0

    @property
    def accepted(self) -> int:
        return len(self.codes)

    def batch(self, origin: str) -> Batch:
        """The good ones, at least one, as a batch that came by `origin`."""
        return Batch(
            equipment_ids=self.equipment_ids,
            codes=self.codes,
            event_times=self.event_times,
            values=self.values,
            origins=(origin,),
        )

    def receipt(self) -> Receipt:
        return Receipt(
            received=self.accepted + self.rejected,
            accepted=self.accepted,
            rejected=self.rejected,
            errors=self.rejections,
            unknown_fields=self.unknown_fields,
        )


def is_array(body: bytes) -> bool:
    """Whether the JSON text is meant as an array."""
    return body[:1] == b"[" or (body[:1].isspace() and body.lstrip(b" \t\r\n")[:1] == b"[")


def parse_plain_object(body: bytes, bounds: EventTimeBounds) -> Taken | None:
    """One reading that is in order and stands alone; None is for `parse_object` to look at."""
    try:
        reading = _one.decode(body)
        if body.count(b'"') == _QUOTES and is_equipment_id(reading.equipmentId):
            event_time = check_event_time(parse_timestamp(reading.timestamp), bounds)
            check_scope(reading.equipmentId, bounds)
            return reading.equipmentId, event_time, reading.value
    except (msgspec.DecodeError, UnicodeDecodeError, ReadingFault, RecursionError):
        pass
    return None


def parse_object(body: bytes, bounds: EventTimeBounds) -> tuple[Taken, int]:
    """One reading and how many unknown members stood beside it.

    Raises `MalformedRequest`, or `InvalidRequest` that names the field.
    """
    taken = parse_plain_object(body, bounds)
    if taken is not None:
        return taken, 0
    try:
        return _check_item(decode_item(body), bounds)
    except ReadingFault as fault:
        raise InvalidRequest("This is not a valid reading.", [fault.rejection()]) from None


def decode_item(body: bytes) -> object:
    """The one JSON value of `body`: every number a float, an object `Members`.

    Raises `MalformedRequest`.
    """
    text = _utf_8(body)
    item: object
    try:
        item, end = _decoder.raw_decode(text, _after_space(text, 0))
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(_why_malformed(error)) from None
    if _after_space(text, end) != len(text):
        raise MalformedRequest("Something follows the JSON object.")
    return item


def parse_array(body: bytes, bounds: EventTimeBounds, refused: list[bytes] | None = None) -> Parsed:
    """A JSON array of readings. Raises `MalformedRequest` when the whole is no JSON.

    The text of each item that is rejected is added to `refused`.
    """
    parsed = _parse_fast(body, bounds)
    if parsed is None:
        collected = _Collected(bounds, refused)
        for index, (item, source) in enumerate(_array_items(_utf_8(body))):
            collected.add(item, index, None, source)
        parsed = collected.parsed()
    return parsed


def parse_lines(body: bytes, bounds: EventTimeBounds, refused: list[bytes] | None = None) -> Parsed:
    """Newline-delimited JSON; a malformed line is one rejection and blank lines are passed over.

    `index` counts the readings from 0, `line` the lines of the text from 1. Each line that is
    rejected is added to `refused`.
    """
    lines = body.count(b"\n") + (not body.endswith(b"\n"))
    # The newline stays in: inside of a string it makes the text as malformed as it was.
    as_array = b"[" + body.removesuffix(b"\n").replace(b"\n", b"\n,") + b"]"
    parsed = _parse_fast(as_array, bounds)
    if parsed is None or parsed.accepted != lines:
        collected = _Collected(bounds, refused)
        index = 0
        for number, line in enumerate(io.BytesIO(body), start=1):
            if not line.isspace():
                collected.add(_line_item(line), index, number, line)
                index += 1
        parsed = collected.parsed()
    return parsed


def _parse_fast(body: bytes, bounds: EventTimeBounds) -> Parsed | None:
    """All of an array that is in order from end to end; None sends it to the slow path."""
    try:
        readings = _many.decode(body)
        unknown = _unknown_members(body, len(readings))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if unknown is None or not readings or len(readings) > READINGS_MAX:
        return None
    ids = [reading.equipmentId for reading in readings]
    if len(readings) < _COLUMNS_WORTHWHILE:
        if not all(map(is_equipment_id, ids)):
            return None
        try:
            times = [parse_timestamp(reading.timestamp) for reading in readings]
        except ReadingFault:
            return None
        texts, codes = _dictionary_coded(ids)
        event_times = np.array(times, np.int64)
    else:
        encoded = encode_equipment_ids(pa.array(ids, pa.string()))
        stamps = pa.array([reading.timestamp for reading in readings], pa.string())
        event_times, times_ok = parse_timestamps(stamps)
        if not (encoded.text_ok.all() and times_ok.all()):
            return None
        texts, codes = encoded.texts, encoded.codes
    if not _in_bounds(texts, event_times, bounds):
        return None
    values = np.fromiter((reading.value for reading in readings), np.float64, len(readings))
    return Parsed(
        equipment_ids=texts,
        codes=codes,
        event_times=event_times,
        values=values,
        unknown_fields=unknown,
    )


def _in_bounds(
    equipment_ids: list[str], event_times: npt.NDArray[np.int64], bounds: EventTimeBounds
) -> bool:
    if bounds.writes is not None and not all(map(bounds.writes.allows, equipment_ids)):
        return False
    if event_times.max() > bounds.latest:
        return False
    return bounds.oldest is None or bool(event_times.min() >= bounds.oldest)


def _unknown_members(body: bytes, readings: int) -> int | None:
    """How many members beside the three; None when one of the three may be repeated."""
    if body.count(b'"') == _QUOTES * readings:
        return 0
    if b"\\" in body or any(body.count(b'"%s"' % name.encode()) != readings for name in _FIELDS):
        return None
    if not body.isascii():
        body.decode()  # the decoder does not look into strings that it skips
    return sum(map(len, _members_of_many.decode(body))) - len(_FIELDS) * readings


class _Collected:
    """Readings taken and refused one by one."""

    def __init__(self, bounds: EventTimeBounds, refused: list[bytes] | None) -> None:
        self._bounds = bounds
        self._refused = refused
        self._taken: list[Taken] = []
        self._rejected = 0
        self._rejections: list[Rejection] = []
        self._codes: Counter[str] = Counter()
        self._unknown = 0

    def add(self, item: object, index: int, line: int | None, source: str | bytes) -> None:
        if index >= READINGS_MAX:
            raise BodyTooLarge(f"More than {READINGS_MAX} readings in one request.")
        try:
            taken, unknown = _check_item(item, self._bounds)
        except ReadingFault as fault:
            self._rejected += 1
            self._codes[fault.code] += 1
            if self._refused is not None:
                self._refused.append(source if isinstance(source, bytes) else source.encode())
            if len(self._rejections) < RECEIPT_ERRORS_MAX:
                self._rejections.append(fault.rejection(index, line))
        else:
            self._taken.append(taken)
            self._unknown += unknown

    def parsed(self) -> Parsed:
        texts, codes = _dictionary_coded([taken[0] for taken in self._taken])
        return Parsed(
            equipment_ids=texts,
            codes=codes,
            event_times=np.array([taken[1] for taken in self._taken], np.int64),
            values=np.array([taken[2] for taken in self._taken], np.float64),
            rejected=self._rejected,
            rejections=self._rejections,
            rejected_by_code=self._codes,
            unknown_fields=self._unknown,
        )


def _dictionary_coded(ids: list[str]) -> tuple[list[str], npt.NDArray[np.uint32]]:
    known: dict[str, int] = {}
    codes = [known.setdefault(text, len(known)) for text in ids]
    return list(known), np.array(codes, np.uint32)


class Members(dict[str, object]):
    """A JSON object that remembers whether one of our members stood in it twice."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: str | None = None
        if len(self) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            self.repeated = next((name for name in _FIELDS if counts[name] > 1), None)


# Every number as a double, and NaN and Infinity too: the rule of `value` then names the field.
_decoder = json.JSONDecoder(
    object_pairs_hook=Members, parse_float=float, parse_int=float, parse_constant=float
)


def _check_item(item: object, bounds: EventTimeBounds) -> tuple[Taken, int]:
    if isinstance(item, ReadingFault):
        raise item
    if not isinstance(item, Members):
        raise ReadingFault("", "must be a JSON object")
    if item.repeated is not None:
        raise ReadingFault(item.repeated, "is given more than once", CODE_DUPLICATE)
    for name in _FIELDS:
        if name not in item:
            raise ReadingFault(name, "is missing")
    equipment_id = check_equipment_id(item["equipmentId"])
    value = check_value(item["value"])
    event_time = check_event_time(parse_timestamp(item["timestamp"]), bounds)
    check_scope(equipment_id, bounds)
    return (equipment_id, event_time, value), len(item) - len(_FIELDS)


def _line_item(line: bytes) -> object:
    """What the line holds, or the fault that it is no JSON."""
    try:
        text = line.decode()
        item, end = _decoder.raw_decode(text, _after_space(text, 0))
    except (ValueError, RecursionError):
        return ReadingFault("", _MALFORMED_LINE, CODE_MALFORMED)
    if _after_space(text, end) != len(text):
        return ReadingFault("", "has something after its JSON object", CODE_MALFORMED)
    return item


def _array_items(text: str) -> Iterator[tuple[object, str]]:
    """Items and their texts one at a time: a hostile array of millions need not fit in memory."""
    at = _after_space(text, _after_space(text, 0) + 1)
    index = 0
    try:
        if text[at : at + 1] == "]":
            at += 1
        else:
            while True:
                begin = at
                item, at = _decoder.raw_decode(text, at)
                yield item, text[begin:at]
                index += 1
                at = _after_space(text, at)
                separator = text[at : at + 1]
                at = _after_space(text, at + 1)
                if separator == "]":
                    break
                if separator != ",":
                    raise MalformedRequest(f"The array is broken after item {index - 1}.")
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"Item {index}: {_why_malformed(error)}") from None
    if _after_space(text, at) != len(text):
        raise MalformedRequest("Something follows the JSON array.")


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _utf_8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The body is not UTF-8 (byte {error.start}).") from None


def _why_malformed(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at line {error.lineno}, column {error.colno}."
    if isinstance(error, RecursionError):
        return "nested too deeply."
    return "not JSON."
