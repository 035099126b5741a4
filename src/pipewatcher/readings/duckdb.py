"""The embedded readings store: one DuckDB file, owned by this process.

Three kinds of threads, each with its own cursor: one that appends what is drained, one that folds
and is the only one that checkpoints, and a few that answer questions. Nothing here runs on the
event loop. A fatal error of the file (a full disk) makes every call raise `StoreUnavailable`
until `open` is called again; what DuckDB had committed is then there.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb

from pipewatcher.errors import StoreUnavailable
from pipewatcher.model.figures import SensorAverage, Series, StoreBooks, StoreStats
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
    covers,
)
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_rehearsal import DuckDBRehearsal
from pipewatcher.readings.duckdb_sql import append, cadences, days, reads, retention, silences, undo
from pipewatcher.readings.duckdb_sql.averages import averages
from pipewatcher.readings.duckdb_sql.books import books
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.fold import fold
from pipewatcher.readings.duckdb_sql.gaps import gaps
from pipewatcher.readings.duckdb_sql.migrate import prepare
from pipewatcher.readings.duckdb_sql.outcomes import counts_of
from pipewatcher.readings.duckdb_sql.questions import Questions
from pipewatcher.readings.duckdb_sql.recluster import Recluster

log = logging.getLogger(__name__)
T = TypeVar("T")

FOLD_INTERVAL_S = 1.0
FOLD_ROWS = 200_000
HOT_ROWS_MAX = 600_000
"""Where folds fall behind, who appends folds first: memory and questions stay bounded."""
UPKEEP_INTERVAL_S = 60.0
UPKEEP_PUT_OFF_S = 900.0
"""Upkeep takes the processor from those who send: that long it waits for a calm moment."""
CALM_ROWS = 5_000
"""At most so many rows between two looks, about a second, are calm."""
FIRST_FOLD_S = 5.0
"""What a kill left to be folded waits so long after opening: the start goes first."""
WAL_BYTES_MAX = 16 * 2**20
CHECKPOINT_WAIT_S = 0.5
"""Longer than a question takes. A rehearsal may take longer: then the next fold tries again."""
CLOSE_WAIT_S = 5.0
QUERY_THREADS = 3


class DuckDBStore:
    def __init__(
        self, path: Path, *, memory_mb: int = 768, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._wal = path.with_name(path.name + ".wal")
        self._memory_mb = memory_mb
        self._clock = clock
        self._database: duckdb.DuckDBPyConnection | None = None
        self._generation = 0
        self._local = threading.local()
        self._commit_lock = threading.Lock()
        self._fold_lock = threading.Lock()
        self._questions = Questions()
        self._rehearsals = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._folder: threading.Thread | None = None
        self._appender = ThreadPoolExecutor(1, "store-append")
        self._readers = ThreadPoolExecutor(QUERY_THREADS, "store-query")
        self._names: Names | None = None
        self._next_seq = 0
        self._appended_rows = 0
        self._folded_rows = 0
        self._folds = 0
        self._fold_seconds = 0.0
        self._recluster = Recluster()
        self._closed = False

    @property
    def features(self) -> Features:
        return Features(
            cadences=True,
            import_outcomes=True,
            versions=True,
            retention=True,
            stores_position=True,
        )

    async def open(self) -> None:
        await self._on(self._appender, self._open)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._on(self._appender, self._close)
        self._readers.shutdown()
        self._appender.shutdown()

    async def position(self) -> Position:
        return await self._on(self._appender, self._position)

    async def append(
        self, batches: Sequence[Batch], position: Position
    ) -> Sequence[RefusedReading]:
        await self._on(self._appender, lambda: self._append(batches, position))
        return ()

    async def settle(self) -> None:
        await self._on(self._readers, self._fold_all)

    async def sensors(self) -> list[str]:
        return list(self._known().sensors)

    async def averages(
        self, start: Micros, end: Micros, now: Micros | None = None
    ) -> list[SensorAverage]:
        names, at = self._known(), end if now is None else now
        return await self._ask(lambda cursor: averages(cursor, names, start, end, at))

    async def gaps(
        self,
        start: Micros,
        end: Micros,
        now: Micros,
        equipment_ids: Sequence[str] | None = None,
    ) -> tuple[GapColumns, MendedColumns]:
        names = self._known()
        known = None
        if equipment_ids is not None:
            codes = names.sensor_codes
            known = [codes[name] for name in equipment_ids if name in codes]
        return await self._ask(lambda cursor: gaps(cursor, names, start, end, now, known))

    async def cadences(self) -> dict[str, Cadence]:
        names = self._known()
        found = await self._ask(cadences.known)
        return {names.sensors[sensor]: cadence for sensor, cadence in found.items()}

    async def set_cadences(self, settings: Mapping[str, Micros | None]) -> None:
        codes = self._known().sensor_codes
        wanted = {codes[name]: cadence for name, cadence in settings.items() if name in codes}
        await self._on(self._readers, lambda: self._set_cadences(wanted))

    async def await_filling(self, silences: Sequence[tuple[str, Micros, Micros]]) -> None:
        codes = self._known().sensor_codes
        spans = [(codes[name], start, end) for name, start, end in silences if name in codes]
        if spans:
            await self._on(self._readers, lambda: self._await_filling(spans))

    async def series(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, bucket: Micros
    ) -> list[Series]:
        names = self._known()
        codes = names.sensor_codes
        known = [codes[name] for name in equipment_ids if name in codes]
        found = await self._ask(
            lambda cursor: reads.series(cursor, known, names, start, end, bucket)
        )
        by_name = {series.equipment_id: series for series in found}
        return [
            by_name.get(name, Series(equipment_id=name, buckets=[]))
            for name in dict.fromkeys(equipment_ids)
        ]

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]:
        names = self._known()
        sensor = names.sensor_codes.get(equipment_id)
        if sensor is None:
            return []
        return await self._ask(
            lambda cursor: reads.readings(cursor, sensor, names, start, end, limit)
        )

    async def import_counts(self, import_id: int) -> ImportCounts:
        return await self._ask(lambda cursor: counts_of(cursor, import_id))

    async def preview_undo(self, import_id: int) -> UndoPreview:
        await self.settle()
        names = self._known()
        return await self._ask(lambda cursor: undo.preview(cursor, names, import_id))

    async def undo(self, import_id: int) -> UndoCounts:
        await self._on(self._readers, lambda: self._undo(import_id))
        return await self._ask(lambda cursor: undo.undone(cursor, import_id))

    def rehearse(self, *, keep_stored: bool) -> DuckDBRehearsal:
        return DuckDBRehearsal(
            self._cursor, self._known, self._guarded, self._settled, keep_stored=keep_stored
        )

    async def history(self, equipment_id: str, event_time: Micros) -> list[ReadingVersion]:
        names = self._known()
        sensor = names.sensor_codes.get(equipment_id)
        if sensor is None:
            return []
        await self.settle()
        return await self._ask(lambda cursor: undo.history(cursor, names, sensor, event_time))

    async def kept_from(self) -> Micros | None:
        return await self._ask(retention.kept_from)

    async def would_drop(self, before: Micros) -> Dropped:
        await self.settle()
        return await self._ask(lambda cursor: retention.would_drop(cursor, before))

    async def drop(self, before: Micros) -> Dropped:
        dropped = await self.would_drop(before)
        await self._on(self._readers, lambda: self._drop(before))
        return dropped

    async def books(self) -> StoreBooks:
        return await self._ask(books)

    async def copy_to(self, folder: Path, beside: Callable[[], None]) -> None:
        """Copies the file with its WAL, as a crash at this moment would leave them. Nothing is
        stored meanwhile, nor before `beside` has returned; questions are answered."""
        await self._on(self._readers, lambda: self._copy_to(folder, beside))

    async def stats(self) -> StoreStats:
        total = await self._ask(
            lambda cursor: one(cursor, "SELECT coalesce(sum(count), 0)::BIGINT FROM latest")[0]
        )
        return StoreStats(
            readings=total,
            unfolded=self._hot_rows(),
            sensors=len(self._known().sensors),
            file_bytes=_size(self._path) + _size(self._wal),
            folds=self._folds,
            fold_seconds=self._fold_seconds,
        )

    # Threads and cursors

    async def _on(self, executor: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, self._guarded, call)

    async def _ask(self, question: Callable[[Cursor], T]) -> T:
        return await self._on(self._readers, lambda: self._snapshot(question))

    def _snapshot(self, question: Callable[[Cursor], T]) -> T:
        cursor = self._cursor()
        with self._questions.running():
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                return question(cursor)
            finally:
                cursor.execute("ROLLBACK")

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except duckdb.Error as error:
            log.error("readings store: %s", error)
            raise StoreUnavailable from error

    def _known(self) -> Names:
        if self._names is None:
            raise StoreUnavailable
        return self._names

    def _cursor(self) -> Cursor:
        """This thread's cursor on the file as it was last opened."""
        if self._database is None:
            raise StoreUnavailable
        if getattr(self._local, "generation", None) != self._generation:
            self._local.cursor = self._database.cursor()
            self._local.generation = self._generation
        cursor: Cursor = self._local.cursor
        return cursor

    # Opening and closing, on the append thread

    def _open(self) -> None:
        self._shut()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._database = duckdb.connect(
            str(self._path),
            config={
                "memory_limit": f"{self._memory_mb}MB",
                "temp_directory": str(self._path.with_name(self._path.name + ".tmp")),
                "checkpoint_threshold": "1TB",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        self._generation += 1
        cursor = self._cursor()
        prepare(cursor)
        self._names = Names(cursor)
        self._folded_rows = 0
        self._next_seq, self._appended_rows = one(
            cursor,
            "SELECT 1 + greatest((SELECT coalesce(max(seq), 0) FROM hot), "
            "(SELECT coalesce(max(seq), 0) FROM version)), (SELECT count(*) FROM hot)",
        )
        self._recluster = Recluster()
        self._stopping.clear()
        self._folder = threading.Thread(target=self._fold_for_ever, name="store-fold", daemon=True)
        self._folder.start()
        # A process that fails with the store open must neither wait for it nor be torn from it.
        atexit.register(self._stop_folding)

    def _stop_folding(self) -> None:
        atexit.unregister(self._stop_folding)
        self._stopping.set()
        self._wake.set()
        if self._folder is not None:
            self._folder.join()
            self._folder = None

    def _shut(self) -> None:
        self._stop_folding()
        if self._database is not None:
            self._generation += 1
            try:
                self._database.close()
            except duckdb.Error as error:
                log.warning("closing the readings store: %s", error)
            self._database = None

    def _close(self) -> None:
        self._stop_folding()
        if self._database is not None:
            try:
                self._fold_all()
                if not self._checkpoint(CLOSE_WAIT_S):
                    log.warning("the readings store is closed beside a question that still runs")
            except duckdb.Error as error:
                log.warning("the readings store is closed without a last fold: %s", error)
        self._shut()

    # Appending, on the append thread

    def _position(self) -> Position:
        return append.position(self._cursor())

    def _append(self, batches: Sequence[Batch], position: Position) -> None:
        cursor = self._cursor()
        if covers(self._position(), position):
            return
        if self._hot_rows() >= HOT_ROWS_MAX:
            self._fold_once()
        with self._commit_lock:
            cursor.execute("BEGIN")
            names = self._known()
            try:
                rows = append.rows(cursor, names, batches, self._next_seq)
                append.advance(cursor, position)
                cursor.execute("COMMIT")
            except BaseException:
                names.forget()
                _roll_back(cursor)
                raise
            names.written()
        self._next_seq += rows
        self._appended_rows += rows
        if self._hot_rows() >= FOLD_ROWS:
            self._wake.set()

    # Folding, on the fold thread (or the one that waits for it)

    def _fold_for_ever(self) -> None:
        upkeep_due, rows_before = time.monotonic(), self._appended_rows
        wait_s = FIRST_FOLD_S
        while not self._stopping.is_set():
            self._wake.wait(wait_s)
            wait_s = FOLD_INTERVAL_S
            self._wake.clear()
            if self._stopping.is_set():
                return
            calm = self._appended_rows - rows_before <= CALM_ROWS
            rows_before = self._appended_rows
            try:
                more = self._fold_once()
                overdue = time.monotonic() - upkeep_due
                if self._learn_once() or more:
                    self._wake.set()
                elif overdue >= (0 if calm else UPKEEP_PUT_OFF_S) and not self._tidy_once():
                    upkeep_due = time.monotonic() + UPKEEP_INTERVAL_S
                self._checkpoint_when_due()
            except duckdb.Error as error:
                log.error("fold: %s", error)
                self._stopping.wait(5)

    def _hot_rows(self) -> int:
        return self._appended_rows - self._folded_rows

    def _fold_all(self) -> None:
        while self._fold_once():
            pass
        while self._learn_once():
            pass

    def _set_cadences(self, wanted: Mapping[int, Micros | None]) -> None:
        with self._fold_lock:
            cursor = self._cursor()
            cursor.execute("BEGIN")
            try:
                cadences.set_cadences(cursor, wanted)
                with self._questions.none():
                    cursor.execute("COMMIT")
            except BaseException:
                _roll_back(cursor)
                raise

    def _await_filling(self, spans: Sequence[tuple[int, Micros, Micros]]) -> None:
        with self._fold_lock:
            silences.await_filling(self._cursor(), spans)

    def _learn_once(self) -> bool:
        """Learns cadences from what is folded; says whether more waits."""
        with self._fold_lock:
            return cadences.learn(self._cursor(), self._questions)

    def _fold_once(self) -> bool:
        """Folds what waits, if anything does; says whether more waits."""
        with self._fold_lock:
            if self._hot_rows() == 0:
                return False
            began = time.monotonic()
            folded = fold(self._cursor(), int(self._clock() * SECOND), self._questions)
            self._folded_rows += folded.rows
            self._folds += 1
            self._fold_seconds += time.monotonic() - began
            return folded.more

    @contextmanager
    def _settled(self, call: Callable[[], None]) -> Iterator[None]:
        """Calls once all is folded, before anything else is; until its end nothing is tidied. A
        rehearsal runs too long to be one of the questions that large commits wait for."""
        self._fold_all()
        with self._fold_lock:
            call()
            self._rehearsals += 1
        try:
            yield
        finally:
            with self._fold_lock:
                self._rehearsals -= 1

    def _undo(self, import_id: int) -> None:
        self._fold_all()
        cursor = self._cursor()
        for start, end in undo.steps(cursor, import_id):
            # Folds go on between the steps; nothing of the import is among what they fold.
            with self._fold_lock:
                undo.undo_step(cursor, import_id, start, end, self._questions)
        while self._learn_once():
            pass

    def _drop(self, before: Micros) -> None:
        for day_end in retention.days_to_drop(self._cursor(), before):
            with self._fold_lock:
                retention.drop(self._cursor(), day_end)
            self._checkpoint_when_due()

    def _tidy_once(self) -> bool:
        """A step of what makes answers faster and the file smaller; says whether there was one."""
        with self._fold_lock:
            if self._rehearsals:
                return False
            now = int(self._clock() * SECOND)
            return days.roll_one(self._cursor(), now) or self._recluster.step(
                self._cursor(), now, self._questions
            )

    def _copy_to(self, folder: Path, beside: Callable[[], None]) -> None:
        with self._fold_lock, self._commit_lock:
            generation = self._generation
            self._cursor()
            for path in (self._path, self._wal):
                if path.exists():
                    shutil.copyfile(path, folder / path.name)
            beside()
            # Whoever opened the file again did not wait for the locks.
            if generation != self._generation:
                raise StoreUnavailable

    def _checkpoint_when_due(self) -> None:
        if _size(self._wal) >= WAL_BYTES_MAX:
            self._checkpoint(CHECKPOINT_WAIT_S)

    def _checkpoint(self, wait_s: float) -> bool:
        """DuckDB refuses it beside a writer, and while a question runs that is older than the
        last update: the wait is for that question to end. Whether it was made."""
        until = time.monotonic() + wait_s
        while not self._checkpointed():
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        return True

    def _checkpointed(self) -> bool:
        with self._fold_lock, self._commit_lock:
            try:
                self._cursor().execute("CHECKPOINT")
            except duckdb.TransactionException:
                return False
        return True


def _roll_back(cursor: Cursor) -> None:
    """After a failed commit there may be nothing left to roll back."""
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error as error:
        log.debug("rollback: %s", error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
