"""The embedded registry: one SQLite file, all calls on one thread, every change synced."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from pipewatcher.errors import Conflict, DataFolderTooNew, DiskFull, NotFound, StoreUnavailable
from pipewatcher.model import ImportJob, Micros, Notification, Sensor, Session, Token

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
]
"""Step n makes format n + 1 of format n; a step that was ever released does not change."""
_SENSOR_FIELDS = Sensor.__struct_fields__
_SENSOR_COLUMNS = ", ".join(_SENSOR_FIELDS)
EDITABLE = frozenset(_SENSOR_FIELDS) - {"equipment_id", "created_at"}


class SQLiteRegistry:
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

    async def register(self, equipment_ids: Sequence[str], seen_at: Micros) -> list[str]:
        def add(connection: sqlite3.Connection) -> list[str]:
            insert = (
                "INSERT INTO sensor (equipment_id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
            )
            new = [
                name
                for name in equipment_ids
                if connection.execute(insert, (name, seen_at)).rowcount
            ]
            connection.executemany(
                "INSERT INTO notification (kind, equipment_id, created_at) "
                "VALUES ('new_sensor', ?, ?)",
                [(name, seen_at) for name in new],
            )
            return new

        return await self._run(add)

    async def notifications(self, limit: int, before_id: int | None = None) -> list[Notification]:
        rows = await self._rows(
            "SELECT id, kind, equipment_id, created_at FROM notification "
            "WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
            (before_id, limit),
        )
        return [
            msgspec.convert(
                dict(zip(Notification.__struct_fields__, row, strict=True)), Notification
            )
            for row in rows
        ]

    async def sensors(self) -> list[Sensor]:
        query = f"SELECT {_SENSOR_COLUMNS} FROM sensor ORDER BY equipment_id"
        return await self._run(lambda connection: [_sensor(r) for r in connection.execute(query)])

    async def sensor(self, equipment_id: str) -> Sensor:
        query = f"SELECT {_SENSOR_COLUMNS} FROM sensor WHERE equipment_id = ?"
        rows = await self._rows(query, (equipment_id,))
        if not rows:
            raise NotFound(f"There is no sensor {equipment_id}.")
        return _sensor(rows[0])

    async def update_sensor(
        self, equipment_id: str, changes: Mapping[str, str | float | None]
    ) -> Sensor:
        unknown = changes.keys() - EDITABLE
        if unknown:
            raise ValueError(f"not to be edited: {', '.join(sorted(unknown))}")
        if changes:
            columns = ", ".join(f"{name} = ?" for name in changes)
            update = f"UPDATE sensor SET {columns} WHERE equipment_id = ?"
            await self._rows(update, (*changes.values(), equipment_id))
        return await self.sensor(equipment_id)

    async def add_token(
        self, name: str, role: str, secret_sha256: bytes, created_at: Micros
    ) -> Token:
        insert = (
            "INSERT INTO token (name, role, secret_sha256, created_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING RETURNING id"
        )
        rows = await self._rows(insert, (name, role, secret_sha256, created_at))
        if not rows:
            raise Conflict(f"There is a token named {name} already.")
        return Token(
            id=int(str(rows[0][0])),
            name=name,
            role=role,
            secret_sha256=secret_sha256,
            created_at=created_at,
        )

    async def tokens(self) -> list[Token]:
        rows = await self._rows(
            "SELECT id, name, role, secret_sha256, created_at FROM token ORDER BY id"
        )
        return [
            msgspec.convert(dict(zip(Token.__struct_fields__, row, strict=True)), Token)
            for row in rows
        ]

    async def remove_token(self, token_id: int) -> None:
        if not await self._rows("DELETE FROM token WHERE id = ? RETURNING id", (token_id,)):
            raise NotFound(f"There is no token {token_id}.")

    async def add_session(self, session: Session) -> None:
        await self._rows(
            "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
            msgspec.structs.astuple(session),
        )

    async def session(self, secret_sha256: bytes) -> Session | None:
        rows = await self._rows(
            "SELECT secret_sha256, name, role, created_at, expires_at FROM session "
            "WHERE secret_sha256 = ?",
            (secret_sha256,),
        )
        if not rows:
            return None
        return msgspec.convert(dict(zip(Session.__struct_fields__, rows[0], strict=True)), Session)

    async def remove_session(self, secret_sha256: bytes) -> None:
        await self._rows("DELETE FROM session WHERE secret_sha256 = ?", (secret_sha256,))

    async def remove_expired_sessions(self, now: Micros) -> int:
        gone = await self._rows("DELETE FROM session WHERE expires_at <= ? RETURNING 1", (now,))
        return len(gone)

    async def add_import(self, job: ImportJob) -> ImportJob:
        def add(connection: sqlite3.Connection) -> ImportJob:
            (number,) = connection.execute(
                "INSERT INTO import (job) VALUES (x'') RETURNING id"
            ).fetchone()
            added = msgspec.structs.replace(job, id=number)
            connection.execute(
                "UPDATE import SET job = ? WHERE id = ?", (msgspec.json.encode(added), number)
            )
            return added

        return await self._run(add)

    async def save_import(self, job: ImportJob) -> None:
        saved = await self._rows(
            "UPDATE import SET job = ? WHERE id = ? RETURNING 1", (msgspec.json.encode(job), job.id)
        )
        if not saved:
            raise NotFound(f"There is no import {job.id}.")

    async def import_job(self, import_id: int) -> ImportJob:
        rows = await self._rows("SELECT job FROM import WHERE id = ?", (import_id,))
        if not rows:
            raise NotFound(f"There is no import {import_id}.")
        return _job(rows[0])

    async def import_jobs(self, limit: int, before_id: int | None = None) -> list[ImportJob]:
        rows = await self._rows(
            "SELECT job FROM import WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
            (before_id, limit),
        )
        return [_job(row) for row in rows]

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


def _sensor(row: Sequence[object]) -> Sensor:
    return msgspec.convert(dict(zip(_SENSOR_FIELDS, row, strict=True)), Sensor)


def _job(row: Sequence[object]) -> ImportJob:
    body = row[0]
    assert isinstance(body, bytes)
    return msgspec.json.decode(body, type=ImportJob)
