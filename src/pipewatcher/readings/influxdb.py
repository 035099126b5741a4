"""Readings in InfluxDB, for when many processes write and ask.

A point is (sensor, event_time) and the last write of it stands. Rollups are made in the background
for hours and days that nobody has written to for a minute; until then they are asked from raw.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence

from pipewatcher.errors import NotPossible, StoreUnavailable
from pipewatcher.model.figures import SensorAverage, Series, StoreStats
from pipewatcher.model.gaps import Cadence, GapColumns, MendedColumns
from pipewatcher.model.imports import ImportCounts, UndoCounts, UndoPreview
from pipewatcher.model.plant import Dropped
from pipewatcher.model.readings import (
    Batch,
    Features,
    Position,
    ReadingVersion,
    RefusedReading,
    StoredReading,
)
from pipewatcher.model.time import DAY, SECOND, Micros
from pipewatcher.ports import Rehearsal
from pipewatcher.readings import influxdb_reads as reads
from pipewatcher.readings.influxdb_http import InfluxHttp, parse_influxdb_url
from pipewatcher.readings.influxdb_lines import TIME_MAX, TIME_MIN, id_of, points_of
from pipewatcher.readings.influxdb_rollups import (
    Span,
    Unit,
    rollup_line,
    tables_by_part,
    units_of,
    version_line,
)
from pipewatcher.readings.influxdb_setup import prepare

log = logging.getLogger(__name__)

QUIET_S = 60.0
"""A unit that was written to more recently is asked from raw: it would be void again soon."""
ROLL_INTERVAL_S = 5.0
HOURS_KEPT_UP: Micros = 40 * DAY
"""Older hours that another process left void are only asked for at a window's edge."""


