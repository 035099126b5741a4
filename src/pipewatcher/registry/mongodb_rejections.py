"""How many readings were rejected since ever, in the shared registry."""

from __future__ import annotations

from collections.abc import Mapping

from pipewatcher.registry.mongodb_database import MongoDBDatabase, answering

_NAME = "rejected"
_ONLY = "only"


class MongoDBRejections(MongoDBDatabase):
    async def rejected(self) -> dict[str, int]:
        with answering():
            found = await self._collection(_NAME).find_one({"_id": _ONLY})
        return {} if found is None else dict(found["doors"])

    async def set_rejected(self, counts: Mapping[str, int]) -> None:
        if not counts:
            return
        doors = {f"doors.{door}": readings for door, readings in counts.items()}
        with answering():
            await self._collection(_NAME).update_one({"_id": _ONLY}, {"$set": doors}, upsert=True)
