"""The audit in the shared registry; of two processes that add at once one tries again."""

from __future__ import annotations

import re

import msgspec
from pymongo.errors import DuplicateKeyError

from pipewatcher.audit_chain import chained, words
from pipewatcher.model.identity import AuditEntry, Change
from pipewatcher.model.time import Micros
from pipewatcher.registry.mongodb_database import (
    Document,
    MongoDBDatabase,
    NoFreeNumber,
    answering,
)

ATTEMPTS = 200


class MongoDBAudit(MongoDBDatabase):
    async def add_change(self, change: Change, at: Micros) -> AuditEntry:
        audit = self._collection("audit")
        with answering():
            for _ in range(ATTEMPTS):
                newest = await audit.find_one({}, sort=[("_id", -1)])
                entry = chained(change, at, _entry(newest) if newest else None)
                document = msgspec.structs.asdict(entry)
                key = {"_id": document.pop("id")}
                try:
                    await audit.insert_one({**key, **document, "words": words(change)})
                except DuplicateKeyError:
                    continue
                return entry
            raise NoFreeNumber

    async def changes(
        self, limit: int, before_id: int | None = None, q: str = ""
    ) -> list[AuditEntry]:
        wanted: Document = {} if before_id is None else {"_id": {"$lt": before_id}}
        if q:
            wanted["words"] = {"$regex": re.escape(q.casefold())}
        with answering():
            found = self._collection("audit").find(wanted).sort("_id", -1).limit(limit)
            return [_entry(document) async for document in found]

    async def changes_after(self, entry_id: int, limit: int) -> list[AuditEntry]:
        with answering():
            found = self._collection("audit").find({"_id": {"$gt": entry_id}})
            return [_entry(document) async for document in found.sort("_id", 1).limit(limit)]


def _entry(document: Document) -> AuditEntry:
    del document["words"]
    return msgspec.convert({"id": document.pop("_id"), **document}, AuditEntry)