class InfluxDBStore:
    def __init__(self, url: str) -> None:
        """Raises `SettingsError` for a URL that cannot be understood."""
        self._target = parse_influxdb_url(url)
        self._http: InfluxHttp | None = None
        self._touched: dict[Unit, float] = {}
        """When this process wrote last to a unit whose rollup is void, on the monotonic clock."""
        self._roller: asyncio.Task[None] | None = None
        self._sensors: dict[str, None] = {}
        self._folds = 0
        self._fold_seconds = 0.0

    @property
    def features(self) -> Features:
        return Features(split_roles=True)

    async def open(self) -> None:
        """Raises `SettingsError` with the remedy, or `StoreUnavailable`."""
        if self._http is not None:
            await prepare(self._http)
            return
        http = InfluxHttp(self._target)
        try:
            await prepare(http)
        except BaseException:
            await http.close()
            raise
        self._http = http

    async def close(self) -> None:
        if self._roller is not None:
            self._roller.cancel()
            await asyncio.gather(self._roller, return_exceptions=True)
            self._roller = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def position(self) -> Position:
        """Always `{}`: the commit log remembers how far it was read."""
        await self._client().request("GET", "/ping")
        return {}

    async def append(
        self, batches: Sequence[Batch], position: Position
    ) -> Sequence[RefusedReading]:
        if self._roller is None:
            self._roller = asyncio.create_task(self._roll_often(), name="influxdb rollups")
        http = self._client()
        points = await asyncio.to_thread(points_of, batches)
        refused = await http.write_points(points)
        # After the readings: whoever sees the new token sees the readings too.
        stored = points.without(refused) if refused else points
        await self._void(await asyncio.to_thread(units_of, stored))
        return [points.refused(place, reason) for place, reason in sorted(refused.items())]

    async def settle(self) -> None:
        """Rolls up everything that this process has written."""
        await self._roll(0.0)

    async def sensors(self) -> list[str]:
        for tag in await reads.sensor_tags(self._client()):
            self._sensors.setdefault(tag)
        return [id_of(tag) for tag in self._sensors]

    async def averages(
        self, start: Micros, end: Micros, now: Micros | None = None
    ) -> list[SensorAverage]:
        return await reads.averages(self._client(), start, end)

    async def series(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, bucket: Micros
    ) -> list[Series]:
        return await reads.series(self._client(), equipment_ids, start, end, bucket)

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]:
        return await reads.readings(self._client(), equipment_id, start, end, limit)

    async def gaps(
        self,
        start: Micros,
        end: Micros,
        now: Micros,
        equipment_ids: Sequence[str] | None = None,
    ) -> tuple[GapColumns, MendedColumns]:
        """None: without cadences nothing is known to be missing."""
        return GapColumns.empty(), MendedColumns.empty()

    async def cadences(self) -> dict[str, Cadence]:
        return {}

    async def set_cadences(self, settings: Mapping[str, Micros | None]) -> None:
        """Changes nothing, as no answer depends on them."""

    async def await_filling(self, silences: Sequence[tuple[str, Micros, Micros]]) -> None:
        raise NotPossible

    async def import_counts(self, import_id: int) -> ImportCounts:
        """Zeros: InfluxDB overwrites without telling what stood there."""
        return ImportCounts()

    async def preview_undo(self, import_id: int) -> UndoPreview:
        raise NotPossible

    async def undo(self, import_id: int) -> UndoCounts:
        raise NotPossible

    def rehearse(self, *, keep_stored: bool) -> Rehearsal:
        raise NotPossible

    async def history(self, equipment_id: str, event_time: Micros) -> list[ReadingVersion]:
        raise NotPossible

    async def kept_from(self) -> None:
        """InfluxDB keeps readings as long as its own retention policy says."""
        return

    async def would_drop(self, before: Micros) -> Dropped:
        raise NotPossible

    async def drop(self, before: Micros) -> Dropped:
        raise NotPossible

    async def books(self) -> None:
        """InfluxDB overwrites without telling what stood there."""
        return

    async def stats(self) -> StoreStats:
        return StoreStats(
            readings=None,
            unfolded=None,
            sensors=len(await self.sensors()),
            file_bytes=None,
            folds=self._folds,
            fold_seconds=self._fold_seconds,
        )

    def _client(self) -> InfluxHttp:
        if self._http is None:
            raise StoreUnavailable
        return self._http

    # Rollups

    async def _void(self, units: Iterable[Unit]) -> None:
        token = uuid.uuid4().hex
        now = time.monotonic()
        lines = []
        for unit in units:
            self._touched[unit] = now
            lines.append(version_line(unit, token))
        if lines:
            refused = await self._client().write(lines)
            if refused is not None:
                raise StoreUnavailable(f"InfluxDB does not take our marks: {refused}")

    async def _roll_often(self) -> None:
        with contextlib.suppress(StoreUnavailable):
            await self._find_void()
        while True:
            await asyncio.sleep(ROLL_INTERVAL_S)
            try:
                await self._roll(QUIET_S)
            except StoreUnavailable as error:
                log.warning("rollups wait: %s", error)

    async def _find_void(self) -> None:
        """What a process that was killed has left."""
        http = self._client()
        hours_from = int(time.time() * SECOND) - HOURS_KEPT_UP
        now = time.monotonic()
        for width, start in (("1d", TIME_MIN), ("1h", hours_from)):
            tokens = await reads.versions(http, width, start, TIME_MAX)
            rolled = await reads.rolled(http, width, start, TIME_MAX)
            for unit, token in tokens.items():
                if rolled.get(unit) != token:
                    self._touched.setdefault(unit, now)

    async def _roll(self, quiet_s: float) -> None:
        """Rolls up what is quiet: a day, or the hours of a day, with one question; newest first."""
        now = time.monotonic()
        quiet: dict[tuple[Micros, str], list[Unit]] = {}
        for unit, touched in self._touched.items():
            if now - touched >= quiet_s:
                quiet.setdefault((unit.start // DAY, unit.width), []).append(unit)
        for (_, width), units in sorted(quiet.items(), reverse=True):
            began = time.monotonic()
            await self._roll_units(width, units)
            self._folds += 1
            self._fold_seconds += time.monotonic() - began

    async def _roll_units(self, width: str, units: Sequence[Unit]) -> None:
        http = self._client()
        seen = {unit: self._touched.get(unit) for unit in units}
        start, end = min(unit.start for unit in units), max(unit.end for unit in units)
        tokens = await reads.versions(http, width, start, end)
        span = Span(start, end, frozenset(unit.part for unit in units))
        by_start = await reads.raw_figures_by_unit(http, width, span)
        lines = []
        for at, figures in by_start.items():
            for part, table in tables_by_part(figures).items():
                unit = Unit(width, at, part)
                if unit in seen and unit in tokens:
                    lines.append(rollup_line(unit, tokens[unit], *table))
        if lines:
            refused = await http.write(lines)
            if refused is not None:
                log.error("InfluxDB does not take a rollup: %s", refused)
        for unit, touched in seen.items():
            # Written to in the meantime: it is void already, and waits again.
            if self._touched.get(unit) == touched:
                self._touched.pop(unit, None)
