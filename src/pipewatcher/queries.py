"""Questions: the store's figures joined with what the registry knows of each sensor.

Every answer is fresh: it waits for the readings that were acknowledged before the question.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec

from pipewatcher.errors import InvalidRequest
from pipewatcher.model.figures import SensorAverage, Series
from pipewatcher.model.gaps import EVENT_DRIVEN, GAP_FACTOR
from pipewatcher.model.plant import Sensor, SensorCondition, SensorState
from pipewatcher.model.readings import ReadingVersion, Rejection, StoredReading
from pipewatcher.model.time import DAY, HOUR, MINUTE, NO_END, SECOND, Micros
from pipewatcher.observability import Latencies
from pipewatcher.ports import ReadingsStore, Registry

WINDOW_MAX = 3_660 * DAY
BUCKETS_MAX = 1_440
CONDITION_WINDOW = DAY
SERIES_SENSORS_MAX = 20
READINGS_MAX = 10_000
LATE_STEPS = GAP_FACTOR
SILENT_STEPS = 10
SILENT_MIN = 5 * MINUTE

_WINDOW = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_WIDTHS = [n * SECOND for n in (1, 2, 5, 10, 15, 30)]
_WIDTHS += [n * MINUTE for n in (1, 2, 5, 10, 15, 30)]
_WIDTHS += [n * HOUR for n in (1, 2, 3, 6, 12)]
_WIDTHS += [n * DAY for n in (1, 2, 7, 30, 365)]


class AverageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor over a window, joined with its registration. Instants in UTC microseconds.

    `expected` and `coverage` count from `start` or the sensor's first reading; with
    `longest_gap_seconds` they are None for a sensor without a cadence.
    """

    equipment_id: str
    name: str | None
    kind: str | None
    unit: str | None
    location: str | None
    mean: float | None
    time_weighted_mean: float | None
    count: int
    expected: int | None
    min: float | None
    max: float | None
    coverage: float | None
    longest_gap_seconds: float | None
    last_timestamp: Micros | None
    last_value: float | None
    state: SensorState
    source: str | None


class Averages(msgspec.Struct, frozen=True, kw_only=True):
    window: str
    start: Micros
    end: Micros
    total: int
    items: list[AverageRow]


SORTS = frozenset(AverageRow.__struct_fields__)


