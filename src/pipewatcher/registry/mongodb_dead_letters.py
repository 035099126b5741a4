"""Dead letters in the shared registry."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from pipewatcher.errors import NotFound
from pipewatcher.model.readings import DeadLetter
from pipewatcher.registry.mongodb_database import (
    ATTEMPTS,
    Document,
    MongoDBDatabase,
    NoFreeNumber,
    answering,
    insert_missing,
)

_NAME = "dead_letter"


class MongoDBDeadLetters(MongoDBDatabase):
    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        waiting = [_document(letter) for letter in letters]
        with answering():
            for _ in range(ATTEMPTS):
                if not waiting:
                    return
                last = await self._next_id(_NAME, len(waiting))
                for number, document in enumerate(waiting, last - len(waiting) + 1):
                    document["_id"] = number
                made = await insert_missing(self._collection(_NAME), waiting)
                numbers = {document["_id"] for document in made}
                waiting = [one for one in waiting if one["_id"] not in numbers]
                if waiting:
                    await self._catch_up(_NAME, "_id")
            raise NoFreeNumber

    async def dead_letters(
        self,
        limit: int,
        before_id: int | None = None,
        *,
        door: str | None = None,
        text: str | None = None,
    ) -> list[DeadLetter]:
        wanted = _filter(door, text)
        if before_id is not None:
            wanted["_id"] = {"$lt": before_id}
        with answering():
            found = self._collection(_NAME).find(wanted).sort("_id", -1).limit(limit)
            return [_letter(document) async for document in found]

    async def count_dead_letters(
        self, *, door: str | None = None, text: str | None = None
    ) -> tuple[int, int]:
        found = self._collection(_NAME).find(_filter(door, text), {"size": 1})
        letters = size = 0
        with answering():
            async for document in found:
                letters += 1
                size += document["size"]
        return letters, size

    async def dead_letter(self, letter_id: int) -> DeadLetter:
        with answering():
            found = await self._collection(_NAME).find_one({"_id": letter_id})
        if found is None:
            raise NotFound(f"There is no dead letter {letter_id}.")
        return _letter(found)

    async def save_dead_letter(self, letter: DeadLetter) -> None:
        with answering():
            saved = await self._collection(_NAME).replace_one({"_id": letter.id}, _document(letter))
        if not saved.matched_count:
            raise NotFound(f"There is no dead letter {letter.id}.")

    async def remove_dead_letter(self, letter_id: int) -> None:
        with answering():
            gone = await self._collection(_NAME).delete_one({"_id": letter_id})
        if not gone.deleted_count:
            raise NotFound(f"There is no dead letter {letter_id}.")

    async def trim_dead_letters(self, count_max: int, bytes_max: int) -> int:
        letters = size = 0
        with answering():
            newest = self._collection(_NAME).find({}, {"size": 1}).sort("_id", -1)
            async for document in newest:
                letters += 1
                size += document["size"]
                if letters > count_max or size > bytes_max:
                    gone = await self._collection(_NAME).delete_many(
                        {"_id": {"$lte": document["_id"]}}
                    )
                    return gone.deleted_count
        return 0


def _filter(door: str | None, text: str | None) -> Document:
    wanted: Document = {} if door is None else {"door": door}
    if text is not None:
        holds = {"$regex": re.escape(text), "$options": "i"}
        wanted["$or"] = [{"reason": holds}, {"topic": holds}]
    return wanted


def _document(letter: DeadLetter) -> Document:
    document: Document = msgspec.to_builtins(letter, builtin_types=(bytes,))
    del document["id"]
    return {**document, "size": len(letter.payload)}


def _letter(document: Document) -> DeadLetter:
    del document["size"]
    return msgspec.convert({"id": document.pop("_id"), **document}, DeadLetter)
