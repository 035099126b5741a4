"""A query from its text to its answer: chooses sensors, asks for their figures, works it out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import numpy as np

from pipewatcher.errors import Busy
from pipewatcher.model.figures import Bucket, SensorAverage, Series
from pipewatcher.model.plant import Sensor
from pipewatcher.model.readings import StoredReading
from pipewatcher.model.time import MINUTE, Micros
from pipewatcher.promql.errors import TooMuch
from pipewatcher.promql.evaluate import Found, Line, Vector, evaluate
from pipewatcher.promql.grid import Grid, of_average, over_time, standing
from pipewatcher.promql.labels import ID_LABEL, Labels, chosen, labels_of
from pipewatcher.promql.parse import parse
from pipewatcher.promql.syntax import METRIC, Matcher, Selector, selectors

INSTANTS_MAX = 11_000
"""As Prometheus has it."""
SENSORS_OF_RANGE_MAX = 100
BUCKETS_MAX = 200_000
READINGS_MAX = 100_000
POINTS_MAX = 500_000
SELECTORS_MAX = 10
LOOKBACK = 5 * MINUTE
"""How long a value stands whose sensor has no cadence; Prometheus's own."""
AT_ONCE = 2
WAITING_MAX = 32


class Source(Protocol):
    """As fresh as the moment of the question. Each may raise `InvalidRequest`."""

    async def sensors(self) -> list[Sensor]: ...

    async def figures(self, start: Micros, end: Micros) -> list[SensorAverage]:
        """Of every sensor over `[start, end)`."""
        ...

    async def buckets(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, width: Micros
    ) -> list[Series]:
        """`start` and `end` are multiples of `width`."""
        ...

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]: ...

    async def hold_limits(self) -> Mapping[str, Micros]:
        """How long a value stands, of the sensors of which that is known."""
        ...


