"""Notifications, who has read them, and silences, in the shared registry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pymongo.errors import DuplicateKeyError

from pipewatcher.model.plant import Notification, Silence
from pipewatcher.model.time import Micros
from pipewatcher.registry.mongodb_database import (
    ATTEMPTS,
    Document,
    MongoDBDatabase,
    NoFreeNumber,
    answering,
    insert_missing,
    upserted,
)


class MongoDBNotices(MongoDBDatabase):
    async def notify(self, notification: Notification, key: str) -> None:
        notifications = self._collection("notification")
        document: Document = msgspec.to_builtins(notification)
        with answering():
            for _ in range(ATTEMPTS):
                standing = await notifications.find_one({"_id": key})
                if standing is not None and standing.get("count", 1) >= notification.count:
                    return
                document["id"] = await self._next_id("notification")
                try:
                    if standing is None:
                        await notifications.insert_one({"_id": key, **document})
                        return
                    # Under a new id it is told anew, to everybody. Looked at again: somebody else
                    # may have been first, with less.
                    await notifications.update_one(
                        {"_id": key, "id": standing["id"]}, {"$set": document}
                    )
                except DuplicateKeyError:
                    # Somebody else told it, or the number was taken.
                    await self._catch_up("notification", "id")
            raise NoFreeNumber

    async def notifications(self, limit: int, before_id: int | None = None) -> list[Notification]:
        older = {} if before_id is None else {"id": {"$lt": before_id}}
        with answering():
            found = self._collection("notification").find(older, {"_id": 0}).sort("id", -1)
            return msgspec.convert(await found.limit(limit).to_list(), list[Notification])

    async def notifications_after(self, after_id: int, limit: int) -> list[Notification]:
        newer = {"id": {"$gt": after_id}}
        with answering():
            found = self._collection("notification").find(newer, {"_id": 0}).sort("id", 1)
            return msgspec.convert(await found.limit(limit).to_list(), list[Notification])

    async def count_unread(self, person: str, count_max: int) -> int:
        read = await self.read_up_to(person)
        with answering():
            return await self._collection("notification").count_documents(
                {"id": {"$gt": read}}, limit=count_max
            )

    async def read_up_to(self, person: str) -> int:
        with answering():
            found = await self._collection("notification_read").find_one({"_id": person})
        return int(found["up_to"]) if found is not None else 0

    async def mark_read(self, person: str, up_to: int) -> None:
        read = self._collection("notification_read")
        with answering():
            await upserted(
                lambda: read.update_one({"_id": person}, {"$max": {"up_to": up_to}}, upsert=True)
            )

    async def silences(self) -> list[Silence]:
        with answering():
            found = [
                msgspec.convert({"equipment_id": document.pop("_id"), **document}, Silence)
                async for document in self._collection("silence").find()
            ]
        return sorted(found, key=lambda silence: silence.equipment_id)

    async def begin_silences(self, silences: Sequence[Silence]) -> None:
        documents = []
        for silence in silences:
            document: Document = msgspec.to_builtins(silence)
            documents.append({"_id": document.pop("equipment_id"), **document})
        if documents:
            with answering():
                await insert_missing(self._collection("silence"), documents)

    async def end_silences(self, equipment_ids: Sequence[str]) -> None:
        if equipment_ids:
            with answering():
                await self._collection("silence").delete_many({"_id": {"$in": list(equipment_ids)}})

    async def claim(self, what: str, holder: str, now: Micros, until: Micros) -> bool:
        leases = self._collection("lease")
        free = {"_id": what, "$or": [{"holder": holder}, {"until": {"$lte": now}}]}
        with answering():
            taken = await leases.update_one(free, {"$set": {"holder": holder, "until": until}})
            if taken.matched_count:
                return True
            try:
                await leases.insert_one({"_id": what, "holder": holder, "until": until})
            except DuplicateKeyError:
                return False
            return True
