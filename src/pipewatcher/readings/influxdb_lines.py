"""Readings → InfluxDB line protocol, and the names of what is stored there.

Measurement `reading`: tags `equipmentId` and `part` (a hash of it, 0 to 63), fields `value` and
`origin`, times in microseconds. Characters that line protocol or InfluxQL would need escaped are
percent-encoded in the tag: a backslash at a tag's end cannot be written at all.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipewatcher.model.readings import Batch, RefusedReading
from pipewatcher.model.time import Micros

PARTS = 64
TIME_MIN: Micros = -(2**63) // 1_000 + 1_000
TIME_MAX: Micros = 2**63 // 1_000 - 1_000
"""What InfluxDB can hold: nanoseconds in 64 bits, years 1677 to 2262."""
_SPECIAL = re.compile(r"""[%\\,=\s'"/|(){}\[\].*+?^$]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Readings in columns, each (sensor, event_time) once. Their lines are made when they are sent:
    a text for each at once would take several times as long to make."""

    tags: Sequence[str]
    heads: Sequence[str]
    """Of each tag, what its lines begin with."""
    parts: npt.NDArray[np.int64]
    """Of each tag, its part of the plant."""
    codes: npt.NDArray[np.int64]
    event_times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    origins: Sequence[str]
    origin_codes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)

    def lines(self, start: int, stop: int) -> pa.Buffer:
        """Those of `[start, stop)`, each with its newline: made by Arrow in one piece, while other
        threads go on. A double is written as short as it can be read back."""
        some = slice(start, stop)
        tails = [f',origin="{_quoted(origin)}" ' for origin in self.origins]
        lines = pc.binary_join_element_wise(
            pa.array(self.heads, pa.string()).take(pa.array(self.codes[some])),
            pa.array(self.values[some]).cast(pa.string()),
            pa.array(tails, pa.string()).take(pa.array(self.origin_codes[some])),
            pa.array(self.event_times[some]).cast(pa.string()),
            "\n",
            "",
        )
        # Texts stand in an Arrow column one behind the other.
        return lines.buffers()[2]

    def without(self, places: Collection[int]) -> Points:
        kept = np.delete(np.arange(len(self)), list(places))
        return self._at(kept)

    def refused(self, place: int, reason: str) -> RefusedReading:
        return RefusedReading(
            equipment_id=id_of(self.tags[self.codes[place]]),
            event_time=int(self.event_times[place]),
            value=float(self.values[place]),
            origin=self.origins[self.origin_codes[place]],
            reason=reason,
        )

    def last_writes(self) -> Points:
        """Of several writes of one (sensor, event_time) the one that stands last; by sensor, which
        InfluxDB takes a fifth faster than as they came."""
        order = np.lexsort((self.event_times, self.codes))  # stable: equals stay in their order
        codes, times = self.codes[order], self.event_times[order]
        last = np.append((codes[1:] != codes[:-1]) | (times[1:] != times[:-1]), True)
        return self._at(order[last] if len(order) else order)

    def _at(self, places: npt.NDArray[np.intp]) -> Points:
        return replace(
            self,
            codes=self.codes[places],
            event_times=self.event_times[places],
            values=self.values[places],
            origin_codes=self.origin_codes[places],
        )


def tag_of(equipment_id: str) -> str:
    """Safe in a tag, in an InfluxQL string and in a regular expression."""
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", equipment_id)


def id_of(tag: str) -> str:
    return unquote(tag) if "%" in tag else tag


def part_of(tag: str) -> int:
    """Which of the 64 parts of the plant a sensor belongs to, for rollups."""
    return zlib.crc32(tag.encode()) % PARTS


def points_of(batches: Sequence[Batch]) -> Points:
    """One point per (sensor, event_time): the write that was accepted last."""
    tags: dict[str, int] = {}
    origins: dict[str, int] = {}
    # One without readings in front, for when there are no batches.
    codes, origin_codes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for batch in batches:
        of_ids = [tags.setdefault(tag_of(text), len(tags)) for text in batch.equipment_ids]
        codes.append(np.array(of_ids, np.int64)[batch.codes])
        of_origins = [origins.setdefault(text, len(origins)) for text in batch.origins]
        came_by = batch.origin_codes
        if came_by is None:
            came_by = np.zeros(len(batch), np.uint32)
        origin_codes.append(np.array(of_origins, np.int64)[came_by])
    parts = [part_of(tag) for tag in tags]
    return Points(
        tags=list(tags),
        heads=[
            f"reading,equipmentId={tag},part={part} value="
            for tag, part in zip(tags, parts, strict=True)
        ],
        parts=np.array(parts, np.int64),
        codes=np.concatenate(codes),
        event_times=np.concatenate([codes[0], *(batch.event_times for batch in batches)]),
        values=np.concatenate([np.zeros(0), *(batch.values for batch in batches)]),
        origins=list(origins),
        origin_codes=np.concatenate(origin_codes),
    ).last_writes()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