class Queries:
    def __init__(
        self,
        store: ReadingsStore,
        registry: Registry,
        fresh: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.time,
        *,
        kept_from: Callable[[], Micros | None] = lambda: None,
    ) -> None:
        """`kept_from`: before it only rollups are left; a window there is of whole hours."""
        self._store = store
        self._registry = registry
        self._fresh = fresh
        self._clock = clock
        self._kept_from = kept_from
        self.latencies = Latencies()

    def now(self) -> Micros:
        return int(self._clock() * SECOND)

    async def averages(
        self,
        window: str,
        until: Micros | None = None,
        *,
        search: str = "",
        sort: str = "equipment_id",
        descending: bool = False,
        limit: int = 20_000,
        offset: int = 0,
    ) -> Averages:
        """The window `[until - window, until)` of every sensor that matches `search`.

        Raises `InvalidRequest` for a window, an `until` or a sort that is not allowed.
        """
        now = self.now()
        end = now if until is None else until
        if end > now:
            raise _invalid("until", "lies in the future")
        start, end = self._aligned(end - window_micros(window), end)
        if sort not in SORTS:
            raise _invalid("sort", f"must be one of {', '.join(sorted(SORTS))}")
        with self._timed():
            await self._fresh()
            found = await self._store.averages(start, end, now)
        figures = {row.equipment_id: row for row in found}
        sensors = {sensor.equipment_id: sensor for sensor in await self._registry.sensors()}
        # 20,000 sensors are a tenth of a second of Python: not on the event loop.
        rows = await asyncio.to_thread(_joined, figures, sensors, start, end, search.casefold())
        rows = _sorted(rows, sort, descending)
        return Averages(
            window=window, start=start, end=end, total=len(rows), items=rows[offset:][:limit]
        )

    async def series(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, bucket: str
    ) -> tuple[Micros, list[Series]]:
        """The width of the buckets and the buckets. Raises `InvalidRequest`."""
        _check_range(start, end)
        if not 1 <= len(set(equipment_ids)) <= SERIES_SENSORS_MAX:
            raise _invalid("equipmentId", f"name 1 to {SERIES_SENSORS_MAX} sensors")
        width = _auto_width(end - start) if bucket == "auto" else window_micros(bucket, "bucket")
        if start < (self._kept_from() or start):
            if width % HOUR and bucket != "auto":
                raise _invalid("bucket", "must be whole hours where readings are no longer kept")
            width = max(width, HOUR)
            start, end = self._aligned(start, end)
        if (end - start) // width > BUCKETS_MAX * 4:
            raise _invalid("bucket", f"at most {BUCKETS_MAX * 4} buckets; take a wider one")
        with self._timed():
            await self._fresh()
            return width, await self._store.series(equipment_ids, start, end, width)

    async def gaps(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros
    ) -> dict[str, list[tuple[Micros, Micros | None]]]:
        """Of each of these sensors the gaps that overlap `[start, end)`, ascending; None ends one
        that goes on."""
        columns, _ = await self._store.gaps(start, end, self.now(), equipment_ids)
        found: dict[str, list[tuple[Micros, Micros | None]]] = {}
        spans = zip(
            columns.codes.tolist(), columns.starts.tolist(), columns.ends.tolist(), strict=True
        )
        for code, since, until in sorted(spans):
            name = columns.equipment_ids[code]
            found.setdefault(name, []).append((since, None if until == NO_END else until))
        return found

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]:
        """The first `limit` (1 to 10,000) in `[start, end)`. Raises `InvalidRequest`."""
        _check_range(start, end)
        with self._timed():
            await self._fresh()
            return await self._store.readings(equipment_id, start, end, limit)

    async def history(self, equipment_id: str, event_time: Micros) -> list[ReadingVersion]:
        """Every kept write of the reading, the standing one first. Raises `NotPossible`."""
        await self._fresh()
        return await self._store.history(equipment_id, event_time)

    def _aligned(self, start: Micros, end: Micros) -> tuple[Micros, Micros]:
        kept_from = self._kept_from()
        if kept_from is None or start >= kept_from:
            return start, end
        start, end = _to_hour(start), end if end >= kept_from else _to_hour(end)
        if start >= end:
            raise _invalid("window", "must be an hour or more where readings are no longer kept")
        return start, end

    async def conditions(self) -> list[SensorCondition]:
        """Every sensor that ever sent, as it is now."""
        await self._fresh()
        now = self.now()
        # Also readings of clocks that run ahead of ours.
        figures = await self._store.averages(now - CONDITION_WINDOW, now + HOUR)
        sensors = {sensor.equipment_id: sensor for sensor in await self._registry.sensors()}
        return await asyncio.to_thread(_conditions, figures, sensors, now)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.latencies.add(time.monotonic() - began)


def window_micros(text: str, field: str = "window") -> Micros:
    """`24h`, `7d`, `90m`, … Raises `InvalidRequest`."""
    match = _WINDOW.fullmatch(text)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < length <= WINDOW_MAX:
        raise _invalid(field, "must be a number and m, h or d, such as 24h, 48h, 7d, 30d")
    return length


