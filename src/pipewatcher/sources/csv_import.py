"""CSV imports as jobs: spooled and synced, then read block by block into the commit log.

One import runs at a time. Blocks are appended one after the other, so the store's `next_block` is
exactly where a crash left off: a resumed import reads the file again from its start, to list the
rejected rows again, and appends from that block on. No row counts twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from pipewatcher.errors import Busy, Conflict, InvalidRequest, NotFound, NotPossible
from pipewatcher.model.imports import Forecast, ImportJob, ImportState, UndoPreview
from pipewatcher.model.plant import Notification, NotificationKind
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX, Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.sources.csv_dialect import CsvFault
from pipewatcher.sources.csv_line import find_line
from pipewatcher.sources.csv_progress import CancelRequested, Progress
from pipewatcher.sources.csv_rows import zone_of
from pipewatcher.sources.csv_runs import STORED_TIMEOUT_S, ImportRuns, Stages
from pipewatcher.sources.csv_spool import Spool

log = logging.getLogger(__name__)

TRY_AGAIN_S = 5.0
ENDED = frozenset({"done", "failed", "cancelled", "undone"})
RESUMABLE = frozenset({"interrupted", "failed", "cancelled"})
TOLD: Mapping[str, NotificationKind] = {"done": "import_done", "failed": "import_failed"}
UNDOABLE = frozenset({"done", "failed", "cancelled"})


class ImportService:
    def __init__(self, stages: Stages, *, folder: Path, kept_by: str, future_max_s: int) -> None:
        """`kept_by` names the installation whose disk holds `folder`."""
        self._kept_by = kept_by
        self._outcomes = stages.outcomes
        self._registry = stages.registry
        self._store = stages.store
        self._stages = stages
        self._spool = Spool(folder)
        self._runs = ImportRuns(stages, self._spool, future_max_s * SECOND)
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._changing = asyncio.Lock()
        self._running: Progress | None = None
        self._runner: asyncio.Task[None] | None = None
        self._rejected: dict[int, int] = {}
        """Import -> rows refused, as it was last saved."""

    async def start(self) -> None:
        """Goes on with what a crash or a stop interrupted, oldest first."""
        await asyncio.to_thread(self._spool.open)
        jobs = await self._registry.import_jobs(1_000_000)
        self._rejected = {job.id: job.rejected for job in jobs if not job.dry_run}
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
        dry_run: bool = False,
    ) -> ImportJob:
        """Returns once the file is synced to disk and its job is registered as queued.

        A dry run stores nothing: its forecast is there when it is done. Raises `Busy` (disk),
        `BodyTooLarge`, `InvalidRequest` for an unknown time zone, `NotPossible`.
        """
        zone_of(timezone)
        if dry_run and not self._store.features.import_outcomes:
            raise NotPossible
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
                    dry_run=dry_run,
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

    @property
    def under_way(self) -> bool:
        return self._running is not None or not self._queue.empty()

    def rejected(self) -> int:
        """Refused rows of all imports, since ever."""
        total = sum(self._rejected.values())
        running = self._running
        if running is None or running.job.dry_run:
            return total
        # One that goes on is read from its first row again.
        return total + max(0, running.job.rejected - self._rejected.get(running.job.id, 0))

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
        readings go behind the answer, which says `undoing`. Discards a dry run.

        Raises `Conflict` when it is undone already, `NotPossible` where the store cannot undo.
        """
        async with self._changing:
            running = self.progress(import_id)
            if running is not None:
                running.cancelled = True
                return running.job
            job = await self._registry.import_job(import_id)
            self._check_here(job)
            if job.dry_run and job.state == "done":
                job.state = "cancelled"
            elif job.state in UNDOABLE and not job.dry_run:
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
        if job.state not in UNDOABLE or job.dry_run:
            raise Conflict(f"Import {import_id} is {_told(job)}.")
        await self._stages.stored(self._stages.end(), STORED_TIMEOUT_S)
        return await self._store.preview_undo(import_id)

    async def line_of(self, import_id: int, equipment_id: str, event_time: Micros) -> int | None:
        """The line of its file, from 1, that this reading came from; None when the file is not
        kept here any more. Reads the whole file: about a million rows a second."""
        job = await self._registry.import_job(import_id)

        def look() -> int | None:
            try:
                with self._spool.file(import_id).open("rb") as file:
                    return find_line(file, self._runs.rules(job), equipment_id, event_time)
            except OSError:
                return None

        return await asyncio.to_thread(look) if self._is_here(job) else None

    def undoable(self, job: ImportJob) -> bool:
        return (
            job.state in UNDOABLE
            and not job.dry_run
            and self._store.features.versions
            and self._is_here(job)
        )

    async def forecast(self, import_id: int) -> Forecast:
        """What a dry run found. Raises `NotFound`, `Conflict` while it is not done."""
        job = await self.job(import_id)
        self._check_here(job)
        try:
            path = self._spool.forecast(import_id)
            body = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise Conflict(f"Import {import_id} has no forecast; it is {_told(job)}.") from None
        return msgspec.json.decode(body, type=Forecast)

    async def apply(self, import_id: int) -> ImportJob:
        """Makes a dry run that is done an import, of the file that is here already.

        Raises `Conflict` for any other.
        """
        async with self._changing:
            job = await self._registry.import_job(import_id)
            self._check_here(job)
            if not job.dry_run or job.state != "done":
                raise Conflict(f"Import {import_id} is {_told(job)}, not a dry run that is done.")
            job.dry_run = False
            job.state = "queued"
            job.started_at = job.finished_at = job.counts = None
            job.bytes_done = job.rows_done = 0
            await self._registry.save_import(job)
            self._queue.put_nowait(import_id)
            return job

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
            await self._runs.undo(job)
            return
        try:
            state, error = await self._outcome(running)
            await self._finish(running, state, error)
        except asyncio.CancelledError:
            job.state = "cancelled" if running.cancelled else "interrupted"
            await self._registry.save_import(job)
            raise

    async def _outcome(self, running: Progress) -> tuple[ImportState, str | None]:
        job = running.job
        try:
            await self._runs.carry_out(running)
        except CancelRequested:
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

    async def _finish(self, running: Progress, state: ImportState, error: str | None) -> None:
        job = running.job
        counts = await self._runs.counted(job)
        if self._outcomes and not job.dry_run:
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
            ended = msgspec.structs.replace(
                job, error=error, finished_at=int(time.time() * SECOND), state=state
            )
            if state == "done":
                ended.bytes_done = ended.bytes_total
            await self._tell(ended)
            # Nobody is told that it has ended before that is kept: else it runs again.
            await self._registry.save_import(ended)
            if not job.dry_run:
                self._rejected[job.id] = job.rejected
            self._running = None

    async def _tell(self, job: ImportJob) -> None:
        """Before the state is saved: after a crash between the two it ends, and is told, again."""
        if job.state in TOLD and not job.dry_run:
            notification = Notification(
                id=0,
                kind=TOLD[job.state],
                equipment_id=None,
                created_at=int(time.time() * SECOND),
                import_id=job.id,
                detail=job.file_name,
            )
            await self._registry.notify(notification, f"import:{job.id}:{job.state}")

    def _is_here(self, job: ImportJob) -> bool:
        return job.kept_by in {"", self._kept_by}

    def _check_here(self, job: ImportJob) -> None:
        if not self._is_here(job):
            raise Conflict(f"The file of import {job.id} is kept by another PipeWatcher process.")

    def _check_versions(self) -> None:
        if not self._store.features.versions:
            raise NotPossible

    def _admit(self) -> None:
        if (refusal := self._stages.refusal()) is not None:
            raise refusal


def _told(job: ImportJob) -> str:
    return f"a dry run that is {job.state}" if job.dry_run else job.state