class Asker:
    """Used from one event loop."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def series(self, selections: Sequence[Sequence[Matcher]]) -> list[Labels]:
        """The labels of every sensor that one of them chooses; of all sensors without any."""
        sensors = await self._source.sensors()
        return await asyncio.to_thread(_labels_of_any, sensors, selections)

    async def ask(self, query: str, grid: Grid) -> Found:
        """Raises `BadQuery`, `TooMuch`, or `Busy` when too many others ask."""
        if grid.size > INSTANTS_MAX:
            raise TooMuch(f"at most {INSTANTS_MAX} points per timeseries; take a wider step")
        expression = parse(query)
        wanted = dict.fromkeys(selectors(expression))
        if len(wanted) > SELECTORS_MAX:
            raise TooMuch(f"at most {SELECTORS_MAX} selectors in a query")
        async with self._turn():
            fetched = {(f, one): await self._fetch(f, one, grid) for f, one in wanted}
            found = await asyncio.to_thread(evaluate, expression, grid, fetched)
        if not isinstance(found, np.ndarray):
            points = sum(int((~np.isnan(line.values)).sum()) for line in found)
            if points > POINTS_MAX:
                raise TooMuch(f"at most {POINTS_MAX} points in an answer; take a wider step")
        return found

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING_MAX:
            raise Busy("Too many queries wait for their turn.")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

    async def _fetch(self, function: str | None, selector: Selector, grid: Grid) -> Vector:
        series = await self.series([selector.matchers])
        if grid.size == 1:
            return await self._at_one_instant(function, selector, grid, series)
        if len(series) > SENSORS_OF_RANGE_MAX:
            raise TooMuch(
                f"{len(series)} sensors over a range of time; name at most {SENSORS_OF_RANGE_MAX} "
                'of them, such as {equipmentId=~"EQ-1|EQ-2"}, or ask for one instant'
            )
        if function in {None, "last_over_time"}:
            return await self._by_reading(selector, grid, series)
        assert function is not None
        return await self._by_bucket(function, selector, grid, series)

    async def _at_one_instant(
        self, function: str | None, selector: Selector, grid: Grid, series: Sequence[Labels]
    ) -> Vector:
        """Of all sensors by one question, from rollups as the averages of the page."""
        at = grid.start - selector.offset
        values: dict[str, float | None]
        if selector.window is None or function is None:
            holds = await self._source.hold_limits()
            figures = await self._source.figures(at - MINUTE, at + 1)
            values = {
                figure.equipment_id: figure.last_value
                for figure in figures
                if figure.last_time is not None
                and at - figure.last_time <= holds.get(figure.equipment_id, LOOKBACK)
            }
        else:
            figures = await self._source.figures(at - selector.window, at)
            values = {figure.equipment_id: of_average(function, figure) for figure in figures}
        return await asyncio.to_thread(_lines_of, series, values)

    async def _by_bucket(
        self, function: str, selector: Selector, grid: Grid, series: Sequence[Labels]
    ) -> Vector:
        window = selector.window or 0
        width = grid.width(window, selector.offset)
        start, end = grid.start - selector.offset - window, grid.end - selector.offset
        ids = [labels[ID_LABEL] for labels in series]
        if not ids:
            return []
        if (end - start) // width * len(ids) <= BUCKETS_MAX:
            found = await self._source.buckets(ids, start, end, width)
            buckets = {one.equipment_id: one.buckets for one in found}
        else:
            hint = (
                "take fewer sensors, a shorter time, or start, step and range that are whole "
                "multiples of one another"
            )
            readings = await self._readings(ids, start, end, hint)
            buckets = {name: [_as_bucket(one) for one in of] for name, of in readings.items()}

        def lines() -> Vector:
            return [
                Line(labels, over_time(function, buckets[name], grid, window, selector.offset))
                for labels, name in zip(series, ids, strict=True)
            ]

        return await asyncio.to_thread(lines)

    async def _by_reading(self, selector: Selector, grid: Grid, series: Sequence[Labels]) -> Vector:
        holds = {} if selector.window else await self._source.hold_limits()
        ids = [labels[ID_LABEL] for labels in series]
        limits = {name: selector.window or holds.get(name, LOOKBACK) for name in ids}
        start = grid.start - selector.offset
        hint = f"ask for avg_over_time({METRIC}{{…}}[$__interval])"
        readings = await self._readings(
            ids, start, grid.end - selector.offset + 1, hint, before=limits
        )
        own = selector.window is None

        def lines() -> Vector:
            return [
                Line(
                    labels,
                    standing(readings[name], grid, limits[name], selector.offset, own_instant=own),
                )
                for labels, name in zip(series, ids, strict=True)
            ]

        return await asyncio.to_thread(lines)

    async def _readings(
        self,
        equipment_ids: Sequence[str],
        start: Micros,
        end: Micros,
        hint: str,
        before: Mapping[str, Micros] | None = None,
    ) -> dict[str, list[StoredReading]]:
        """`before`: how much earlier each sensor's begin."""
        found: dict[str, list[StoredReading]] = {}
        left = READINGS_MAX
        for name in equipment_ids:
            since = start - (before[name] if before else 0)
            found[name] = await self._source.readings(name, since, end, left + 1)
            left -= len(found[name])
            if left < 0:
                raise TooMuch(f"more than {READINGS_MAX} readings by themselves: {hint}")
        return found


def _as_bucket(reading: StoredReading) -> Bucket:
    value = reading.value
    return Bucket(start=reading.event_time, mean=value, min=value, max=value, count=1, imported=0)


def _lines_of(series: Sequence[Labels], values: Mapping[str, float | None]) -> Vector:
    found = []
    for labels in series:
        value = values.get(labels[ID_LABEL])
        if value is not None and not math.isnan(value):
            found.append(Line(labels, np.array([value])))
    return found


def _labels_of_any(
    sensors: Sequence[Sensor], selections: Sequence[Sequence[Matcher]]
) -> list[Labels]:
    series = [labels_of(sensor) for sensor in sensors]
    if not selections:
        return series
    found = {
        labels[ID_LABEL]: labels for matchers in selections for labels in chosen(matchers, series)
    }
    return list(found.values())
