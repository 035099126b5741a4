"""A query from its text to its answer: chooses sensors, asks for their figures, works it out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import numpy as np

from pipewatcher.errors import Busy
from pipewatcher.model.figures import Bucket, SensorAverage, Series
from pipewatcher.model.plant import Sensor
from pipewatcher.model.readings import StoredReading
from pipewatcher.model.time import MINUTE, Micros
from pipewatcher.promql.errors import TooMuch
from pipewatcher.promql.evaluate import Fetched, Found, Line, Vector, evaluate
from pipewatcher.promql.grid import Grid, of_average, over_time, standing
from pipewatcher.promql.labels import ID_LABEL, Labels, chosen, labels_of
from pipewatcher.promql.parse import parse, parse_selector
from pipewatcher.promql.syntax import METRIC, Expression, Selector, selectors

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

    async def series(self, selected: Sequence[str]) -> list[Labels]:
        """The labels of every sensor that one of the selectors chooses; of all sensors without
        any. Raises `BadQuery`, `TooMuch`, or `Busy` when too many others ask."""
        if len(selected) > SELECTORS_MAX:
            raise TooMuch(f"at most {SELECTORS_MAX} selectors in a query")
        async with self._turn():
            sensors = await self._source.sensors()
            return await asyncio.to_thread(_chosen_by_any, sensors, selected)

    async def ask(self, query: str, grid: Grid) -> Found:
        """Raises `BadQuery`, `TooMuch`, or `Busy` when too many others ask."""
        if grid.size > INSTANTS_MAX:
            raise TooMuch(f"at most {INSTANTS_MAX} points per timeseries; take a wider step")
        async with self._turn():
            # RE2 may take a second to read a pattern.
            expression = await asyncio.to_thread(parse, query)
            wanted = dict.fromkeys(selectors(expression))
            if len(wanted) > SELECTORS_MAX:
                raise TooMuch(f"at most {SELECTORS_MAX} selectors in a query")
            sensors = await self._source.sensors() if wanted else []
            every = await asyncio.to_thread(_labels_of_each, sensors)
            fetched = {(f, one): await self._fetch(f, one, grid, every) for f, one in wanted}
            return await asyncio.to_thread(_worked_out, expression, grid, fetched)

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

    async def _fetch(
        self, function: str | None, selector: Selector, grid: Grid, every: Sequence[Labels]
    ) -> Vector:
        series = await asyncio.to_thread(chosen, selector.matchers, every)
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
        if selector.window is None or function is None:
            holds = await self._source.hold_limits()
            figures = await self._source.figures(at - MINUTE, at + 1)

            def value(figure: SensorAverage) -> float | None:
                hold = holds.get(figure.equipment_id, LOOKBACK)
                stands = figure.last_time is not None and at - figure.last_time <= hold
                return figure.last_value if stands else None
        else:
            figures = await self._source.figures(at - selector.window, at)

            def value(figure: SensorAverage) -> float | None:
                return of_average(function, figure)

        return await asyncio.to_thread(_lines_of, series, figures, value)

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
            buckets = await asyncio.to_thread(_as_buckets, readings)

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


def _worked_out(expression: Expression, grid: Grid, fetched: Fetched) -> Found:
    found = evaluate(expression, grid, fetched)
    if not isinstance(found, np.ndarray):
        points = sum(int((~np.isnan(line.values)).sum()) for line in found)
        if points > POINTS_MAX:
            raise TooMuch(f"at most {POINTS_MAX} points in an answer; take a wider step")
    return found


def _as_buckets(readings: Mapping[str, Sequence[StoredReading]]) -> dict[str, list[Bucket]]:
    return {name: [_as_bucket(one) for one in of] for name, of in readings.items()}


def _as_bucket(reading: StoredReading) -> Bucket:
    value = reading.value
    return Bucket(start=reading.event_time, mean=value, min=value, max=value, count=1, imported=0)


def _lines_of(
    series: Sequence[Labels],
    figures: Sequence[SensorAverage],
    value_of: Callable[[SensorAverage], float | None],
) -> Vector:
    values = {figure.equipment_id: value_of(figure) for figure in figures}
    found = []
    for labels in series:
        value = values.get(labels[ID_LABEL])
        if value is not None and not math.isnan(value):
            found.append(Line(labels, np.array([value])))
    return found


def _labels_of_each(sensors: Sequence[Sensor]) -> list[Labels]:
    return [labels_of(sensor) for sensor in sensors]


def _chosen_by_any(sensors: Sequence[Sensor], selected: Sequence[str]) -> list[Labels]:
    every = _labels_of_each(sensors)
    if not selected:
        return every
    found = {
        labels[ID_LABEL]: labels
        for text in selected
        for labels in chosen(parse_selector(text), every)
    }
    return list(found.values())
