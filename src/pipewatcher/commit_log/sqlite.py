"""The embedded commit log: one SQLite file, one row per group of appends.

Appends that arrive while a commit is in flight form the next group; nobody waits on a clock.
One thread writes: it commits groups, deletes what the store has, and checkpoints in between.
Another reads deliveries. The event loop only puts appends into a queue and ends their futures,
once per group.

What a crash can do: a group is in the WAL with its commit mark and synced before its futures end,
so it is there afterwards; without the mark SQLite drops it, and no future had ended. Deletions are
not synced on their own: a crash may bring stored entries back, and the store takes them twice.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from pipewatcher.commit_log.group import Append, Group, Single, Whole
from pipewatcher.commit_log.group_format import decode_group
from pipewatcher.commit_log.undelivered import Span, Undelivered
from pipewatcher.errors import (
    CommitLogDamaged,
    CommitLogUnavailable,
    DataFolderTooNew,
    DiskFull,
    PipeWatcherError,
    Stopping,
)
from pipewatcher.model import SECOND, Batch, Features, Micros, Position
from pipewatcher.ports import Backlog, Delivery
from pipewatcher.sqlite_copy import copy_database

log = logging.getLogger(__name__)
T = TypeVar("T")

FORMAT_VERSION = 2
PARTITION = 0
PAGE_BYTES = 8_192

DELIVERY_READINGS_MAX = 500_000
DELIVERY_BYTES_MAX = 32 * 2**20
"""A delivery takes no further entry once it is past one of these."""

DELETE_BYTES_MAX = 512 * 1024
DELETE_ROWS_MAX = 256
"""How much is deleted between two groups."""

CHECKPOINT_BYTES = 32 * 2**20
"""A busy commit log copies its WAL into the file whenever about so much was written."""
CHECKPOINT_IDLE_BYTES = 2**20
WAL_KEPT_BYTES = 64 * 2**20
SHRINK_BYTES = 128 * 2**20
"""A file that is larger and holds no entries is made small at the next start."""

RECENT_TOTALS = 20_000
IDLE_S = 0.2
TIDY_RETRY_S = 2.0

_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    readings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE deleted (below INTEGER NOT NULL) STRICT;
INSERT INTO deleted VALUES (0);
"""
_TOTALS = """
ALTER TABLE entries ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deleted ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET total = sums.total FROM (
    SELECT id, sum(readings) OVER (ORDER BY id) AS total FROM entries) AS sums
    WHERE entries.id = sums.id;
"""
"""`total`: readings accepted since ever up to the end of the entry; of `deleted`, below it."""

_Command: TypeAlias = Callable[[], None]


