"""InfluxDB line protocol → columns and rejections, one reading for each number of a line.

    measurement[,tag=value…] field=number[,field=number…] [timestamp]

- **Which sensor**: the tag `equipmentId` names it. Where there is none, the measurement and then
  each tag as `tag=value`, in the order of the tags' names, joined by `:`. A field other than
  `value` follows after a further `:`. So `pump,equipmentId=P-1 value=1,rpm=900i` are readings of
  `P-1` and of `P-1:rpm`, and `cpu,host=a idle=97.5` is one of `cpu:host=a:idle`. In such an id a
  `\\` stands before what is a `:` or `\\` of a name, or a `=` of a tag's or field's, so that two
  series never share an id.
- **Which value**: floats, integers (`1i`) and unsigned integers (`1u`). Strings and booleans are
  passed over and counted, except where they stand in `value` or a line has nothing else.
- **When**: the timestamp in the precision of the request, cut to the microsecond; a line without
  one is of the moment at which it came.

A line ends at its newline, also within a string: one that was left open cannot swallow the rest.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipewatcher.errors import BodyTooLarge
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX, Batch, Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.payload import READINGS_MAX, Parsed
from pipewatcher.validate import (
    CODE_DUPLICATE,
    CODE_MALFORMED,
    EVENT_TIME_MAX,
    EVENT_TIME_MIN,
    EventTimeBounds,
    ReadingFault,
    check_equipment_id,
    check_event_time,
    check_scope,
    check_value,
)

NANOS = {
    "ns": 1,
    "n": 1,
    "us": 1_000,
    "u": 1_000,
    "µ": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
"""Nanoseconds of each precision that a request can name."""

EQUIPMENT_TAG = "equipmentId"
VALUE_FIELD = "value"
LINE_BYTES_MAX = 64 * 1024

_YEAR_1970: Micros = 365 * 86_400 * SECOND

# A backslash is itself unless it stands before what it keeps from ending a name.
_MEASUREMENT = re.compile(r"(?:[^, \\]|\\[, ]?+)++")
_NAME = re.compile(r"(?:[^,= \\]|\\[,= ]?+)++")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_BARE = re.compile(r'[^," ]++')
_ESCAPED_IN_MEASUREMENT = re.compile(r"\\([, ])")
_ESCAPED = re.compile(r"\\([,= ])")
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([+-]?\d+)i|(\d+)u", re.ASCII)
_BOOLEANS = frozenset({"t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"})
_TIMESTAMP = re.compile(r"-?\d{1,19}", re.ASCII)
_PART = re.compile(r"([\\:])")
_KEY = re.compile(r"([\\:=])")

RECEIVED_TIME = "+received-time"
"""Ends the origin of a reading whose event time is when it was received."""

Fields: TypeAlias = list[tuple[str, str]]
"""Names and the texts of their values."""


@dataclass(frozen=True, slots=True)
class ParsedLines:
    readings: Parsed
    received_time: npt.NDArray[np.uint32]
    """1 for each good reading whose line had no timestamp, else 0."""

    def batch(self, origin: str) -> Batch:
        """The good ones, at least one."""
        parsed = self.readings
        if not self.received_time.any():
            return parsed.batch(origin)
        return Batch(
            equipment_ids=parsed.equipment_ids,
            codes=parsed.codes,
            event_times=parsed.event_times,
            values=parsed.values,
            origins=(origin, origin + RECEIVED_TIME),
            origin_codes=self.received_time,
        )


def parse_line_protocol(
    body: bytes, bounds: EventTimeBounds, *, nanos: int, now: Micros
) -> ParsedLines:
    """All lines of `body`, whose timestamps count `nanos`; `now` is that of lines without one.

    Blank lines and comments are passed over. `line` of a rejection counts from 1. Raises
    `BodyTooLarge`.
    """
    lines = _Lines(bounds, nanos=nanos, now=now)
    for number, line in enumerate(io.BytesIO(body), start=1):
        text = line.strip()
        if text and not text.startswith(b"#"):
            lines.add(number, text)
    return lines.parsed()


class _Lines:
    """Readings taken and refused, line by line."""

    def __init__(self, bounds: EventTimeBounds, *, nanos: int, now: Micros) -> None:
        self._bounds = bounds
        self._nanos = nanos
        self._now = now
        self._sensors: dict[str, str] = {}
        """Measurement and tags as they were sent → the id without its field."""
        self._codes_of: dict[str, int] = {}
        """Ids that are valid and may be written → their code."""
        self._codes: list[int] = []
        self._event_times: list[Micros] = []
        self._values: list[float] = []
        self._received_time: list[bool] = []
        self._rejections: list[Rejection] = []
        self._rejected_by_code: Counter[str] = Counter()
        self._passed_over = 0

    def add(self, number: int, line: bytes) -> None:
        if len(self._codes) + self._rejected_by_code.total() >= READINGS_MAX:
            raise BodyTooLarge(f"More than {READINGS_MAX} readings in one request.")
        try:
            if len(line) > LINE_BYTES_MAX:
                raise ReadingFault("", f"is longer than {LINE_BYTES_MAX} bytes", CODE_MALFORMED)
            base, fields, stamp = self._split(_utf_8(line))
            event_time = self._event_time(stamp)
            numbers = self._numbers(fields)
        except ReadingFault as fault:
            self._reject(fault, number)
            return
        for field, text in numbers:
            try:
                value = _number(field, text)
                code = self._code(base if field == VALUE_FIELD else f"{base}:{_key(field)}")
            except ReadingFault as fault:
                self._reject(fault, number)
            else:
                self._codes.append(code)
                self._event_times.append(event_time)
                self._values.append(value)
                self._received_time.append(not stamp)

    def parsed(self) -> ParsedLines:
        readings = Parsed(
            equipment_ids=list(self._codes_of),
            codes=np.array(self._codes, np.uint32),
            event_times=np.array(self._event_times, np.int64),
            values=np.array(self._values, np.float64),
            rejected=self._rejected_by_code.total(),
            rejections=self._rejections,
            rejected_by_code=self._rejected_by_code,
            unknown_fields=self._passed_over,
        )
        return ParsedLines(readings, np.array(self._received_time, np.uint32))

    def _split(self, line: str) -> tuple[str, Fields, str]:
        """The id without its field, the fields, the timestamp or nothing. Raises `ReadingFault`."""
        if "\\" in line or '"' in line:
            head_end = _head_end(line)
            fields, at = _scan_fields(line, _after_space(line, head_end))
            head, stamp = line[:head_end], line[at:].strip(" ")
        else:
            head, _, rest = line.partition(" ")
            plain, _, stamp = rest.strip(" ").partition(" ")
            fields, stamp = _plain_fields(plain), stamp.strip(" ")
        base = self._sensors.get(head)
        if base is None:
            base = self._sensors[head] = _base_of(head)
        return base, fields, stamp

    def _event_time(self, stamp: str) -> Micros:
        if not stamp:
            return self._now
        if not _TIMESTAMP.fullmatch(stamp):
            raise ReadingFault("timestamp", "must be a whole number after the fields")
        event_time = int(stamp) * self._nanos // 1_000
        if not EVENT_TIME_MIN <= event_time <= EVENT_TIME_MAX:
            raise ReadingFault(
                "timestamp", "lies outside the years 0001 to 9999: see the parameter precision"
            )
        if 0 < event_time < _YEAR_1970 and self._nanos < NANOS["s"]:
            # Seconds taken for nanoseconds, most likely: they would be lost among old readings.
            raise ReadingFault("timestamp", "lies in 1970: see the parameter precision")
        return check_event_time(event_time, self._bounds)

    def _numbers(self, fields: Fields) -> Fields:
        """Without strings and booleans, which are counted. Raises `ReadingFault`."""
        numbers = [field for field in fields if field[0] == VALUE_FIELD or not _is_other(field[1])]
        if not numbers:
            raise ReadingFault(fields[0][0], "must be a number")
        self._passed_over += len(fields) - len(numbers)
        return numbers

    def _code(self, equipment_id: str) -> int:
        code = self._codes_of.get(equipment_id)
        if code is None:
            check_scope(check_equipment_id(equipment_id), self._bounds)
            code = self._codes_of[equipment_id] = len(self._codes_of)
        return code

    def _reject(self, fault: ReadingFault, number: int) -> None:
        self._rejected_by_code[fault.code] += 1
        if len(self._rejections) < RECEIPT_ERRORS_MAX:
            self._rejections.append(fault.rejection(line=number))


def _base_of(head: str) -> str:
    """The id that measurement and tags name. Raises `ReadingFault`."""
    measurement = _MEASUREMENT.match(head)
    if measurement is None:
        raise _malformed("has no measurement")
    tags: dict[str, str] = {}
    at = measurement.end()
    while at < len(head):
        key = _NAME.match(head, at + 1)
        if key is None or head[key.end() : key.end() + 1] != "=":
            raise _malformed("has a tag without a name and =")
        value = _NAME.match(head, key.end() + 1)
        if value is None:
            raise _malformed("has a tag without a value")
        at = value.end()
        if head[at : at + 1] not in {"", ","}:
            raise _malformed("has a tag with a second =")
        name = _ESCAPED.sub(r"\1", key.group())
        if name in tags:
            raise ReadingFault("", "gives a tag twice", CODE_DUPLICATE)
        tags[name] = _ESCAPED.sub(r"\1", value.group())
    if EQUIPMENT_TAG in tags:
        return tags[EQUIPMENT_TAG]
    parts = [_part(_ESCAPED_IN_MEASUREMENT.sub(r"\1", measurement.group()))]
    parts += [f"{_key(key)}={_part(tags[key])}" for key in sorted(tags)]
    return ":".join(parts)


_KEPT = r"\\\1"


def _part(name: str) -> str:
    return _PART.sub(_KEPT, name)


def _key(name: str) -> str:
    """Of a tag or a field: without a `=` that would make a field of the one look like the other."""
    return _KEY.sub(_KEPT, name)


def _head_end(line: str) -> int:
    """Where the first space is that no backslash keeps."""
    at = line.find(" ")
    while at > 0 and line[at - 1] == "\\":
        at = line.find(" ", at + 1)
    if at < 0:
        raise _malformed("has no fields")
    return at


def _plain_fields(text: str) -> Fields:
    """Fields without strings and backslashes. Raises `ReadingFault`."""
    if not text:
        raise _malformed("has no fields")
    fields: Fields = []
    for field in text.split(","):
        name, equals, value = field.partition("=")
        if not (name and equals and value):
            raise _malformed("has a field that is not name=value")
        fields.append((name, value))
    return _each_once(fields)


def _scan_fields(line: str, at: int) -> tuple[Fields, int]:
    """The fields, and where they end. Raises `ReadingFault`."""
    fields: Fields = []
    while True:
        name = _NAME.match(line, at)
        if name is None or line[name.end() : name.end() + 1] != "=":
            raise _malformed("has a field that is not name=value")
        at = name.end() + 1
        value = (_STRING if line[at : at + 1] == '"' else _BARE).match(line, at)
        if value is None:
            raise _malformed("has a field without a value, or a string that is not closed")
        fields.append((_ESCAPED.sub(r"\1", name.group()), value.group()))
        at = value.end()
        if line[at : at + 1] != ",":
            break
        at += 1
    if line[at : at + 1] not in {"", " "}:
        raise _malformed("has something after the value of a field")
    return _each_once(fields), at


def _each_once(fields: Fields) -> Fields:
    if len(fields) > 1 and len(dict(fields)) != len(fields):
        raise ReadingFault("", "gives a field twice", CODE_DUPLICATE)
    return fields


def _is_other(text: str) -> bool:
    """Whether the value is a string or a boolean."""
    return text[0] == '"' or text in _BOOLEANS


def _number(field: str, text: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ReadingFault(field, "must be a finite number: 1.5, 2, 3i or 4u")
    try:
        return check_value(float(match[match.lastindex or 0]))
    except ReadingFault as fault:
        raise ReadingFault(field, fault.reason) from None


def _after_space(line: str, at: int) -> int:
    while line[at : at + 1] == " ":
        at += 1
    return at


def _utf_8(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"is not UTF-8 (byte {error.start})") from None


def _malformed(reason: str) -> ReadingFault:
    return ReadingFault("", reason, CODE_MALFORMED)
