"""What the answers must be: plain Python over every write, in the order of acceptance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from pipewatcher.model.gaps import GAP_FACTOR
from pipewatcher.model.imports import ImportCounts
from pipewatcher.model.time import DAY, NO_END
from pipewatcher.readings.cadence import READINGS_JUDGED, STEPS_MIN, learned


@dataclass(frozen=True)
class Write:
    equipment_id: str
    event_time: int
    value: float
    origin: str
    keep_stored: bool = False


@dataclass
class Oracle:
    stored: dict[tuple[str, int], Write] = field(default_factory=dict)
    below: dict[tuple[str, int], list[Write]] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)

    def write(self, writes: Iterable[Write]) -> None:
        for write in writes:
            key = (write.equipment_id, write.event_time)
            if write.origin.startswith("import:"):
                self._write_import(key, write)
            else:
                self.stored[key] = write
                self.below.pop(key, None)

    def _write_import(self, key: tuple[str, int], write: Write) -> None:
        count = self.outcomes.setdefault(
            write.origin, dict.fromkeys(("new", "identical", "corrected", "repeated", "skipped"), 0)
        )
        standing = self.stored.get(key)
        chain = self.below.setdefault(key, [])
        own = standing is not None and standing.origin == write.origin
        base = (chain[-1] if chain else None) if own else standing
        if write.keep_stored and base is not None and base.value != write.value:
            count["skipped"] += 1
            return
        if own:
            count[_judge(standing.value, base)] -= 1
            count["repeated"] += 1
        elif standing is not None:
            chain.append(standing)
        count[_judge(write.value, base)] += 1
        self.stored[key] = write

    def undo(self, import_id: int) -> tuple[int, int]:
        """How many readings went and how many came back."""
        origin = f"import:{import_id}"
        removed = restored = 0
        for key, standing in list(self.stored.items()):
            chain = [write for write in self.below.get(key, []) if write.origin != origin]
            if standing.origin == origin:
                if chain:
                    self.stored[key] = chain.pop()
                    restored += 1
                else:
                    del self.stored[key]
                    removed += 1
            self.below[key] = chain
        return removed, restored

    def history(self, equipment_id: str, event_time: int) -> list[tuple[float, str]]:
        key = (equipment_id, event_time)
        if key not in self.stored:
            return []
        chain = [*self.below.get(key, []), self.stored[key]]
        return [(write.value, write.origin) for write in reversed(chain)]

    def counts(self, import_id: int) -> ImportCounts:
        found = self.outcomes.get(f"import:{import_id}", {})
        return ImportCounts(accepted=sum(found.values()), **found)

    def readings(self, equipment_id: str, start: int, end: int) -> list[tuple[int, float, str]]:
        return sorted(
            (time, write.value, write.origin)
            for (sensor, time), write in self.stored.items()
            if sensor == equipment_id and start <= time < end
        )

    def sensors(self) -> list[str]:
        return sorted({sensor for sensor, _ in self.stored})

    def average(
        self, equipment_id: str, start: int, end: int, now: int, cadence: int | None
    ) -> dict[str, object] | None:
        before = self.readings(equipment_id, -(2**62), end)
        if not before:
            return None
        inside = [reading for reading in before if reading[0] >= start]
        values = [value for _, value, _ in inside]
        return {
            "count": len(inside),
            "mean": mean(values),
            "min": min(values, default=None),
            "max": max(values, default=None),
            "first_time": inside[0][0] if inside else None,
            "last_in_window": inside[-1][0] if inside else None,
            "last_time": before[-1][0],
            "last_value": before[-1][1],
            "time_weighted_mean": time_weighted_mean(before, start, end, cadence),
            "oldest_time": before[0][0],
            "cadence": cadence,
            **self._missing(equipment_id, start, end, now, cadence),
        }

    def gaps(
        self, equipment_id: str, start: int, end: int, now: int, cadence: int | None
    ) -> list[tuple[int, int]]:
        """Those that overlap `[start, end)`; a silence that goes on ends at `NO_END`."""
        times = [time for time, _, _ in self.readings(equipment_id, -(2**62), 2**62)]
        if cadence is None or not times:
            return []
        limit = GAP_FACTOR * cadence
        found = [(a, b) for a, b in itertools.pairwise(times) if b - a > limit]
        if now - times[-1] > limit:
            found.append((times[-1], NO_END))
        return [(a, b) for a, b in found if a < end and b > start]

    def _missing(
        self, equipment_id: str, start: int, end: int, now: int, cadence: int | None
    ) -> dict[str, object]:
        if cadence is None:
            return {"gap_time": None, "longest_gap": None}
        parts = [
            min(b, end) - max(a, start)
            for a, b in self.gaps(equipment_id, start, end, now, cadence)
        ]
        return {"gap_time": sum(parts), "longest_gap": max(parts, default=0)}

    def buckets(
        self, equipment_id: str, start: int, end: int, width: int
    ) -> list[dict[str, object]]:
        grouped: dict[int, list[tuple[int, float, str]]] = {}
        for reading in self.readings(equipment_id, start, end):
            grouped.setdefault(reading[0] // width * width, []).append(reading)
        return [
            {
                "start": bucket,
                "mean": mean([value for _, value, _ in found]),
                "min": min(value for _, value, _ in found),
                "max": max(value for _, value, _ in found),
                "count": len(found),
                "imported": sum(origin.startswith("import:") for _, _, origin in found),
            }
            for bucket, found in sorted(grouped.items())
        ]


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def time_weighted_mean(
    readings: list[tuple[int, float, str]], start: int, end: int, cadence: int | None
) -> float | None:
    """Each value holds until the next reading or the hold limit. In whole microseconds."""
    limit = 2**62 if cadence is None else GAP_FACTOR * cadence
    spans = []
    for number, (time, value, _) in enumerate(readings):
        until = readings[number + 1][0] if number + 1 < len(readings) else end
        held = min(until, time + limit, end) - max(time, start)
        if held > 0:
            spans.append((held, value))
    if not spans:
        return None
    total = sum(Fraction(value) * held for held, value in spans)
    return float(total / sum(held for held, _ in spans))


def learned_cadence(times: list[int]) -> int | None:
    """From the readings before the day of the newest one, and from those a day earlier for what
    stood before; from the first 21 while that is all there is."""
    if len(times) <= STEPS_MIN:
        return None
    today = times[-1] // DAY * DAY
    now, before = (_median([t for t in times if t < end]) for end in (today, today - DAY))
    if now is None:
        now, before = _median(times[: STEPS_MIN + 1]), None
    assert now is not None
    return learned(now, None if before is None else learned(before, None))


def _median(times: list[int]) -> int | None:
    steps = sorted(b - a for a, b in itertools.pairwise(times[-READINGS_JUDGED:]))
    return steps[(len(steps) - 1) // 2] if len(steps) >= STEPS_MIN else None


def _judge(value: float, base: Write | None) -> str:
    if base is None:
        return "new"
    return "identical" if base.value == value else "corrected"
