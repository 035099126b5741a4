"""Notifications, who has read them, and silences, in the embedded registry."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from pipewatcher.model.plant import Notification, Silence
from pipewatcher.model.time import Micros
from pipewatcher.registry.sqlite_file import SQLiteFile

_FIELDS = Notification.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_INSERT = (
    f"INSERT INTO notification (key, {', '.join(_FIELDS[1:])}) "
    f"VALUES (?, {', '.join('?' * (len(_FIELDS) - 1))})"
)
_SILENCE = ", ".join(Silence.__struct_fields__)


class SQLiteNotices(SQLiteFile):
    async def notify(self, notification: Notification, key: str) -> None:
        def add(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT count FROM notification WHERE key = ?", (key,)
            ).fetchone()
            if row is not None and row[0] >= notification.count:
                return
            connection.execute("DELETE FROM notification WHERE key = ?", (key,))
            connection.execute(_INSERT, (key, *msgspec.structs.astuple(notification)[1:]))

        await self._run(add)

    async def notifications(self, limit: int, before_id: int | None = None) -> list[Notification]:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM notification "
            "WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
            (before_id, limit),
        )
        return [_notification(row) for row in rows]

    async def notifications_after(self, after_id: int, limit: int) -> list[Notification]:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM notification WHERE id > ? ORDER BY id LIMIT ?",
            (after_id, limit),
        )
        return [_notification(row) for row in rows]

    async def count_unread(self, person: str, count_max: int) -> int:
        rows = await self._rows(
            "SELECT count(*) FROM (SELECT 1 FROM notification WHERE id > coalesce("
            "(SELECT up_to FROM notification_read WHERE person = ?), 0) LIMIT ?)",
            (person, count_max),
        )
        return int(str(rows[0][0]))

    async def read_up_to(self, person: str) -> int:
        rows = await self._rows("SELECT up_to FROM notification_read WHERE person = ?", (person,))
        return int(str(rows[0][0])) if rows else 0

    async def mark_read(self, person: str, up_to: int) -> None:
        await self._rows(
            "INSERT INTO notification_read VALUES (?, ?) ON CONFLICT (person) "
            "DO UPDATE SET up_to = max(up_to, excluded.up_to)",
            (person, up_to),
        )

    async def silences(self) -> list[Silence]:
        rows = await self._rows(f"SELECT {_SILENCE} FROM silence ORDER BY equipment_id")
        fields = Silence.__struct_fields__
        return [msgspec.convert(dict(zip(fields, row, strict=True)), Silence) for row in rows]

    async def begin_silences(self, silences: Sequence[Silence]) -> None:
        rows = [msgspec.structs.astuple(silence) for silence in silences]
        insert = (
            f"INSERT INTO silence ({_SILENCE}) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (equipment_id) DO NOTHING"
        )
        await self._run(lambda connection: connection.executemany(insert, rows))

    async def end_silences(self, equipment_ids: Sequence[str]) -> None:
        rows = [(name,) for name in equipment_ids]
        await self._run(
            lambda connection: connection.executemany(
                "DELETE FROM silence WHERE equipment_id = ?", rows
            )
        )

    async def claim(self, what: str, holder: str, now: Micros, until: Micros) -> bool:
        rows = await self._rows(
            "INSERT INTO lease VALUES (?1, ?2, ?4) ON CONFLICT (what) "
            "DO UPDATE SET holder = ?2, until = ?4 WHERE holder = ?2 OR until <= ?3 RETURNING 1",
            (what, holder, now, until),
        )
        return bool(rows)


def _notification(row: Sequence[object]) -> Notification:
    return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Notification)
