"""People and invitations in the shared registry."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model.identity import Invitation, Person
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.registry.mongodb_database import (
    Document,
    MongoDBDatabase,
    answering,
    subject_key,
)

STEP: Micros = 30 * SECOND
STEPS_KEPT = 10
"""So long after it a step is remembered by itself; older ones are refused by the newest."""
_EDITABLE = frozenset({"role", "password_hash", "totp_secret", "disabled", "signed_in_at"})


class MongoDBPeople(MongoDBDatabase):
    async def add_person(
        self,
        name: str,
        role: str,
        password_hash: str | None,
        created_at: Micros,
        *,
        created_by: str,
        issuer: str | None = None,
        subject: str | None = None,
    ) -> Person:
        person = {
            "name": name,
            "name_key": name.casefold(),
            "role": role,
            "password_hash": password_hash,
            "created_at": created_at,
            "created_by": created_by,
            "totp_step": 0,
            "issuer": issuer,
            "subject": subject,
            "subject_key": subject_key(name, issuer, subject),
        }
        same = {"$or": [{key: person[key]} for key in ("name_key", "subject_key")]}
        with answering():
            number = await self._insert_numbered("person", person, same)
        if number is None:
            raise Conflict(f"There is somebody named {name} already.")
        return _person({"_id": number, **person})

    async def people(self) -> list[Person]:
        with answering():
            return [_person(one) async for one in self._collection("person").find().sort("_id", 1)]

    async def person(self, person_id: int) -> Person:
        with answering():
            found = await self._collection("person").find_one({"_id": person_id})
        return _found(found, person_id)

    async def person_named(self, name: str) -> Person | None:
        with answering():
            found = await self._collection("person").find_one({"name_key": name.casefold()})
        return None if found is None else _person(found)

    async def person_of(self, issuer: str, subject: str) -> Person | None:
        key = subject_key("", issuer, subject)
        with answering():
            found = await self._collection("person").find_one({"subject_key": key})
        return None if found is None else _person(found)

    async def update_person(
        self, person_id: int, changes: Mapping[str, str | int | None]
    ) -> Person:
        unknown = changes.keys() - _EDITABLE
        if unknown:
            raise ValueError(f"not to be edited: {', '.join(sorted(unknown))}")
        with answering():
            found = await self._collection("person").find_one_and_update(
                {"_id": person_id}, {"$set": dict(changes)}, return_document=ReturnDocument.AFTER
            )
        return _found(found, person_id)

    async def use_totp_step(self, person_id: int, step: int) -> bool:
        once = {"_id": f"totp {person_id} {step}".encode(), "until": (step + STEPS_KEPT) * STEP}
        with answering():
            # Decides between several at once also on servers that look before they update.
            try:
                await self._collection("used_once").insert_one(once)
            except DuplicateKeyError:
                return False
            used = await self._collection("person").update_one(
                {"_id": person_id, "totp_step": {"$lt": step}}, {"$set": {"totp_step": step}}
            )
        return bool(used.matched_count)

    async def remove_person(self, person_id: int) -> Person:
        with answering():
            found = await self._collection("person").find_one_and_delete({"_id": person_id})
            # Without the person a session is nobody's: a crash here leaves only what expires.
            await self._collection("session").delete_many({"person_id": person_id})
        return _found(found, person_id)

    async def add_invitation(self, invitation: Invitation) -> None:
        document = msgspec.structs.asdict(invitation)
        with answering():
            await self._collection("invitation").insert_one(
                {"_id": document.pop("secret_sha256"), **document}
            )

    async def invitations(self) -> list[Invitation]:
        with answering():
            found = await self._collection("invitation").find().sort("created_at", 1).to_list()
        return [
            msgspec.convert({"secret_sha256": one.pop("_id"), **one}, Invitation) for one in found
        ]

    async def take_invitation(self, secret_sha256: bytes) -> bool:
        with answering():
            gone = await self._collection("invitation").delete_one({"_id": secret_sha256})
        return bool(gone.deleted_count)


def _found(document: Document | None, person_id: int) -> Person:
    if document is None:
        raise NotFound(f"There is no person {person_id}.")
    return _person(document)


def _person(document: Document) -> Person:
    return msgspec.convert({"id": document.pop("_id"), **document}, Person)
