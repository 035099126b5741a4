"""What is done with one import: its rows are appended, tried out, or taken out again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import msgspec

from pipewatcher.errors import Busy
from pipewatcher.model.imports import ImportCounts, ImportJob, Suspicion
from pipewatcher.model.readings import IMPORT_ORIGIN_PREFIX, Batch, ImportBlock, Position
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.ports import Backlog, ReadingsStore, Registry
from pipewatcher.sources.csv_progress import Progress, ahead, count, raise_if_cancelled
from pipewatcher.sources.csv_reader import CsvBlock, CsvReader
from pipewatcher.sources.csv_rows import RowRules, zone_of
from pipewatcher.sources.csv_spool import RejectedRows, Spool
from pipewatcher.validate import EventTimeBounds

log = logging.getLogger(__name__)

BACKLOG_BYTES_MAX = 8 * 2**20
"""Live readings come first: an import waits while so much is not stored yet."""
PAUSE_S = 0.01
REFUSED_PAUSE_S = 0.5
SAVE_INTERVAL_S = 1.0
STORED_TIMEOUT_S = 10.0
JOBS_PER_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What an import passes. `stored` returns once the store has everything below a position, or
    raises `Busy` after so many seconds; `refusal` says why a door would refuse readings at the
    moment, `oldest` which reading is the oldest that is taken at an instant. `outcomes`: commit log
    and store together can tell what an import did."""

    registry: Registry
    store: ReadingsStore
    append: Callable[[Batch], asyncio.Future[Position]]
    backlog: Callable[[], Backlog]
    stored: Callable[[Position, float], Awaitable[None]]
    end: Callable[[], Position]
    refusal: Callable[[], Busy | None]
    oldest: Callable[[Micros], Micros | None]
    outcomes: bool


class ImportRuns:
    def __init__(self, stages: Stages, spool: Spool, future_max: Micros) -> None:
        self._to = stages
        self._spool = spool
        self._future_max = future_max

    async def carry_out(self, running: Progress) -> None:
        """Reads the whole file: appends its rows, or forecasts what they would do.

        Raises `CsvFault`, `OSError`, `CancelRequested`; `Busy` where another try helps.
        """
        job = running.job
        job.state = "running"
        job.started_at = job.started_at or int(time.time() * SECOND)
        job.received = job.accepted = job.rejected = 0
        job.errors = []
        await self._to.registry.save_import(job)
        if job.dry_run:
            await self._forecast(running)
            return
        next_block = (await self.counted(job)).next_block
        async with contextlib.aclosing(self._blocks(running)) as blocks:
            async for block in blocks:
                if block.accepted and block.number >= next_block:
                    await self._append_block(running, block)

    async def undo(self, job: ImportJob) -> None:
        """A crash at any line leaves the import `undoing`, and the next start goes on with it. What
        of it was appended last may still wait in the commit log: it is stored first."""
        await self._to.stored(self._to.end(), STORED_TIMEOUT_S)
        job.undone = await self._to.store.undo(job.id)
        job.state = "undone"
        await self._to.registry.save_import(job)

    async def counted(self, job: ImportJob) -> ImportCounts:
        """What the store did with all that was appended. Waits for a store that is away.

        Zeros where nobody can tell: such an import, read again, is appended again as a whole.
        """
        end = self._to.end()
        while True:
            try:
                await self._to.stored(end, STORED_TIMEOUT_S)
                if not self._to.outcomes:
                    return ImportCounts()
                await self._to.store.settle()
                return await self._to.store.import_counts(job.id)
            except Busy as error:
                log.warning("import %d waits: %s", job.id, error)
                await asyncio.sleep(REFUSED_PAUSE_S)

    def rules(self, job: ImportJob) -> RowRules:
        """By the clock of the upload: read again after a crash, the same rows are good."""
        bounds = EventTimeBounds(
            latest=job.created_at + self._future_max, oldest=self._to.oldest(job.created_at)
        )
        return RowRules(bounds=bounds, zone=zone_of(job.timezone))

    async def _blocks(self, running: Progress) -> AsyncGenerator[CsvBlock, None]:
        """All blocks of the file. Each is counted, and its bad rows are written, when it has been
        dealt with or before."""
        job = running.job
        saved = time.monotonic()
        with (
            RejectedRows(self._spool.rejected(job.id)) as rejected,
            self._spool.file(job.id).open("rb") as file,
        ):
            reader = CsvReader(file, self.rules(job))
            async with contextlib.aclosing(ahead(iter(reader))) as blocks:
                async for block in blocks:
                    raise_if_cancelled(running)
                    assert reader.dialect is not None
                    job.unknown_columns = reader.dialect.unknown_columns
                    if block.bad_rows:
                        await self._room(running)
                        await asyncio.to_thread(rejected.write, reader.dialect, block.bad_rows)
                    yield block
                    count(running, block)
                    if time.monotonic() - saved >= SAVE_INTERVAL_S:
                        saved = time.monotonic()
                        await self._to.registry.save_import(job)

    async def _forecast(self, running: Progress) -> None:
        job = running.job
        rehearsal = self._to.store.rehearse(keep_stored=job.keep_stored)
        try:
            async with contextlib.aclosing(self._blocks(running)) as blocks:
                async for block in blocks:
                    if block.accepted:
                        await rehearsal.add(block.batch(f"{IMPORT_ORIGIN_PREFIX}{job.id}"))
            ranges = {
                sensor.equipment_id: (sensor.range_min, sensor.range_max)
                for sensor in await self._to.registry.sensors()
                if sensor.range_min is not None or sensor.range_max is not None
            }
            await self._to.stored(self._to.end(), STORED_TIMEOUT_S)
            forecast = await rehearsal.forecast(ranges)
        finally:
            await rehearsal.close()
        same = await self._same_file(job)
        if same is not None:
            twin = Suspicion(kind="duplicate_file", readings=job.accepted, import_id=same)
            forecast = msgspec.structs.replace(forecast, suspicions=[twin, *forecast.suspicions])
        job.counts = forecast.counts
        await asyncio.to_thread(self._spool.keep_forecast, job.id, msgspec.json.encode(forecast))

    async def _same_file(self, job: ImportJob) -> int | None:
        """The newest other import of the same bytes whose readings are stored."""
        before: int | None = None
        while page := await self._to.registry.import_jobs(JOBS_PER_PAGE, before):
            for other in page:
                stored = not other.dry_run and other.state != "undone"
                if stored and other.id != job.id and other.content_sha256 == job.content_sha256:
                    return other.id
            before = page[-1].id
        return None

    async def _append_block(self, running: Progress, block: CsvBlock) -> None:
        """Durable when it returns. Our own limits and a full disk make it wait, not fail."""
        job = running.job
        batch = block.batch(
            f"{IMPORT_ORIGIN_PREFIX}{job.id}",
            ImportBlock(import_id=job.id, block=block.number, keep_stored=job.keep_stored),
        )
        while True:
            await self._room(running)
            try:
                await self._to.append(batch)
                return
            except Busy as error:
                log.warning("import %d waits: %s", job.id, error)
                await asyncio.sleep(REFUSED_PAUSE_S)

    async def _room(self, running: Progress) -> None:
        """Returns once the store keeps up and the doors are open."""
        while True:
            raise_if_cancelled(running)
            if self._to.refusal() is not None:
                await asyncio.sleep(REFUSED_PAUSE_S)
            elif self._to.backlog().bytes > BACKLOG_BYTES_MAX:
                await asyncio.sleep(PAUSE_S)
            else:
                return
