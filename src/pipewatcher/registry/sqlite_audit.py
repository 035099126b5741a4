"""The audit in the embedded registry; triggers refuse every change of an entry."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from pipewatcher.audit_chain import chained, words
from pipewatcher.model.identity import AuditEntry, Change
from pipewatcher.model.time import Micros
from pipewatcher.registry.sqlite_file import SQLiteFile

_FIELDS = AuditEntry.__struct_fields__
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_NEWEST = f"SELECT {_COLUMNS} FROM audit ORDER BY id DESC LIMIT 1"


class SQLiteAudit(SQLiteFile):
    async def add_change(self, change: Change, at: Micros) -> AuditEntry:
        def add(connection: sqlite3.Connection) -> AuditEntry:
            newest = [_entry(row) for row in connection.execute(_NEWEST)]
            entry = chained(change, at, newest[0] if newest else None)
            places = ", ".join("?" for _ in _FIELDS)
            connection.execute(
                f"INSERT INTO audit ({_COLUMNS}, words) VALUES ({places}, ?)",
                (*msgspec.structs.astuple(entry), words(change)),
            )
            return entry

        return await self._run(add)

    async def changes(
        self, limit: int, before_id: int | None = None, q: str = ""
    ) -> list[AuditEntry]:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM audit WHERE (?1 IS NULL OR id < ?1) "
            "AND (?2 = '' OR instr(words, ?2)) ORDER BY id DESC LIMIT ?3",
            (before_id, q.casefold(), limit),
        )
        return [_entry(row) for row in rows]

    async def changes_after(self, entry_id: int, limit: int) -> list[AuditEntry]:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM audit WHERE id > ? ORDER BY id LIMIT ?", (entry_id, limit)
        )
        return [_entry(row) for row in rows]


def _entry(row: Sequence[object]) -> AuditEntry:
    return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), AuditEntry)
