"""Readings that wait in an SQLite file, safe from `kill -9` and from a power cut.

A reading is taken out once the server has said that it is durable there. A crash in between sends
it once more, which changes nothing: a reading is known by its sensor and its instant.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipewatcher.client.buffers import Numbered
from pipewatcher.client.errors import BufferFull, BufferInUse, BufferUnusable
from pipewatcher.client.readings import Reading, instant, micros

FORMAT = 0x50570001
"""In the file's `user_version`: PW, and the version of the table."""
PAGE_BYTES = 4_096


class DiskBuffer:
    lasting = True

    def __init__(self, path: Path, bytes_max: int) -> None:
        """Opens or makes the file. Raises `BufferInUse` or `BufferUnusable`."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600)
            self._db = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise BufferUnusable(f"{path}: {error}") from error
        try:
            with self._errors():
                self._open(bytes_max)
        except BaseException:
            self._db.close()
            raise

    def _open(self, bytes_max: int) -> None:
        run = self._db.execute
        # Only one process can hold it so; its death gives it free.
        run("PRAGMA locking_mode = EXCLUSIVE")
        run(f"PRAGMA page_size = {PAGE_BYTES}")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("BEGIN EXCLUSIVE")
        [found] = run("PRAGMA user_version").fetchone()
        [tables] = run("SELECT count(*) FROM sqlite_schema").fetchone()
        if found != FORMAT and (found or tables):
            raise BufferUnusable(f"{self._path} is not a buffer of this version.")
        run(
            "CREATE TABLE IF NOT EXISTS reading (number INTEGER PRIMARY KEY AUTOINCREMENT, "
            "equipment_id TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL)"
        )
        run(f"PRAGMA user_version = {FORMAT}")
        run("COMMIT")
        self._count = int(run("SELECT count(*) FROM reading").fetchone()[0])
        last = run("SELECT seq FROM sqlite_sequence WHERE name = 'reading'").fetchone()
        self._last = int(last[0]) if last else 0
        run(f"PRAGMA max_page_count = {max(8, bytes_max // PAGE_BYTES)}")

    def add(self, readings: Sequence[Reading]) -> None:
        """On the disk when it returns."""
        rows = [(one.equipment_id, micros(one.at), one.value) for one in readings]
        with self._lock, self._errors():
            with self._transaction():
                self._db.executemany(
                    "INSERT INTO reading (equipment_id, at, value) VALUES (?, ?, ?)", rows
                )
            self._count += len(rows)
            self._last += len(rows)

    def oldest(self, count: int) -> list[Numbered]:
        with self._lock, self._errors():
            rows = self._db.execute(
                "SELECT number, equipment_id, value, at FROM reading ORDER BY number LIMIT ?",
                (count,),
            ).fetchall()
        return [(number - 1, Reading(name, value, instant(at))) for number, name, value, at in rows]

    def remove(self, up_to: int) -> None:
        with self._lock, self._errors():
            done = self._db.execute("DELETE FROM reading WHERE number <= ?", (up_to,))
            self._count -= done.rowcount

    def next_number(self) -> int:
        return self._last

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise BufferFull from error
            if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise BufferInUse(f"{self._path} is open in another client.") from error
            raise BufferUnusable(f"{self._path}: {error}") from error
