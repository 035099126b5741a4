"""What people did about gaps, in the embedded registry."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from pipewatcher.model.gaps import GapMark
from pipewatcher.registry.sqlite_file import SQLiteFile

_FIELDS = GapMark.__struct_fields__
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)


class SQLiteGaps(SQLiteFile):
    async def gap_marks(self) -> list[GapMark]:
        rows = await self._rows(f'SELECT {_COLUMNS} FROM gap_mark ORDER BY equipment_id, "start"')
        return [msgspec.convert(dict(zip(_FIELDS, row, strict=True)), GapMark) for row in rows]

    async def save_gap_marks(self, marks: Sequence[GapMark]) -> None:
        save = (
            f"INSERT OR REPLACE INTO gap_mark ({_COLUMNS}) VALUES ({', '.join('?' * len(_FIELDS))})"
        )

        def keep(connection: sqlite3.Connection) -> None:
            connection.executemany(save, [msgspec.structs.astuple(mark) for mark in marks])

        await self._run(keep)