class SQLiteCommitLog:
    """Used from one event loop; `open` and `close` once each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _Entries(path)
        self._queue: SimpleQueue[Single | Whole | _Command] = SimpleQueue()
        self._put: Callable[[Single | Whole], None] = _refuse
        self._writer: threading.Thread | None = None
        self._stop = False
        self._reader = ThreadPoolExecutor(1, "commit-log-read")
        self._read_connection: sqlite3.Connection | None = None
        self._undelivered = Undelivered(Span(first=0, end=0))
        self._arrived = asyncio.Event()
        self._consumer_group: str | None = None
        self._generation = 0
        self._closed = False

    @property
    def features(self) -> Features:
        return Features(import_blocks=True)

    @property
    def available(self) -> bool:
        return True

    async def open(self) -> None:
        """Raises `DataFolderTooNew`, `CommitLogDamaged`, `CommitLogUnavailable` or `DiskFull`."""
        self._loop = asyncio.get_running_loop()
        span = await self._loop.run_in_executor(self._reader, self._open)
        self._undelivered = Undelivered(span)
        self._writer = threading.Thread(target=self._write, name="commit-log-write", daemon=True)
        self._writer.start()
        self._put = self._queue.put

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._put = _refuse
        self._arrived.set()
        if self._writer is not None:
            await self._on_writer(self._end_writing)
            await self._loop.run_in_executor(self._reader, self._writer.join)
        if self._read_connection is not None:
            await self._loop.run_in_executor(self._reader, self._read_connection.close)
        self._reader.shutdown()

    def append(self, batch: Batch) -> Append:
        """The batch's columns must not change any more."""
        if not len(batch):
            raise ValueError("an append has at least one reading")
        future = self._loop.create_future()
        self._put((future, batch))
        return future

    def append_reading(
        self, equipment_id: str, event_time: Micros, value: float, origin: str
    ) -> Append:
        future = self._loop.create_future()
        self._put((future, equipment_id, event_time, value, origin))
        return future

    def end(self) -> Position:
        return {PARTITION: self._undelivered.end}

    async def tail(self) -> Position:
        return self.end()

    async def acked(self, group: str) -> Position:
        return {PARTITION: self._undelivered.first}

    async def accepted_before(self, position: Position) -> int | None:
        entry = position.get(PARTITION, 0)
        recent = self._entries.recent_totals.get(entry)
        if recent is not None:
            return recent
        return await self._loop.run_in_executor(self._reader, self._total_before, entry)

    def copy_to(self, folder: Path) -> None:
        """As it is at this moment; from any thread. Raises `CommitLogUnavailable`, `DiskFull`."""
        try:
            copy_database(self._path, folder)
        except sqlite3.Error as error:
            raise _as_error(error) from error

    def backlog(self) -> Backlog:
        return self._undelivered.backlog(time.time())

    async def deliveries(self, group: str, start: Position) -> AsyncGenerator[Delivery, None]:
        """For one group: what it has stored is deleted. A later call takes the earlier one's
        place. Ends when the commit log is closed; raises `CommitLogDamaged` rather than skip.
        """
        if self._consumer_group not in {None, group}:
            raise ValueError(f"the embedded commit log already delivers to {self._consumer_group}")
        self._consumer_group = group
        self._generation += 1
        generation = self._generation
        begin = start.get(PARTITION, self._undelivered.first)
        await self._on_writer(
            lambda: self._entries.start_at(begin), lambda span: self._restart(span, begin)
        )
        at = self._undelivered.first
        while not self._closed and generation == self._generation:
            if at >= self._undelivered.end:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            span = Span(first=at, end=self._undelivered.end)
            batches, span = await self._loop.run_in_executor(self._reader, self._read, span)
            at = span.end
            yield _Delivery(batches, {PARTITION: at}, self, span, generation)

    def acknowledge(self, span: Span, generation: int) -> None:
        """Of a reader that was replaced it is ignored: its successor is given the same again."""
        if generation != self._generation or self._closed:
            return
        before = self._undelivered.first
        self._undelivered.acked(span)
        first = self._undelivered.first
        if first > before:
            self._queue.put(lambda: self._entries.delete_below(first))

    def _restart(self, span: Span, begin: int) -> None:
        if span.first > begin:
            log.warning(
                "The store stands at %d, but the commit log begins at %d: "
                "what was between was stored before, perhaps in another data folder.",
                begin,
                span.first,
            )
        self._undelivered = Undelivered(span)

    # ---- the reading thread

    def _open(self) -> Span:
        try:
            self._read_connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
            span = self._entries.open()
            self._read_connection.execute("PRAGMA query_only = 1")
            return span
        except sqlite3.Error as error:
            raise _as_error(error) from error

    def _read(self, span: Span) -> tuple[list[Batch], Span]:
        """The first entries of `span`, as many as one delivery may hold, and their span."""
        assert self._read_connection is not None
        batches: list[Batch] = []
        at, readings, size = span.first, 0, 0
        try:
            rows = self._read_connection.execute(
                "SELECT id, readings, body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
                [span.first, span.end],
            )
            # An open cursor would keep the WAL from starting over.
            with closing(rows):
                for entry, count, body in rows:
                    if entry != at:
                        break
                    batches += _decode(entry, body)
                    at += 1
                    readings += count
                    size += len(body)
                    if readings >= DELIVERY_READINGS_MAX or size >= DELIVERY_BYTES_MAX:
                        break
        except sqlite3.Error as error:
            raise _as_error(error) from error
        if at == span.first:
            raise CommitLogDamaged(f"Entry {at} of the commit log is missing.")
        return batches, Span(first=span.first, end=at, readings=readings, bytes=size)

    def _total_before(self, entry: int) -> int | None:
        assert self._read_connection is not None
        try:
            row = self._read_connection.execute(
                "SELECT total FROM (SELECT id, total FROM entries WHERE id < ?1 UNION ALL "
                "SELECT below - 1, total FROM deleted WHERE below <= ?1) "
                "ORDER BY id DESC LIMIT 1",
                [entry],
            ).fetchone()
        except sqlite3.Error as error:
            raise _as_error(error) from error
        return row[0] if row is not None else None

    # ---- the writing thread

    def _write(self) -> None:
        while not self._stop:
            group = Group()
            command = self._gather(group)
            self._commit(group)
            if command is not None:
                command()
            self._entries.delete_some()
            self._entries.checkpoint(CHECKPOINT_BYTES)

    def _gather(self, group: Group) -> _Command | None:
        """Fills the group with what is waiting; a command ends it and is returned."""
        item = self._next()
        while True:
            if not isinstance(item, tuple):
                return item
            group.add(item)
            if group.full or self._queue.empty():
                return None
            item = self._queue.get_nowait()

    def _next(self) -> Single | Whole | _Command:
        while True:
            while self._queue.empty() and self._entries.delete_some():
                pass
            try:
                return self._queue.get(timeout=IDLE_S if self._entries.untidy else None)
            except Empty:
                self._entries.checkpoint(CHECKPOINT_IDLE_BYTES)

    def _commit(self, group: Group) -> None:
        body = group.encode()
        for future, error in group.refused:
            self._loop.call_soon_threadsafe(_fail, [future], error)
        if not group.appends:
            return
        try:
            span = self._entries.insert(group.readings, body)
        except sqlite3.Error as error:
            self._loop.call_soon_threadsafe(_fail, group.appends, _as_error(error))
        else:
            self._loop.call_soon_threadsafe(self._committed, group.appends, span)

    def _committed(self, appends: list[Append], span: Span) -> None:
        self._undelivered.committed(span)
        position = {PARTITION: span.end}
        for future in appends:
            if not future.done():
                future.set_result(position)
        self._arrived.set()

    def _end_writing(self) -> None:
        self._stop = True
        self._entries.close()

    async def _on_writer(
        self, action: Callable[[], T], then: Callable[[T], None] | None = None
    ) -> T:
        """`then` runs on the loop, after all groups before the action and before all later ones."""
        future: asyncio.Future[T] = self._loop.create_future()

        def succeed(result: T) -> None:
            if then is not None:
                then(result)
            if not future.done():
                future.set_result(result)

        def command() -> None:
            try:
                result = action()
            except sqlite3.Error as error:
                self._loop.call_soon_threadsafe(_fail, [future], _as_error(error))
            else:
                self._loop.call_soon_threadsafe(succeed, result)

        self._queue.put(command)
        return await future


