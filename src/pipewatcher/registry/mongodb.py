"""The shared registry: a MongoDB database that several processes of a plant use at once.

Ids of sensors and notifications are unique by `_id`, so of two processes that add one, exactly one
is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from pymongo import ReturnDocument

from pipewatcher.errors import NotFound
from pipewatcher.model.imports import ImportJob
from pipewatcher.model.plant import Sensor
from pipewatcher.model.time import Micros
from pipewatcher.registry.mongodb_audit import MongoDBAudit
from pipewatcher.registry.mongodb_database import (
    ATTEMPTS,
    Document,
    NoFreeNumber,
    answering,
    insert_missing,
)
from pipewatcher.registry.mongodb_dead_letters import MongoDBDeadLetters
from pipewatcher.registry.mongodb_downtimes import MongoDBDowntimes
from pipewatcher.registry.mongodb_gaps import MongoDBGaps
from pipewatcher.registry.mongodb_identity import MongoDBIdentity
from pipewatcher.registry.mongodb_notices import MongoDBNotices
from pipewatcher.registry.mongodb_people import MongoDBPeople
from pipewatcher.registry.mongodb_rejections import MongoDBRejections
from pipewatcher.registry.mongodb_retention import MongoDBRetention

BATCH_IDS = 500
"""Sensors per round trip when many are registered; with fewer, 20,000 took three times as long."""
_EDITABLE = frozenset(Sensor.__struct_fields__) - {"equipment_id", "created_at"}


class MongoDBRegistry(
    MongoDBIdentity,
    MongoDBAudit,
    MongoDBPeople,
    MongoDBDeadLetters,
    MongoDBGaps,
    MongoDBDowntimes,
    MongoDBRejections,
    MongoDBRetention,
    MongoDBNotices,
):
    """`url` is `mongodb://` or `mongodb+srv://` with everything that the driver understands in it:
    credentials, replica set, TLS."""

    async def register(self, equipment_ids: Sequence[str], seen_at: Micros) -> list[str]:
        wanted = list(dict.fromkeys(equipment_ids))
        new: list[str] = []
        for begin in range(0, len(wanted), BATCH_IDS):
            new += await self._register(wanted[begin : begin + BATCH_IDS], seen_at)
        return new

    async def _register(self, equipment_ids: Sequence[str], seen_at: Micros) -> list[str]:
        with answering():
            known = self._collection("sensor").find({"_id": {"$in": equipment_ids}}, {"_id": 1})
            there = {sensor["_id"] async for sensor in known}
            unknown = [name for name in equipment_ids if name not in there]
            if not unknown:
                return []
            # Notifications first: a sensor that is there is never looked at again, so after a
            # crash between the two the next call finds it missing, and its notification made.
            await self._notify(unknown, seen_at)
            new = await insert_missing(
                self._collection("sensor"),
                [{"_id": name, "created_at": seen_at} for name in unknown],
            )
            return [sensor["_id"] for sensor in new]

    async def _notify(self, equipment_ids: Sequence[str], seen_at: Micros) -> None:
        """One `new_sensor` for each, whoever made it. The unique key decides, not the counter."""
        notifications = self._collection("notification")
        missing = {f"new_sensor:{name}": name for name in equipment_ids}
        for _ in range(ATTEMPTS):
            last = await self._next_id("notification", len(missing))
            documents = [
                {
                    "_id": key,
                    "id": number,
                    "kind": "new_sensor",
                    "equipment_id": name,
                    "created_at": seen_at,
                }
                for number, (key, name) in enumerate(missing.items(), last - len(missing) + 1)
            ]
            made = await insert_missing(notifications, documents)
            if len(made) == len(missing):
                return
            # It was there already, or only its number was taken.
            there = notifications.find({"_id": {"$in": list(missing)}}, {"_id": 1})
            for notification in await there.to_list():
                del missing[notification["_id"]]
            if not missing:
                return
            await self._catch_up("notification", "id")
        raise NoFreeNumber

    async def sensors(self) -> list[Sensor]:
        with answering():
            found = [_sensor(document) async for document in self._collection("sensor").find()]
        return sorted(found, key=lambda sensor: sensor.equipment_id)

    async def sensor(self, equipment_id: str) -> Sensor:
        with answering():
            found = await self._collection("sensor").find_one({"_id": equipment_id})
        if found is None:
            raise NotFound(f"There is no sensor {equipment_id}.")
        return _sensor(found)

    async def update_sensor(
        self, equipment_id: str, changes: Mapping[str, str | float | None]
    ) -> Sensor:
        unknown = changes.keys() - _EDITABLE
        if unknown:
            raise ValueError(f"not to be edited: {', '.join(sorted(unknown))}")
        if not changes:
            return await self.sensor(equipment_id)
        with answering():
            found = await self._collection("sensor").find_one_and_update(
                {"_id": equipment_id},
                {"$set": dict(changes)},
                return_document=ReturnDocument.AFTER,
            )
        if found is None:
            raise NotFound(f"There is no sensor {equipment_id}.")
        return _sensor(found)

    async def add_import(self, job: ImportJob) -> ImportJob:
        with answering():
            number = await self._insert_numbered("import", _document(job))
        assert number is not None
        return msgspec.structs.replace(job, id=number)

    async def save_import(self, job: ImportJob) -> None:
        with answering():
            saved = await self._collection("import").replace_one({"_id": job.id}, _document(job))
        if not saved.matched_count:
            raise NotFound(f"There is no import {job.id}.")

    async def import_job(self, import_id: int) -> ImportJob:
        with answering():
            found = await self._collection("import").find_one({"_id": import_id})
        if found is None:
            raise NotFound(f"There is no import {import_id}.")
        return _job(found)

    async def import_jobs(self, limit: int, before_id: int | None = None) -> list[ImportJob]:
        older = {} if before_id is None else {"_id": {"$lt": before_id}}
        with answering():
            found = self._collection("import").find(older).sort("_id", -1).limit(limit)
            return [_job(document) async for document in found]


def _document(job: ImportJob) -> Document:
    document: Document = msgspec.to_builtins(job)
    del document["id"]
    return document


def _sensor(document: Document) -> Sensor:
    return msgspec.convert({"equipment_id": document.pop("_id"), **document}, Sensor)


def _job(document: Document) -> ImportJob:
    return msgspec.convert({"id": document.pop("_id"), **document}, ImportJob)
