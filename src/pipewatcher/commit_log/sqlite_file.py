"""The file of the embedded commit log, as its writing and its reading thread see it.

What a crash can do: a group is in the WAL with its commit mark and synced before `insert` returns,
so it is there afterwards; without the mark SQLite drops it. Deletions are not synced on their own:
a crash may bring stored entries back, and the store takes them twice.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pipewatcher.commit_log.group_format import decode_group
from pipewatcher.commit_log.undelivered import Span
from pipewatcher.errors import (
    CommitLogDamaged,
    CommitLogUnavailable,
    DataFolderTooNew,
    DiskFull,
    PipeWatcherError,
)
from pipewatcher.model import SECOND, Batch

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
PAGE_BYTES = 8_192

DELIVERY_READINGS_MAX = 200_000
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

TIDY_RETRY_S = 2.0

_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    readings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE deleted (below INTEGER NOT NULL);
INSERT INTO deleted VALUES (0);
"""


class WriteSide:
    """Of one thread. Numbers are given once, ever: `deleted.below` outlives the rows that carried
    them. What fails raises `DiskFull`, `CommitLogDamaged` or `CommitLogUnavailable`."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._end = 0
        self._delete_below = 0
        self._has_deletions = False
        self._wal_bytes = 0
        self._tidy_from = 0.0

    def open(self) -> Span:
        """Everything that is in the file. Raises `DataFolderTooNew` too."""
        with _our_errors():
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
            run = self._connection.execute
            (version,) = run("PRAGMA user_version").fetchone()
            if version > FORMAT_VERSION:
                self._connection.close()
                raise DataFolderTooNew(f"{self._path} has format {version}.")
            run(f"PRAGMA page_size = {PAGE_BYTES}")
            (mode,) = run("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise CommitLogUnavailable(f"{self._path} cannot have a WAL on this file system.")
            run("PRAGMA synchronous = FULL")
            # On macOS a plain fsync leaves the data in the drive's cache.
            run("PRAGMA fullfsync = 1")
            run("PRAGMA checkpoint_fullfsync = 1")
            run("PRAGMA wal_autocheckpoint = 0")
            run(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
            if not version:
                self._connection.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT_VERSION}; COMMIT"
                )
            # What a crash left in the WAL is in the file before the first append.
            run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            span = self._span(0)
            if not span.readings and self._path.stat().st_size > SHRINK_BYTES:
                run("VACUUM")
        self._end = span.end
        return span

    def insert(self, readings: int, body: bytes) -> Span:
        """Durable when it returns; nothing of it is there when it raises."""
        now = self._clock()
        try:
            self._connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
                [self._end, readings, len(body), int(now * SECOND), body],
            )
        except sqlite3.Error as error:
            self._overwrite_failed_commit()
            raise _as_ours(error) from error
        first = self._end
        self._end += 1
        self._wal_bytes += len(body) + 2 * PAGE_BYTES
        return Span(first=first, end=self._end, readings=readings, bytes=len(body), since=now)

    def start_at(self, start: int) -> Span:
        """What lies from `start` on; what lies before it is going to be deleted."""
        with _our_errors():
            if start > self._end:
                self._renumber(start)
            self.delete_below(start)
            return self._span(start)

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
        self._wal_bytes += 4 * PAGE_BYTES
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

    def _span(self, start: int) -> Span:
        run = self._connection.execute
        (deleted_below,) = run("SELECT below FROM deleted").fetchone()
        (last,) = run("SELECT max(id) FROM entries").fetchone()
        first, readings, size, since = run(
            "SELECT min(id), sum(readings), sum(bytes), min(committed_at) FROM entries"
            " WHERE id >= ?",
            [start],
        ).fetchone()
        end = max(self._end, deleted_below, -1 if last is None else last + 1)
        if first is None:
            return Span(first=end, end=end)
        return Span(first=first, end=end, readings=readings, bytes=size, since=since / SECOND)

    def _renumber(self, start: int) -> None:
        """The store is ahead of a commit log that was lost and begun anew.

        Its entries are not in the store, whatever their numbers say: they are given new ones.
        """
        log.warning("The commit log goes on at %d, where the store stands.", start)
        span = self._span(0)
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
            run("DELETE FROM entries WHERE id < ?", [below])
            run("UPDATE deleted SET below = max(below, ?)", [below])
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


class ReadSide:
    """Of one thread, beside the writing one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        with _our_errors():
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA query_only = 1")

    def read(self, span: Span) -> tuple[list[Batch], Span]:
        """The first entries of `span`, as many as one delivery may hold, and their own span."""
        batches: list[Batch] = []
        at, readings, size = span.first, 0, 0
        with _our_errors():
            rows = self._connection.execute(
                "SELECT id, readings, body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
                [span.first, span.end],
            )
            # An open cursor would keep the WAL from starting over.
            with closing(rows):
                for entry, count, body in rows:
                    if entry != at:
                        raise CommitLogDamaged(f"Entry {at} of the commit log is missing.")
                    batches += _decode(entry, body)
                    at += 1
                    readings += count
                    size += len(body)
                    if readings >= DELIVERY_READINGS_MAX or size >= DELIVERY_BYTES_MAX:
                        break
        if at == span.first:
            raise CommitLogDamaged(f"Entry {at} of the commit log is missing.")
        return batches, Span(first=span.first, end=at, readings=readings, bytes=size)

    def close(self) -> None:
        self._connection.close()


def _decode(entry: int, body: bytes) -> list[Batch]:
    try:
        return decode_group(body)
    except CommitLogDamaged as error:
        raise CommitLogDamaged(f"Entry {entry} of the commit log: {error.detail}.") from error


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _as_ours(error) from error


def _as_ours(error: sqlite3.Error) -> PipeWatcherError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull()
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return CommitLogDamaged(f"The commit log's file is damaged: {error}.")
    return CommitLogUnavailable(f"The commit log cannot be written or read: {error}.")
