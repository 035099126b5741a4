"""The embedded registry: one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from pipewatcher.errors import NotFound
from pipewatcher.model.imports import ImportJob
from pipewatcher.model.plant import Sensor
from pipewatcher.model.time import Micros
from pipewatcher.registry.sqlite_audit import SQLiteAudit
from pipewatcher.registry.sqlite_dead_letters import SQLiteDeadLetters
from pipewatcher.registry.sqlite_downtimes import SQLiteDowntimes
from pipewatcher.registry.sqlite_gaps import SQLiteGaps
from pipewatcher.registry.sqlite_identity import SQLiteIdentity
from pipewatcher.registry.sqlite_notices import SQLiteNotices
from pipewatcher.registry.sqlite_people import SQLitePeople
from pipewatcher.registry.sqlite_rejections import SQLiteRejections
from pipewatcher.registry.sqlite_retention import SQLiteRetention

_SENSOR_FIELDS = Sensor.__struct_fields__
_SENSOR_COLUMNS = ", ".join(_SENSOR_FIELDS)
EDITABLE = frozenset(_SENSOR_FIELDS) - {"equipment_id", "created_at"}


class SQLiteRegistry(
    SQLiteIdentity,
    SQLiteAudit,
    SQLitePeople,
    SQLiteDeadLetters,
    SQLiteGaps,
    SQLiteDowntimes,
    SQLiteRejections,
    SQLiteRetention,
    SQLiteNotices,
):
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


def _sensor(row: Sequence[object]) -> Sensor:
    return msgspec.convert(dict(zip(_SENSOR_FIELDS, row, strict=True)), Sensor)


def _job(row: Sequence[object]) -> ImportJob:
    body = row[0]
    assert isinstance(body, bytes)
    return msgspec.json.decode(body, type=ImportJob)
