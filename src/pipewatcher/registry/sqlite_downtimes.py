"""When the historian was away, in the embedded registry."""

from __future__ import annotations

import msgspec

from pipewatcher.model.gaps import Downtime
from pipewatcher.registry.sqlite_file import SQLiteFile


class SQLiteDowntimes(SQLiteFile):
    async def downtimes(self) -> list[Downtime]:
        rows = await self._rows('SELECT "start", "end" FROM downtime ORDER BY "start"')
        return [msgspec.convert({"start": start, "end": end}, Downtime) for start, end in rows]

    async def add_downtime(self, downtime: Downtime) -> None:
        await self._rows(
            "INSERT OR REPLACE INTO downtime VALUES (?, ?)", (downtime.start, downtime.end)
        )