def state_of(sensor: Sensor | None, figure: SensorAverage | None, now: Micros) -> SensorState:
    """`late` after 3 of its usual steps and a minute without a reading, `silent` after 10 and
    5 minutes; an event-driven sensor is never late.

    The usual step is the cadence, else (until one is learned) the mean step inside the window.
    """
    if figure is None or figure.last_time is None:
        return "new"
    age = now - figure.last_time
    if sensor is not None and sensor.cadence_seconds == EVENT_DRIVEN:
        return "ok"
    step: float
    if figure.cadence is not None:
        step = figure.cadence
    elif figure.count > 1 and figure.last_in_window is not None and figure.first_time is not None:
        step = (figure.last_in_window - figure.first_time) / (figure.count - 1)
    else:
        return "ok" if age <= SILENT_MIN else "silent"
    if age > max(SILENT_MIN, SILENT_STEPS * step):
        return "silent"
    return "late" if age > max(MINUTE, LATE_STEPS * step) else "ok"


def _conditions(
    figures: Sequence[SensorAverage], sensors: dict[str, Sensor], now: Micros
) -> list[SensorCondition]:
    found = []
    for figure in figures:
        sensor = sensors.get(figure.equipment_id)
        found.append(
            SensorCondition(
                equipment_id=figure.equipment_id,
                source=sensor.source if sensor is not None else None,
                state=state_of(sensor, figure, now),
                last_time=figure.last_time,
                last_value=figure.last_value,
            )
        )
    return found


def _joined(
    figures: dict[str, SensorAverage],
    sensors: dict[str, Sensor],
    start: Micros,
    end: Micros,
    search: str,
) -> list[AverageRow]:
    return [
        _row(name, sensors.get(name), figures.get(name), start, end)
        for name in sorted(figures.keys() | sensors.keys())
        if _matches(name, sensors.get(name), search)
    ]


def _row(
    name: str, sensor: Sensor | None, figure: SensorAverage | None, start: Micros, end: Micros
) -> AverageRow:
    expected = coverage = longest = None
    if figure is not None and figure.cadence is not None and figure.oldest_time is not None:
        since = max(start, figure.oldest_time)
        expected = -(-(end - since) // figure.cadence)
        coverage = figure.coverage(start, end)
        longest = (figure.longest_gap or 0) / SECOND
    return AverageRow(
        equipment_id=name,
        name=sensor.name if sensor else None,
        kind=sensor.kind if sensor else None,
        unit=sensor.unit if sensor else None,
        location=sensor.location if sensor else None,
        source=sensor.source if sensor else None,
        mean=figure.mean if figure else None,
        time_weighted_mean=figure.time_weighted_mean if figure else None,
        count=figure.count if figure else 0,
        expected=expected,
        min=figure.min if figure else None,
        max=figure.max if figure else None,
        coverage=coverage,
        longest_gap_seconds=longest,
        last_timestamp=figure.last_time if figure else None,
        last_value=figure.last_value if figure else None,
        state=state_of(sensor, figure, end),
    )


def _matches(name: str, sensor: Sensor | None, search: str) -> bool:
    if not search or search in name.casefold():
        return True
    if sensor is None:
        return False
    texts = (sensor.name, sensor.kind, sensor.unit, sensor.location, sensor.equipment)
    return any(text is not None and search in text.casefold() for text in texts)


def _sorted(rows: list[AverageRow], sort: str, descending: bool) -> list[AverageRow]:
    """Rows without a value come last in either order."""
    known = [row for row in rows if getattr(row, sort) is not None]
    unknown = [row for row in rows if getattr(row, sort) is None]
    known.sort(key=lambda row: getattr(row, sort), reverse=descending)
    return known + unknown


def _auto_width(span: Micros) -> Micros:
    return next((width for width in _WIDTHS if span <= width * BUCKETS_MAX), _WIDTHS[-1])


def _to_hour(instant: Micros) -> Micros:
    """The start of the next hour, or of this one at its very start."""
    return -(-instant // HOUR) * HOUR


def _check_range(start: Micros, end: Micros) -> None:
    if not 0 < end - start <= WINDOW_MAX:
        raise _invalid("end", "must lie after start, by at most ten years")


def _invalid(field: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {reason}", [Rejection(field=field, reason=reason)])
