"""An import rehearsed on the embedded store: a thread and a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from pipewatcher.model.imports import Forecast
from pipewatcher.model.readings import Batch
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql import rehearse
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert
from pipewatcher.readings.duckdb_sql.rehearse_gaps import mended
from pipewatcher.readings.duckdb_sql.suspect import suspicions

T = TypeVar("T")
NEW_SENSORS_MAX = 100


class Guard(Protocol):
    """Runs a call; what the driver raises becomes `StoreUnavailable`."""

    def __call__(self, call: Callable[[], T], /) -> T: ...


class DuckDBRehearsal:
    def __init__(
        self,
        cursor: Callable[[], Cursor],
        names: Callable[[], Names],
        guarded: Guard,
        settled: Callable[[Callable[[], None]], AbstractContextManager[None]],
        *,
        keep_stored: bool,
    ) -> None:
        """`settled` folds what waits, calls back before anything else is folded, and keeps readings
        where they are until its end."""
        self._cursor = cursor
        self._names = names
        self._guarded = guarded
        self._settled = settled
        self._keep_stored = keep_stored
        self._thread = ThreadPoolExecutor(1, "store-rehearse")
        self._local: dict[str, int] = {}
        self._rows = 0

    async def add(self, batch: Batch) -> None:
        await self._on(lambda: self._add(batch))

    async def forecast(self, ranges: Mapping[str, tuple[float | None, float | None]]) -> Forecast:
        return await self._on(lambda: self._forecast(ranges))

    async def close(self) -> None:
        if self._rows:
            await self._on(lambda: rehearse.end(self._cursor()))
        self._thread.shutdown(wait=False)

    async def _on(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._guarded(call)
        )

    def _add(self, batch: Batch) -> None:
        cursor = self._cursor()
        if not self._rows:
            rehearse.begin(cursor)
        local = self._local
        codes = [local.setdefault(name, len(local)) for name in batch.equipment_ids]
        insert(
            cursor,
            "staged",
            pa.table(
                {
                    "local": np.array(codes, np.int32)[batch.codes],
                    "event_time": batch.event_times,
                    "value": batch.values,
                    "seq": np.arange(self._rows, self._rows + len(batch)),
                }
            ),
        )
        self._rows += len(batch)

    def _forecast(self, ranges: Mapping[str, tuple[float | None, float | None]]) -> Forecast:
        cursor = self._cursor()
        if not self._rows:
            rehearse.begin(cursor)
        with self._settled(lambda: rehearse.hold(cursor)):
            try:
                return self._judge(cursor, ranges)
            finally:
                cursor.execute("ROLLBACK")

    def _judge(
        self, cursor: Cursor, ranges: Mapping[str, tuple[float | None, float | None]]
    ) -> Forecast:
        names = self._names()
        known = names.sensor_codes
        of = {known.get(name, -1 - code): name for name, code in self._local.items()}
        counts = rehearse.gather(cursor, names, self._local, keep_stored=self._keep_stored)
        span = rehearse.bounds(cursor)
        if span is None:
            return Forecast(counts=counts)
        start, end = span[0], span[1] + 1
        spans = {known[name]: span for name, span in ranges.items() if name in known}
        overwritten, first = rehearse.overwritten_live(cursor, names)
        closed, partly, gaps = mended(cursor, names)
        unknown = rehearse.unknown_sensors(names, list(self._local))
        return Forecast(
            counts=counts,
            start=start,
            end=end,
            sensors=len(of),
            new_sensors=len(unknown),
            new_sensor_ids=unknown[:NEW_SENSORS_MAX],
            changes=rehearse.changes(cursor, names, of, start, end),
            live_overwritten=overwritten,
            live_rows=first,
            gaps_closed=closed,
            gaps_partly=partly,
            closed=gaps,
            suspicions=suspicions(cursor, of, spans, start, end),
        )
