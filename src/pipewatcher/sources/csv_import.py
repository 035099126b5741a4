"""CSV imports as jobs: spooled and synced, then read block by block into the commit log.

One import runs at a time. Blocks are appended one after the other, so the store's `next_block` is
exactly where a crash left off: a resumed import reads the file again from its start, to list the
rejected rows again, and appends from that block on. No row counts twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from pipewatcher.errors import BodyTooLarge, Busy, Conflict, InvalidRequest, NotFound
from pipewatcher.model import (
    IMPORT_ORIGIN_PREFIX,
    RECEIPT_ERRORS_MAX,
    SECOND,
    Batch,
    ImportBlock,
    ImportJob,
    ImportState,
    Micros,
    Position,
    Rejection,
)
from pipewatcher.ports import Backlog, ReadingsStore, Registry
from pipewatcher.sources.csv_dialect import CsvFault, Dialect
from pipewatcher.sources.csv_reader import BadRow, CsvBlock, CsvReader
from pipewatcher.sources.csv_rows import RowRules
from pipewatcher.validate import EventTimeBounds

log = logging.getLogger(__name__)

UPLOAD_BYTES_MAX = 16 * 2**30
SPOOL_BYTES = 2**20
BACKLOG_BYTES_MAX = 64 * 2**20
"""Live readings come first: an import waits while so much is not stored yet."""
PAUSE_S = 0.02
REFUSED_PAUSE_S = 0.5
SAVE_INTERVAL_S = 1.0
STORED_TIMEOUT_S = 3_600.0
ENDED = frozenset({"done", "failed", "cancelled", "undone"})
RESUMABLE = frozenset({"interrupted", "failed", "cancelled"})


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
        future_max_s: int,
    ) -> None:
        self._registry = registry
        self._store = store
        self._append = append
        self._backlog = backlog
        self._stored = stored
        self._end = end
        self._refusal = refusal
        self._folder = folder
        self._future_max: Micros = future_max_s * SECOND
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._running: Progress | None = None
        self._runner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on with what a crash or a stop interrupted, oldest first."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        jobs = await self._registry.import_jobs(1_000_000)
        for job in reversed(jobs):
            if job.state not in ENDED:
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
        self._admit()
        spool = self._folder / f"upload-{time.time_ns()}"
        try:
            total, sha256 = await self._spool(chunks, spool)
            job = await self._registry.add_import(
                ImportJob(
                    id=0,
                    state="queued",
                    file_name=file_name,
                    created_at=int(time.time() * SECOND),
                    created_by=created_by,
                    bytes_total=total,
                    content_sha256=sha256,
                    timezone=timezone,
                    keep_stored=keep_stored,
                )
            )
            # A crash before this rename leaves a job without its file: it fails and says so,
            # and nobody was told that it was accepted.
            await asyncio.to_thread(_rename, spool, self._file(job.id))
        finally:
            await asyncio.to_thread(spool.unlink, missing_ok=True)
        self._queue.put_nowait(job.id)
        return job

    async def job(self, import_id: int) -> ImportJob:
        """Raises `NotFound`."""
        if self._running is not None and self._running.job.id == import_id:
            return self._running.job
        return await self._registry.import_job(import_id)

    async def jobs(self, limit: int, before_id: int | None = None) -> Sequence[ImportJob]:
        """Newest first."""
        return await self._registry.import_jobs(limit, before_id)

    def progress(self, import_id: int) -> Progress | None:
        """Of a running import; None for any other."""
        running = self._running
        return running if running is not None and running.job.id == import_id else None

    async def rejected_csv(self, import_id: int) -> Path:
        """The refused rows as they came, with a `reason` column. Raises `NotFound`."""
        await self._registry.import_job(import_id)
        path = self._rejected(import_id)
        if not path.exists():
            raise NotFound(f"Import {import_id} has no rejected rows.")
        return path

    async def cancel(self, import_id: int) -> ImportJob:
        """What is stored stays. Raises `Conflict` when the import has ended."""
        running = self.progress(import_id)
        if running is not None:
            running.cancelled = True
            return running.job
        job = await self._registry.import_job(import_id)
        if job.state in ENDED:
            raise Conflict(f"Import {import_id} has ended; undoing it is not available yet.")
        job.state = "cancelled"
        job.finished_at = int(time.time() * SECOND)
        await self._registry.save_import(job)
        return job

    async def resume(self, import_id: int) -> ImportJob:
        """Raises `Conflict` when there is nothing to go on with."""
        job = await self.job(import_id)
        if job.state not in RESUMABLE:
            raise Conflict(f"Import {import_id} is {job.state}.")
        job.state = "queued"
        job.error = None
        await self._registry.save_import(job)
        self._queue.put_nowait(import_id)
        return job

    # The runner

    async def _run(self) -> None:
        while True:
            job = await self._registry.import_job(await self._queue.get())
            if job.state != "queued":
                continue
            self._running = Progress(job)
            try:
                await self._import(self._running)
            except asyncio.CancelledError:
                job.state = "interrupted"
                await self._registry.save_import(job)
                raise
            except CsvFault as error:
                await self._finish(self._running, "failed", error.detail)
            except Exception as error:
                log.exception("import %d failed", job.id)
                await self._finish(self._running, "failed", str(error) or type(error).__name__)
            finally:
                self._running = None

    async def _import(self, running: Progress) -> None:
        job = running.job
        job.state = "running"
        job.started_at = job.started_at or int(time.time() * SECOND)
        job.received = job.accepted = job.rejected = 0
        job.errors = []
        await self._registry.save_import(job)
        await self._stored(self._end(), STORED_TIMEOUT_S)
        next_block = (await self._store.import_counts(job.id)).next_block
        # The clock of the upload: read again after a crash, the same rows are good.
        bounds = EventTimeBounds(latest=job.created_at + self._future_max)
        rules = RowRules(bounds=bounds, zone=zone_of(job.timezone))
        saved = time.monotonic()
        with _Rejected(self._rejected(job.id)) as rejected, self._file(job.id).open("rb") as file:
            reader = CsvReader(file, rules)
            blocks = iter(reader)
            while block := await asyncio.to_thread(_next, blocks):
                if running.cancelled:
                    break
                await asyncio.to_thread(rejected.write, reader.dialect, block.bad_rows)
                if block.accepted and block.number >= next_block:
                    await self._append_block(job, block)
                self._count(running, block)
                if reader.dialect is not None:
                    job.unknown_columns = reader.dialect.unknown_columns
                if time.monotonic() - saved >= SAVE_INTERVAL_S:
                    saved = time.monotonic()
                    await self._registry.save_import(job)
        await self._finish(running, "cancelled" if running.cancelled else "done")

    async def _append_block(self, job: ImportJob, block: CsvBlock) -> None:
        """Durable when it returns. Our own limits and a full disk make it wait, not fail."""
        batch = block.batch(
            f"{IMPORT_ORIGIN_PREFIX}{job.id}",
            ImportBlock(import_id=job.id, block=block.number, keep_stored=job.keep_stored),
        )
        while True:
            if self._backlog().bytes > BACKLOG_BYTES_MAX:
                await asyncio.sleep(PAUSE_S)
            elif self._refusal() is not None:
                await asyncio.sleep(REFUSED_PAUSE_S)
            else:
                try:
                    await self._append(batch)
                    return
                except Busy as error:
                    log.warning("import %d waits: %s", job.id, error)
                    await asyncio.sleep(REFUSED_PAUSE_S)

    @staticmethod
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

    async def _finish(
        self, running: Progress, state: ImportState, error: str | None = None
    ) -> None:
        job = running.job
        await self._stored(self._end(), STORED_TIMEOUT_S)
        await self._store.settle()
        job.counts = await self._store.import_counts(job.id)
        job.error = error
        job.finished_at = int(time.time() * SECOND)
        if state == "done":
            job.bytes_done = job.bytes_total
        job.state = state
        await self._registry.save_import(job)

    # Files

    def _file(self, import_id: int) -> Path:
        return self._folder / f"{import_id}.csv"

    def _rejected(self, import_id: int) -> Path:
        return self._folder / f"{import_id}-rejected.csv"

    def _admit(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            raise refusal

    async def _spool(self, chunks: AsyncIterator[bytes], path: Path) -> tuple[int, str]:
        sha256 = hashlib.sha256()
        total = 0
        waiting = bytearray()
        with await asyncio.to_thread(path.open, "wb") as file:
            async for chunk in chunks:
                waiting += chunk
                total += len(chunk)
                if total > UPLOAD_BYTES_MAX:
                    raise BodyTooLarge
                if len(waiting) >= SPOOL_BYTES:
                    self._admit()
                    await asyncio.to_thread(_write, file, sha256.update, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(_write, file, sha256.update, bytes(waiting))
            await asyncio.to_thread(file.flush)
            await asyncio.to_thread(os.fsync, file.fileno())
        return total, sha256.hexdigest()


class _Rejected:
    """Writes the refused rows; the file appears under its name when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Rejected:
        self._path.unlink(missing_ok=True)
        return self

    def write(self, dialect: Dialect | None, rows: list[BadRow]) -> None:
        if not rows or dialect is None:
            return
        if self._file is None:
            self._file = self._part.open("wb")
            column = b"" if dialect.ends_in_reason else dialect.delimiter + b"reason"
            self._file.write(dialect.header + column + b"\n")
        for row in rows:
            text = row.text
            if dialect.ends_in_reason and text.endswith(b'"'):
                text = text.rpartition(dialect.delimiter + b'"')[0] or text
            reason = f"{row.field}: {row.reason}".replace('"', "'").encode()
            self._file.write(text + dialect.delimiter + b'"' + reason + b'"\n')

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._part.replace(self._path)


def zone_of(name: str | None) -> ZoneInfo | None:
    """Raises `InvalidRequest` for a name that is not in the time-zone database."""
    if name is None:
        return None
    with contextlib.suppress(ValueError, OSError, KeyError):
        return ZoneInfo(name)
    reason = "is not a time zone such as America/Sao_Paulo"
    raise InvalidRequest(f"tz {reason}", [Rejection(field="tz", reason=reason)])


def _next(blocks: Iterator[CsvBlock]) -> CsvBlock | None:
    return next(blocks, None)


def _write(file: BinaryIO, update: Callable[[bytes], object], data: bytes) -> None:
    file.write(data)
    update(data)


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
