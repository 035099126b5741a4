"""Readings ↔ Kafka records: the key is the equipmentId, the value the reading as JSON, as any
Kafka tool reads and writes it; the header `origin` says by which door it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TypeAlias

import msgspec
import numpy as np

from pipewatcher.errors import InvalidRequest, MalformedRequest, PipeWatcherError
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import Micros
from pipewatcher.payload import Parsed, parse_array, parse_object
from pipewatcher.validate import EventTimeBounds

ORIGIN_HEADER = "origin"
FOREIGN_ORIGIN = "kafka"
"""Of a record that another program wrote to the topic."""
_ORIGIN_CHARS_MAX = 200
_ORIGINS_MAX = 10_000
Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - written as UTC
_ANY_TIME = EventTimeBounds(latest=2**63 - 1)


@dataclass(frozen=True, slots=True)
class Poison:
    """The record at `index` of what was read, and why it is no reading."""

    index: int
    reason: str


def encode_reading(equipment_id: str, event_time: Micros, value: float) -> bytes:
    return b'{"equipmentId":%b,"value":%b,"timestamp":"%bZ"}' % (
        msgspec.json.encode(equipment_id),
        repr(value).encode(),
        (_EPOCH + timedelta(microseconds=event_time)).isoformat(timespec="microseconds").encode(),
    )


def encode_batch(batch: Batch) -> Iterator[tuple[bytes, bytes, str]]:
    """Key, value and origin of each reading."""
    keys = [text.encode() for text in batch.equipment_ids]
    heads = [
        b'{"equipmentId":%b,"value":' % msgspec.json.encode(text) for text in batch.equipment_ids
    ]
    times = np.datetime_as_string(batch.event_times.astype("M8[us]"), unit="us")
    codes = batch.codes.tolist()
    origins = [0] * len(batch) if batch.origin_codes is None else batch.origin_codes.tolist()
    for code, value, time, origin in zip(
        codes, batch.values.tolist(), times.tolist(), origins, strict=True
    ):
        body = b'%b%b,"timestamp":"%bZ"}' % (heads[code], repr(value).encode(), time.encode())
        yield keys[code], body, batch.origins[origin]


def decode(
    values: Sequence[bytes | None], origins: Sequence[str]
) -> tuple[list[Batch], list[Poison]]:
    """At most one batch of all records that are readings, in their order, and the others."""
    parsed = _parse_all(values)
    if parsed is not None:
        return [_batch(parsed, origins)], []
    good: list[int] = []
    poison: list[Poison] = []
    for index, value in enumerate(values):
        try:
            if value is None:
                raise MalformedRequest("The record has no value.")
            parse_object(value, _ANY_TIME)
            good.append(index)
        except InvalidRequest as error:
            fault = error.errors[0]
            poison.append(Poison(index, f"{fault.field} {fault.reason}".strip()))
        except PipeWatcherError as error:
            poison.append(Poison(index, error.detail))
    if not good:
        return [], poison
    body = b"[" + b",".join(values[index] or b"" for index in good) + b"]"
    return [_batch(parse_array(body, _ANY_TIME), [origins[index] for index in good])], poison


def origins_of(all_headers: Sequence[Headers | None]) -> list[str]:
    """The origin of each record. Ours have one header; only where one has not, each is searched."""
    try:
        return list(map(_by_first_header.__getitem__, map(itemgetter(0), all_headers)))  # type: ignore[arg-type]
    except (TypeError, IndexError, KeyError):
        return [_origin_of(headers) for headers in all_headers]


def _origin_of(headers: Headers | None) -> str:
    for name, value in headers or ():
        if name == ORIGIN_HEADER and value:
            return _by_first_header[name, value]
    return FOREIGN_ORIGIN


class _Origins(dict[tuple[str, bytes | None], str]):
    def __missing__(self, header: tuple[str, bytes | None]) -> str:
        name, value = header
        if name != ORIGIN_HEADER or not value:
            raise KeyError
        if len(self) >= _ORIGINS_MAX:
            self.clear()
        origin = self[header] = value.decode("utf-8", "replace")[:_ORIGIN_CHARS_MAX]
        return origin


_by_first_header = _Origins()


def _parse_all(values: Sequence[bytes | None]) -> Parsed | None:
    """All at once; None unless each is exactly one good reading."""
    if None in values:
        return None
    try:
        parsed = parse_array(b"[" + b",".join(values) + b"]", _ANY_TIME)  # type: ignore[arg-type]
    except PipeWatcherError:
        return None
    return parsed if parsed.accepted == len(values) and not parsed.rejected else None


def _batch(parsed: Parsed, origins: Sequence[str]) -> Batch:
    known = {origin: code for code, origin in enumerate(dict.fromkeys(origins))}
    codes = None
    if len(known) > 1:
        codes = np.fromiter(map(known.__getitem__, origins), np.uint32, len(origins))
    return Batch(
        equipment_ids=parsed.equipment_ids,
        codes=parsed.codes,
        event_times=parsed.event_times,
        values=parsed.values,
        origins=list(known),
        origin_codes=codes,
    )
