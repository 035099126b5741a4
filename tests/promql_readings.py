"""What queries are asked of in tests: a list of readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipewatcher.model.figures import Bucket, SensorAverage, Series
from pipewatcher.model.plant import Sensor
from pipewatcher.model.readings import StoredReading
from pipewatcher.model.time import MINUTE, SECOND, Micros

NOON: Micros = 1_769_860_800 * SECOND


class Readings:
    """A source that works everything out from a list of (sensor, time, value)."""

    def __init__(self, rows: Sequence[tuple[str, Micros, float]], **units: str) -> None:
        self.rows = sorted(rows, key=lambda row: row[1])
        self.units = units
        self.holds: dict[str, Micros] = {}

    async def sensors(self) -> list[Sensor]:
        names = dict.fromkeys([name for name, _, _ in self.rows] + list(self.units))
        return [Sensor(equipment_id=n, created_at=0, unit=self.units.get(n)) for n in names]

    def within(self, name: str, start: Micros, end: Micros) -> list[tuple[Micros, float]]:
        return [(at, value) for n, at, value in self.rows if n == name and start <= at < end]

    async def figures(self, start: Micros, end: Micros) -> list[SensorAverage]:
        found = []
        for name in dict.fromkeys(name for name, _, _ in self.rows):
            values = [value for _, value in self.within(name, start, end)]
            before = self.within(name, -(2**62), end)
            if before:
                found.append(
                    SensorAverage(
                        equipment_id=name,
                        count=len(values),
                        mean=sum(values) / len(values) if values else None,
                        min=min(values, default=None),
                        max=max(values, default=None),
                        last_time=before[-1][0],
                        last_value=before[-1][1],
                        first_time=None,
                        last_in_window=None,
                        time_weighted_mean=None,
                        oldest_time=None,
                        cadence=None,
                        gap_time=None,
                        longest_gap=None,
                    )
                )
        return found

    async def buckets(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, width: Micros
    ) -> list[Series]:
        assert start % width == end % width == 0
        found = []
        for name in equipment_ids:
            parts: dict[int, list[float]] = {}
            for at, value in self.within(name, start, end):
                parts.setdefault(at // width, []).append(value)
            buckets = [
                Bucket(
                    start=number * width,
                    mean=sum(values) / len(values),
                    min=min(values),
                    max=max(values),
                    count=len(values),
                    imported=0,
                )
                for number, values in parts.items()
            ]
            found.append(Series(equipment_id=name, buckets=buckets))
        return found

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]:
        return [
            StoredReading(equipment_id=equipment_id, event_time=at, value=value, origin="")
            for at, value in self.within(equipment_id, start, end)[:limit]
        ]

    async def hold_limits(self) -> Mapping[str, Micros]:
        return self.holds


PLANT = Readings(
    [
        ("EQ-1", NOON, 10.0),
        ("EQ-1", NOON + MINUTE, 20.0),
        ("EQ-2", NOON + MINUTE, 5.0),
        ("EQ-3", NOON + MINUTE, -2.5),
    ],
    **{"EQ-1": "bar", "EQ-2": "bar", "EQ-3": "°C"},
)
