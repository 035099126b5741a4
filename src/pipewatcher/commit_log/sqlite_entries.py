"""The SQLite file of the embedded commit log, as the thread that writes it sees it."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from pipewatcher.commit_log.undelivered import Span
from pipewatcher.errors import (
    CommitLogDamaged,
    CommitLogUnavailable,
    DataFolderTooNew,
    DiskFull,
    PipeWatcherError,
)
from pipewatcher.model.time import SECOND

log = logging.getLogger(__name__)

FORMAT_VERSION = 2
PAGE_BYTES = 8_192

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
LAST_TOTAL = "SELECT total FROM entries WHERE id < ?1 ORDER BY id DESC LIMIT 1"
"""Of one row: `total` stands behind the body, which is read to get there."""


class Entries:
    """Numbers are given once, ever: `deleted.below`
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
            f"SELECT max(coalesce(({LAST_TOTAL}), 0), total) FROM deleted", [span.end]
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
                f"coalesce(({LAST_TOTAL}), 0))",
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


def as_error(error: sqlite3.Error) -> PipeWatcherError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull()
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return CommitLogDamaged(f"The commit log's file is damaged: {error}.")
    return CommitLogUnavailable(f"The commit log cannot be written or read: {error}.")
