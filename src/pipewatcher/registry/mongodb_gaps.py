"""What people did about gaps, in the shared registry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pymongo import ReplaceOne

from pipewatcher.model.gaps import GapMark
from pipewatcher.registry.mongodb_database import Document, MongoDBDatabase, answering

_NAME = "gap_mark"
BATCH = 1_000
"""Marks per round trip."""


class MongoDBGaps(MongoDBDatabase):
    async def gap_marks(self) -> list[GapMark]:
        with answering():
            found = [document async for document in self._collection(_NAME).find({})]
        marks = [_mark(document) for document in found]
        return sorted(marks, key=lambda mark: (mark.equipment_id, mark.start))

    async def save_gap_marks(self, marks: Sequence[GapMark]) -> None:
        changes = [ReplaceOne({"_id": _id(mark)}, _document(mark), upsert=True) for mark in marks]
        with answering():
            for begin in range(0, len(changes), BATCH):
                await self._collection(_NAME).bulk_write(changes[begin : begin + BATCH])


def _id(mark: GapMark) -> str:
    return f"{mark.start}:{mark.equipment_id}"


def _document(mark: GapMark) -> Document:
    document: Document = msgspec.to_builtins(mark)
    return document


def _mark(document: Document) -> GapMark:
    del document["_id"]
    return msgspec.convert(document, GapMark)
