"""For how long readings are kept, in the embedded registry."""

from __future__ import annotations

import msgspec

from pipewatcher.model.plant import Retention
from pipewatcher.registry.sqlite_file import SQLiteFile

_FIELDS = Retention.__struct_fields__


class SQLiteRetention(SQLiteFile):
    async def retention(self) -> Retention:
        rows = await self._rows(f"SELECT {', '.join(_FIELDS)} FROM retention")
        if not rows:
            return Retention()
        return msgspec.convert(dict(zip(_FIELDS, rows[0], strict=True)), Retention)

    async def set_retention(self, retention: Retention) -> None:
        await self._rows(
            f"INSERT OR REPLACE INTO retention (only, {', '.join(_FIELDS)}) VALUES (1, ?, ?, ?)",
            msgspec.structs.astuple(retention),
        )