@dataclass(frozen=True, slots=True)
class _Delivery:
    batches: Sequence[Batch]
    position: Position
    _log: SQLiteCommitLog
    _span: Span
    _generation: int

    async def ack(self) -> None:
        """The entries are deleted soon; a crash before that brings them back."""
        self._log.acknowledge(self._span, self._generation)


class _Entries:
    """The file as the writing thread sees it. Numbers are given once, ever: `deleted.below`
    outlives the rows that carried them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0
        self._total = 0
        self.recent_totals: dict[int, int] = {}
        """Of the last groups, readings accepted before an entry: theirs may be deleted at any
        moment after the store has told its position. Other threads only look one up."""
        self._delete_below = 0
        self._has_deletions = False
        self._wal_bytes = 0
        self._tidy_from = 0.0

    def open(self) -> Span:
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False
        )
        run = self._connection.execute
        (version,) = run("PRAGMA user_version").fetchone()
        if version > FORMAT_VERSION:
            raise DataFolderTooNew(f"{self._path.name} has format {version}.")
        run(f"PRAGMA page_size = {PAGE_BYTES}")
        (mode,) = run("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise CommitLogUnavailable(f"{self._path} is on a file system without shared memory.")
        run("PRAGMA synchronous = FULL")
        # On macOS a plain fsync leaves the data in the drive's cache.
        run("PRAGMA fullfsync = 1")
        run("PRAGMA checkpoint_fullfsync = 1")
        run("PRAGMA wal_autocheckpoint = 0")
        run(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        if version < FORMAT_VERSION:
            steps = _TOTALS if version else _SCHEMA + _TOTALS
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {FORMAT_VERSION}; COMMIT"
            )
        # A full disk may have no room for this; the WAL is read as it is then, and a commit log
        # that cannot be opened would hold what was acknowledged back from the store.
        with suppress(sqlite3.Error):
            run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        span = self._span()
        if not span.readings and self._path.stat().st_size > SHRINK_BYTES:
            run("VACUUM")
        self._end = span.end
        (self._total,) = run(
            "SELECT max(coalesce((SELECT max(total) FROM entries), 0), total) FROM deleted"
        ).fetchone()
        return span

    def insert(self, readings: int, body: bytes) -> Span:
        """Durable when it returns; nothing of it is there when it raises."""
        now = time.time()
        try:
            self._connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
                [
                    self._end,
                    readings,
                    len(body),
                    int(now * SECOND),
                    body,
                    self._total + readings,
                ],
            )
        except sqlite3.Error:
            self._overwrite_failed_commit()
            raise
        first = self._end
        self._end += 1
        self._total += readings
        self.recent_totals[self._end] = self._total
        if len(self.recent_totals) > RECENT_TOTALS:
            del self.recent_totals[next(iter(self.recent_totals))]
        self._wal_bytes += len(body) + 2 * PAGE_BYTES
        return Span(first=first, end=self._end, readings=readings, bytes=len(body), since=now)

    def start_at(self, start: int) -> Span:
        """Deletes what lies before `start`, and says what lies from there on."""
        if start > self._end:
            self._renumber(start)
        self._delete_below = min(start, self._end)
        self._has_deletions = True
        while self.delete_some():
            pass
        return self._span()

    def delete_below(self, entry: int) -> None:
        self._delete_below = entry
        self._has_deletions = True

    @property
    def untidy(self) -> bool:
        return self._has_deletions or self._wal_bytes >= CHECKPOINT_IDLE_BYTES

    def delete_some(self) -> bool:
        """Deletes a bounded part of what the store has; False when there was nothing to do.

        A failure (a full disk) is no reason to refuse appends: it is tried again later.
        """
        if not self._has_deletions or time.monotonic() < self._tidy_from:
            return False
        below, size = None, 0
        try:
            rows = self._connection.execute(
                "SELECT id, bytes FROM entries WHERE id < ? ORDER BY id LIMIT ?",
                [self._delete_below, DELETE_ROWS_MAX],
            )
            with closing(rows):
                for entry, entry_bytes in rows:
                    below = entry + 1
                    size += entry_bytes
                    if size >= DELETE_BYTES_MAX:
                        break
            if below is None:
                self._has_deletions = False
                return False
            self._delete(below)
        except sqlite3.Error as error:
            self._put_off_tidying(error)
            return False
        self._wal_bytes += 8 * PAGE_BYTES
        return True

    def checkpoint(self, wal_bytes: int) -> None:
        """Copies the WAL into the file when more than so much was written to it."""
        if self._wal_bytes < wal_bytes or time.monotonic() < self._tidy_from:
            return
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            self._put_off_tidying(error)
        else:
            self._wal_bytes = 0

    def close(self) -> None:
        """Leaves a file without a WAL where that is possible; a full disk does not matter."""
        self._tidy_from = 0.0
        while self.delete_some():
            pass
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._connection.close()

    def _span(self) -> Span:
        run = self._connection.execute
        (deleted_below,) = run("SELECT below FROM deleted").fetchone()
        first, last, readings, size, since = run(
            "SELECT min(id), max(id), sum(readings), sum(bytes), min(committed_at) FROM entries"
        ).fetchone()
        if first is None:
            end = max(deleted_below, self._end)
            return Span(first=end, end=end)
        return Span(
            first=first,
            end=max(deleted_below, last + 1),
            readings=readings,
            bytes=size,
            since=since / SECOND,
        )

    def _renumber(self, start: int) -> None:
        """The store is ahead of a commit log that was lost and begun anew.

        Its entries are not in the store, whatever their numbers say: they are given new ones.
        """
        log.warning("The commit log goes on at %d, where the store stands.", start)
        span = self._span()
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            run("UPDATE entries SET id = id + ?", [start - span.first])
            run("UPDATE deleted SET below = ?", [start])
            run("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        self._end = start + span.end - span.first

    def _delete(self, below: int) -> None:
        """Not synced: the next group's commit does it, and a crash before that is harmless."""
        run = self._connection.execute
        run("PRAGMA synchronous = NORMAL")
        try:
            run("BEGIN IMMEDIATE")
            run(
                "UPDATE deleted SET below = max(below, ?1), total = max(total, "
                "coalesce((SELECT max(total) FROM entries WHERE id < ?1), 0))",
                [below],
            )
            run("DELETE FROM entries WHERE id < ?", [below])
            run("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        finally:
            run("PRAGMA synchronous = FULL")

    def _overwrite_failed_commit(self) -> None:
        """A commit whose sync failed may stand in the WAL with its mark, and a crash would bring
        it back. Whatever is written next takes its place: so write something."""
        self._roll_back()
        with suppress(sqlite3.Error):
            self._connection.execute("UPDATE deleted SET below = below")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _put_off_tidying(self, error: sqlite3.Error) -> None:
        self._tidy_from = time.monotonic() + TIDY_RETRY_S
        log.warning("The commit log cannot be tidied: %s", error)


def _decode(entry: int, body: bytes) -> list[Batch]:
    try:
        return decode_group(body)
    except CommitLogDamaged as error:
        raise CommitLogDamaged(f"Entry {entry} of the commit log: {error.detail}.") from error


def _refuse(append: Single | Whole) -> None:
    append[0].set_exception(Stopping())


def _fail(futures: Sequence[asyncio.Future[T]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            # Each waiter raises its own: a shared one would gather everybody's tracebacks.
            own = type(error)(error.detail) if isinstance(error, PipeWatcherError) else error
            future.set_exception(own)


def _as_error(error: sqlite3.Error) -> PipeWatcherError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull()
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return CommitLogDamaged(f"The commit log's file is damaged: {error}.")
    return CommitLogUnavailable(f"The commit log cannot be written or read: {error}.")
