"""Readings → InfluxDB line protocol, and the names of what is stored there.

Measurement `reading`: tags `equipmentId` and `part` (a hash of it, 0 to 63), fields `value` and
`origin`, times in microseconds. Characters that line protocol or InfluxQL would need escaped are
percent-encoded in the tag: a backslash at a tag's end cannot be written at all.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from pipewatcher.model import Batch, Micros, RefusedReading

PARTS = 64
TIME_MIN: Micros = -(2**63) // 1_000 + 1_000
TIME_MAX: Micros = 2**63 // 1_000 - 1_000
"""What InfluxDB can hold: nanoseconds in 64 bits, years 1677 to 2262."""
_SPECIAL = re.compile(r"""[%\\,=\s'"/|(){}\[\].*+?^$]""")


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    tag: str
    event_time: Micros
    value: float
    origin: str

    def refused(self, reason: str) -> RefusedReading:
        return RefusedReading(
            equipment_id=id_of(self.tag),
            event_time=self.event_time,
            value=self.value,
            origin=self.origin,
            reason=reason,
        )


def tag_of(equipment_id: str) -> str:
    """Safe in a tag, in an InfluxQL string and in a regular expression."""
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", equipment_id)


def id_of(tag: str) -> str:
    return unquote(tag) if "%" in tag else tag


def part_of(tag: str) -> int:
    """Which of the 64 parts of the plant a sensor belongs to, for rollups."""
    return zlib.crc32(tag.encode()) % PARTS


def lines_of(batches: Sequence[Batch]) -> list[Line]:
    """One line per (sensor, event_time): the write that was accepted last."""
    found: dict[tuple[str, Micros], Line] = {}
    for batch in batches:
        for tag, head, event_time, value, origin in _readings(batch):
            text = f'{head} value={value!r},origin="{_quoted(origin)}" {event_time}'
            found[tag, event_time] = Line(text, tag, event_time, value, origin)
    return list(found.values())


def _readings(batch: Batch) -> Iterator[tuple[str, str, Micros, float, str]]:
    tags = [tag_of(text) for text in batch.equipment_ids]
    heads = [f"reading,equipmentId={tag},part={part_of(tag)}" for tag in tags]
    codes = batch.codes.tolist()
    origins = [0] * len(batch) if batch.origin_codes is None else batch.origin_codes.tolist()
    rows = zip(codes, batch.event_times.tolist(), batch.values.tolist(), origins, strict=True)
    for code, event_time, value, origin in rows:
        yield tags[code], heads[code], event_time, value, batch.origins[origin]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
