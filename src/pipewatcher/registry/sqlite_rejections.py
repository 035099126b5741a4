"""How many readings were rejected since ever, in the embedded registry."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipewatcher.registry.sqlite_file import SQLiteFile


class SQLiteRejections(SQLiteFile):
    async def rejected(self) -> dict[str, int]:
        rows = await self._rows("SELECT door, readings FROM rejected")
        return dict(msgspec.convert(rows, list[tuple[str, int]]))

    async def set_rejected(self, counts: Mapping[str, int]) -> None:
        await self._rows(
            "INSERT OR REPLACE INTO rejected SELECT key, value FROM json_each(?)",
            (msgspec.json.encode(counts).decode(),),
        )
