"""CSV imports as jobs: spooled and synced, then read block by block into the commit log.

One import runs at a time. Blocks are appended one after the other, so the store's `next_block` is
exactly where a crash left off: a resumed import reads the file again from its start, to list the
rejected rows again, and appends from that block on. No row counts twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from pipewatcher.errors import Busy, Conflict, InvalidRequest, NotFound, NotPossible
from pipewatcher.model import (
    IMPORT_ORIGIN_PREFIX,
    RECEIPT_ERRORS_MAX,
    SECOND,
    Batch,
    ImportBlock,
    ImportCounts,
    ImportJob,
    ImportState,
    Micros,
    Position,
    Rejection,
    UndoPreview,
)
from pipewatcher.ports import Backlog, ReadingsStore, Registry
from pipewatcher.sources.csv_dialect import CsvFault
from pipewatcher.sources.csv_line import find_line
from pipewatcher.sources.csv_reader import CsvBlock, CsvReader
from pipewatcher.sources.csv_rows import RowRules
from pipewatcher.sources.csv_spool import RejectedRows, Spool
from pipewatcher.validate import EventTimeBounds

log = logging.getLogger(__name__)

BACKLOG_BYTES_MAX = 8 * 2**20
"""Live readings come first: an import waits while so much is not stored yet."""
PAUSE_S = 0.01
REFUSED_PAUSE_S = 0.5
SAVE_INTERVAL_S = 1.0
STORED_TIMEOUT_S = 10.0
TRY_AGAIN_S = 5.0
ENDED = frozenset({"done", "failed", "cancelled", "undone"})
RESUMABLE = frozenset({"interrupted", "failed", "cancelled"})
UNDOABLE = frozenset({"done", "failed", "cancelled"})


@dataclass(slots=True)
class Progress:
    """A running import, live."""

    job: ImportJob
    began: float = field(default_factory=time.monotonic)
    bytes_done: int = 0
    rows_done: int = 0
    cancelled: bool = False
    sensors: set[str] = field(default_factory=set)

    @property
    def rows_per_s(self) -> float | None:
        elapsed = time.monotonic() - self.began
        return self.rows_done / elapsed if elapsed > 0 and self.rows_done else None

    @property
    def eta_s(self) -> float | None:
        elapsed = time.monotonic() - self.began
        if not self.bytes_done:
            return None
        return elapsed * max(0, self.job.bytes_total - self.bytes_done) / self.bytes_done


class _CancelRequested(Exception):
    """Somebody cancelled the import that is running."""


class ImportService:
    def __init__(
        self,
        *,
        registry: Registry,
        store: ReadingsStore,
        append: Callable[[Batch], asyncio.Future[Position]],
        backlog: Callable[[], Backlog],
        stored: Callable[[Position, float], Awaitable[None]],
        end: Callable[[], Position],
        refusal: Callable[[], Busy | None],
        folder: Path,
        kept_by: str,
        outcomes: bool,
        future_max_s: int,
    ) -> None:
        """`stored` returns once the store has everything below a position, or raises `Busy` after
        so many seconds; `refusal` says why a door would refuse readings at the moment. `outcomes`:
        commit log and store together can tell what an import did."""
        self._kept_by = kept_by
        self._outcomes = outcomes
        self._registry = registry
        self._store = store
        self._append = append
        self._backlog = backlog
        self._stored = stored
        self._end = end
        self._refusal = refusal
        self._spool = Spool(folder)
        self._future_max: Micros = future_max_s * SECOND
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._changing = asyncio.Lock()
        self._running: Progress | None = None
        self._runner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on with what a crash or a stop interrupted, oldest first."""
        await asyncio.to_thread(self._spool.open)
        jobs = await self._registry.import_jobs(1_000_000)
        for job in reversed(jobs):
            if job.state not in ENDED and self._is_here(job):
                if job.state != "undoing":
                    job.state = "queued"
                    await self._registry.save_import(job)
                self._queue.put_nowait(job.id)
        self._runner = asyncio.create_task(self._run(), name="imports")

    async def stop(self) -> None:
        """An import under way becomes `interrupted` and goes on at the next start."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None

    async def upload(
        self,
        chunks: AsyncIterator[bytes],
        *,
        file_name: str,
        created_by: str,
        timezone: str | None = None,
        keep_stored: bool = False,
    ) -> ImportJob:
        """Returns once the file is synced to disk and its job is registered as queued.

        Raises `Busy` (disk), `BodyTooLarge`, `InvalidRequest` for an unknown time zone.
        """
        zone_of(timezone)
        if keep_stored and not self._outcomes:
            reason = "skip is not possible with this commit log and store"
            raise InvalidRequest(
                f"corrections={reason}", [Rejection(field="corrections", reason=reason)]
            )
        self._admit()
        upload = await self._spool.receive(chunks, self._admit)
        try:
            job = await self._registry.add_import(
                ImportJob(
                    id=0,
                    state="queued",
                    file_name=file_name,
                    created_at=int(time.time() * SECOND),
                    created_by=created_by,
                    bytes_total=upload.bytes_total,
                    content_sha256=upload.content_sha256,
                    timezone=timezone,
                    keep_stored=keep_stored,
                    kept_by=self._kept_by,
                )
            )
            # A crash before this leaves a job without its file: it fails and says so, and nobody
            # was told that it was accepted.
            await asyncio.to_thread(self._spool.keep, upload, job.id)
        finally:
            upload.path.unlink(missing_ok=True)
        self._queue.put_nowait(job.id)
        return job

    async def job(self, import_id: int) -> ImportJob:
        """Raises `NotFound`."""
        running = self.progress(import_id)
        return running.job if running is not None else await self._registry.import_job(import_id)

    async def jobs(self, limit: int, before_id: int | None = None) -> Sequence[ImportJob]:
        """Newest first."""
        return await self._registry.import_jobs(limit, before_id)

    def progress(self, import_id: int) -> Progress | None:
        """Of a running import; None for any other."""
        running = self._running
        return running if running is not None and running.job.id == import_id else None

    async def rejected_csv(self, import_id: int) -> Path:
        """The refused rows as they came, with a `reason` column. Raises `NotFound`."""
        self._check_here(await self._registry.import_job(import_id))
        path = self._spool.rejected(import_id)
        if not path.exists():
            raise NotFound(f"Import {import_id} has no rejected rows.")
        return path

    async def withdraw(self, import_id: int) -> ImportJob:
        """Cancels an import that has not ended: what is stored stays. Undoes one that has: its
        readings go behind the answer, which says `undoing`.

        Raises `Conflict` when it is undone already, `NotPossible` where the store cannot undo.
        """
        async with self._changing:
            running = self.progress(import_id)
            if running is not None:
                running.cancelled = True
                return running.job
            job = await self._registry.import_job(import_id)
            self._check_here(job)
            if job.state in UNDOABLE:
                self._check_versions()
                job.state = "undoing"
            elif job.state in ENDED or job.state == "undoing":
                raise Conflict(f"Import {import_id} is {job.state}.")
            else:
                job.state = "cancelled"
                job.finished_at = int(time.time() * SECOND)
            await self._registry.save_import(job)
            if job.state == "undoing":
                self._queue.put_nowait(import_id)
            return job

    async def preview_undo(self, import_id: int) -> UndoPreview:
        """Raises `Conflict` when there is nothing to undo, `NotPossible` as `withdraw` does."""
        self._check_versions()
        job = await self.job(import_id)
        if job.state not in UNDOABLE:
            raise Conflict(f"Import {import_id} is {job.state}.")
        await self._stored(self._end(), STORED_TIMEOUT_S)
        return await self._store.preview_undo(import_id)

    async def line_of(self, import_id: int, equipment_id: str, event_time: Micros) -> int | None:
        """The line of its file, from 1, that this reading came from; None when the file is not
        kept here any more. Reads the whole file: about a million rows a second."""
        job = await self._registry.import_job(import_id)

        def look() -> int | None:
            try:
                with self._spool.file(import_id).open("rb") as file:
                    return find_line(file, self._rules(job), equipment_id, event_time)
            except OSError:
                return None

        return await asyncio.to_thread(look) if self._is_here(job) else None

    def undoable(self, job: ImportJob) -> bool:
        return job.state in UNDOABLE and self._store.features.versions and self._is_here(job)

    async def resume(self, import_id: int) -> ImportJob:
        """Raises `Conflict` when there is nothing to go on with."""
        async with self._changing:
            job = await self.job(import_id)
            self._check_here(job)
            if job.state not in RESUMABLE:
                raise Conflict(f"Import {import_id} is {job.state}.")
            job.state = "queued"
            job.error = job.finished_at = None
            await self._registry.save_import(job)
            self._queue.put_nowait(import_id)
            return job

    # The runner

    async def _run(self) -> None:
        while True:
            import_id = await self._queue.get()
            try:
                await self._run_one(import_id)
            except Exception:
                # The registry cannot keep what came of it, as when its disk is full.
                self._running = None
                log.exception("import %d starts again in %.0f s", import_id, TRY_AGAIN_S)
                await asyncio.sleep(TRY_AGAIN_S)
                self._queue.put_nowait(import_id)

    async def _run_one(self, import_id: int) -> None:
        async with self._changing:
            job = await self._registry.import_job(import_id)
            if job.state in ENDED:
                return
            running = None
            if job.state != "undoing":
                running = self._running = Progress(job)
        if running is None:
            await self._undo(job)
            return
        try:
            state, error = await self._outcome(running)
            await self._finish(running, state, error)
        except asyncio.CancelledError:
            job.state = "cancelled" if running.cancelled else "interrupted"
            await self._registry.save_import(job)
            raise

    async def _undo(self, job: ImportJob) -> None:
        """A crash at any line leaves the import `undoing`, and the next start goes on with it. What
        of it was appended last may still wait in the commit log: it is stored first."""
        await self._stored(self._end(), STORED_TIMEOUT_S)
        job.undone = await self._store.undo(job.id)
        job.state = "undone"
        await self._registry.save_import(job)

    async def _outcome(self, running: Progress) -> tuple[ImportState, str | None]:
        job = running.job
        try:
            await self._import(running)
        except _CancelRequested:
            return "cancelled", None
        except CsvFault as fault:
            refusal = Rejection(field="file", reason=fault.detail, code=fault.code)
            job.errors = [refusal, *job.errors][:RECEIPT_ERRORS_MAX]
            return "failed", fault.detail
        except FileNotFoundError:
            return "failed", "The uploaded file is not there any more."
        except OSError as error:
            return "failed", f"A file of this import cannot be read or written: {error.strerror}."
        except Busy:
            raise
        except Exception:
            # Another try would end the same way.
            log.exception("import %d failed", job.id)
            return "failed", "PipeWatcher made a mistake; its messages tell the operator which."
        return "done", None

    async def _import(self, running: Progress) -> None:
        job = running.job
        job.state = "running"
        job.started_at = job.started_at or int(time.time() * SECOND)
        job.received = job.accepted = job.rejected = 0
        job.errors = []
        await self._registry.save_import(job)
        next_block = (await self._counted(running)).next_block
        rules = self._rules(job)
        saved = time.monotonic()
        with (
            RejectedRows(self._spool.rejected(job.id)) as rejected,
            self._spool.file(job.id).open("rb") as file,
        ):
            reader = CsvReader(file, rules)
            async with contextlib.aclosing(_ahead(iter(reader))) as blocks:
                async for block in blocks:
                    _raise_if_cancelled(running)
                    assert reader.dialect is not None
                    job.unknown_columns = reader.dialect.unknown_columns
                    if block.bad_rows:
                        await self._room(running)
                        await asyncio.to_thread(rejected.write, reader.dialect, block.bad_rows)
                    if block.accepted and block.number >= next_block:
                        await self._append_block(running, block)
                    _count(running, block)
                    if time.monotonic() - saved >= SAVE_INTERVAL_S:
                        saved = time.monotonic()
                        await self._registry.save_import(job)

    def _rules(self, job: ImportJob) -> RowRules:
        """By the clock of the upload: read again after a crash, the same rows are good."""
        bounds = EventTimeBounds(latest=job.created_at + self._future_max)
        return RowRules(bounds=bounds, zone=zone_of(job.timezone))

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
                await self._append(batch)
                return
            except Busy as error:
                log.warning("import %d waits: %s", job.id, error)
                await asyncio.sleep(REFUSED_PAUSE_S)

    async def _room(self, running: Progress) -> None:
        """Returns once the store keeps up and the doors are open."""
        while True:
            _raise_if_cancelled(running)
            if self._refusal() is not None:
                await asyncio.sleep(REFUSED_PAUSE_S)
            elif self._backlog().bytes > BACKLOG_BYTES_MAX:
                await asyncio.sleep(PAUSE_S)
            else:
                return

    async def _counted(self, running: Progress) -> ImportCounts:
        """What the store did with all that was appended. Waits for a store that is away.

        Zeros where nobody can tell: such an import, read again, is appended again as a whole.
        """
        end = self._end()
        while True:
            try:
                await self._stored(end, STORED_TIMEOUT_S)
                if not self._outcomes:
                    return ImportCounts()
                await self._store.settle()
                return await self._store.import_counts(running.job.id)
            except Busy as error:
                log.warning("import %d waits: %s", running.job.id, error)
                await asyncio.sleep(REFUSED_PAUSE_S)

    async def _finish(self, running: Progress, state: ImportState, error: str | None) -> None:
        job = running.job
        counts = await self._counted(running)
        if self._outcomes:
            job.counts = counts
            if state != "done":
                # An earlier run may have stored more than this one came to.
                job.accepted = counts.accepted
                job.received = job.accepted + job.rejected
            elif job.accepted != counts.accepted:
                log.error("import %d: %d rows read, but %d stored",
                          job.id, job.accepted, counts.accepted)  # fmt: skip
        # Whoever wants to cancel or resume it finds it running, or ended and saved.
        async with self._changing:
            job.error = error
            job.finished_at = int(time.time() * SECOND)
            if state == "done":
                job.bytes_done = job.bytes_total
            job.state = state
            await self._registry.save_import(job)
            self._running = None

    def _is_here(self, job: ImportJob) -> bool:
        return job.kept_by in {"", self._kept_by}

    def _check_here(self, job: ImportJob) -> None:
        if not self._is_here(job):
            raise Conflict(f"The file of import {job.id} is kept by another PipeWatcher process.")

    def _check_versions(self) -> None:
        if not self._store.features.versions:
            raise NotPossible

    def _admit(self) -> None:
        if (refusal := self._refusal()) is not None:
            raise refusal


def zone_of(name: str | None) -> ZoneInfo | None:
    """Raises `InvalidRequest` for a name that is not in the time-zone database."""
    if name is None:
        return None
    with contextlib.suppress(ValueError, OSError, KeyError):
        return ZoneInfo(name)
    reason = "is not a time zone such as America/Sao_Paulo"
    raise InvalidRequest(f"tz {reason}", [Rejection(field="tz", reason=reason)])


def _raise_if_cancelled(running: Progress) -> None:
    if running.cancelled:
        raise _CancelRequested


def _count(running: Progress, block: CsvBlock) -> None:
    job = running.job
    job.accepted += block.accepted
    job.rejected += len(block.bad_rows)
    job.received = job.accepted + job.rejected
    room = RECEIPT_ERRORS_MAX - len(job.errors)
    job.errors += [row.rejection() for row in block.bad_rows[:room]]
    running.sensors.update(block.columns.equipment_ids)
    running.bytes_done = job.bytes_done = block.bytes_read
    running.rows_done = job.rows_done = job.received
    job.sensors = len(running.sensors)


async def _ahead(blocks: Iterator[CsvBlock]) -> AsyncGenerator[CsvBlock, None]:
    """Reads one block ahead in a thread; when closed, no thread is at the file any more."""
    loop = asyncio.get_running_loop()
    coming = loop.run_in_executor(None, next, blocks, None)
    try:
        while (block := await asyncio.shield(coming)) is not None:
            coming = loop.run_in_executor(None, next, blocks, None)
            yield block
    finally:
        await asyncio.wait({coming})
        coming.exception()
