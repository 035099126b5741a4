"""For how long readings are kept, in the shared registry."""

from __future__ import annotations

import msgspec

from pipewatcher.model.plant import Retention
from pipewatcher.registry.mongodb_database import MongoDBDatabase, answering

_NAME = "retention"
_ONLY = "only"


class MongoDBRetention(MongoDBDatabase):
    async def retention(self) -> Retention:
        with answering():
            found = await self._collection(_NAME).find_one({"_id": _ONLY})
        if found is None:
            return Retention()
        del found["_id"]
        return msgspec.convert(found, Retention)

    async def set_retention(self, retention: Retention) -> None:
        document = msgspec.to_builtins(retention)
        with answering():
            await self._collection(_NAME).replace_one({"_id": _ONLY}, document, upsert=True)
