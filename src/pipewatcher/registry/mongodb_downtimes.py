"""When the historian was away, in the shared registry."""

from __future__ import annotations

from pipewatcher.model.gaps import Downtime
from pipewatcher.registry.mongodb_database import MongoDBDatabase, answering

_NAME = "downtime"


class MongoDBDowntimes(MongoDBDatabase):
    async def downtimes(self) -> list[Downtime]:
        with answering():
            found = [document async for document in self._collection(_NAME).find({}).sort("_id")]
        return [Downtime(start=document["_id"], end=document["end"]) for document in found]

    async def add_downtime(self, downtime: Downtime) -> None:
        with answering():
            await self._collection(_NAME).replace_one(
                {"_id": downtime.start}, {"end": downtime.end}, upsert=True
            )
