"""The one connection of the embedded registry: all calls on one thread, every change synced."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pipewatcher.errors import DataFolderTooNew, DiskFull, StoreUnavailable
from pipewatcher.sqlite_copy import copy_database

T = TypeVar("T")

_STEPS = [
    """
CREATE TABLE sensor (
    equipment_id TEXT PRIMARY KEY, created_at INTEGER NOT NULL,
    name TEXT, kind TEXT, unit TEXT, location TEXT, equipment TEXT, source TEXT,
    range_min REAL, range_max REAL, cadence_seconds REAL) STRICT, WITHOUT ROWID;
CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
    secret_sha256 BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE session (
    secret_sha256 BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE import (id INTEGER PRIMARY KEY AUTOINCREMENT, job BLOB NOT NULL) STRICT;
""",
    """
CREATE TABLE notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, equipment_id TEXT,
    created_at INTEGER NOT NULL) STRICT;
""",
    """
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT, door TEXT NOT NULL, topic TEXT NOT NULL,
    client TEXT NOT NULL, received_at INTEGER NOT NULL, reason TEXT NOT NULL,
    rejections BLOB NOT NULL, payload BLOB NOT NULL, payload_bytes INTEGER NOT NULL,
    edited_by TEXT) STRICT;
""",
    """
ALTER TABLE token ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN limits BLOB NOT NULL DEFAULT x'7b7d';
ALTER TABLE token ADD COLUMN previous_sha256 BLOB;
ALTER TABLE token ADD COLUMN previous_until INTEGER;
ALTER TABLE token ADD COLUMN last_used_at INTEGER;
ALTER TABLE session ADD COLUMN token_sha256 BLOB;
""",
    """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, "by" TEXT NOT NULL,
    address TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, before TEXT, after TEXT,
    previous BLOB NOT NULL, sha256 BLOB NOT NULL, words TEXT NOT NULL) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
""",
    """
ALTER TABLE notification ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE notification ADD COLUMN source TEXT;
ALTER TABLE notification ADD COLUMN import_id INTEGER;
ALTER TABLE notification ADD COLUMN detail TEXT;
ALTER TABLE notification ADD COLUMN key TEXT;
CREATE UNIQUE INDEX notification_key ON notification (key);
CREATE TABLE notification_read (
    person TEXT PRIMARY KEY, up_to INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE silence (
    equipment_id TEXT PRIMARY KEY, since INTEGER NOT NULL, noticed_at INTEGER NOT NULL,
    source TEXT, incident TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
    what TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
""",
    """
CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, name_key TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL, password_hash TEXT, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
    totp_secret TEXT, totp_step INTEGER NOT NULL DEFAULT 0, disabled INTEGER NOT NULL DEFAULT 0,
    signed_in_at INTEGER) STRICT;
CREATE TABLE invitation (
    secret_sha256 BLOB PRIMARY KEY, role TEXT NOT NULL, person_id INTEGER, name TEXT,
    created_at INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT;
ALTER TABLE session ADD COLUMN person_id INTEGER;
ALTER TABLE session ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
CREATE INDEX session_of ON session (person_id);
""",
    """
CREATE TABLE gap_mark (
    equipment_id TEXT NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
    state TEXT NOT NULL, cause TEXT, note TEXT, changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL, PRIMARY KEY (equipment_id, "start")) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE person ADD COLUMN issuer TEXT;
ALTER TABLE person ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX person_of ON person (issuer, subject);
ALTER TABLE session ADD COLUMN provider TEXT;
ALTER TABLE session ADD COLUMN id_token TEXT;
CREATE TABLE used_once (key BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
""",
    """
CREATE TABLE retention (
    only INTEGER PRIMARY KEY CHECK (only = 1), days INTEGER, changed_by TEXT,
    changed_at INTEGER NOT NULL) STRICT;
""",
    """
CREATE TABLE downtime ("start" INTEGER PRIMARY KEY, "end" INTEGER NOT NULL) STRICT;
""",
    """
CREATE TABLE rejected (
    door TEXT PRIMARY KEY, readings INTEGER NOT NULL) STRICT, WITHOUT ROWID;
""",
]
"""Step n makes format n + 1 of format n; a step that was ever released does not change."""


class SQLiteFile:
    """What the parts of the registry stand on: each adds the questions about one thing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "registry")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def open(self) -> None:
        """Raises `DataFolderTooNew`, `StoreUnavailable`."""
        await self._run(lambda _: None, opening=True)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def copy_to(self, folder: Path) -> None:
        """As it is at this moment; from any thread. Raises `StoreUnavailable`."""
        try:
            copy_database(self._path, folder)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The registry cannot be copied: {error}.") from error

    async def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        return await self._run(lambda connection: connection.execute(query, values).fetchall())

    async def _run(self, call: Callable[[sqlite3.Connection], T], *, opening: bool = False) -> T:
        def in_transaction() -> T:
            try:
                if opening:
                    self._connection = _connect(self._path)
                if self._connection is None:
                    raise StoreUnavailable("The registry is not open.")
                with self._connection:
                    return call(self._connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    raise DiskFull from error
                raise StoreUnavailable("The registry cannot answer at the moment.") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_transaction)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_STEPS):
        connection.close()
        raise DataFolderTooNew
    for made, step in enumerate(_STEPS[version:], version + 1):
        connection.executescript(f"BEGIN;{step}PRAGMA user_version = {made};COMMIT;")
    return connection
