"""Tokens and sessions in the shared registry."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model.identity import Session, Token, TokenLimits
from pipewatcher.model.time import Micros
from pipewatcher.registry.mongodb_database import Document, MongoDBDatabase, answering, upserted
from pipewatcher.registry_ports import NO_LIMITS

_TOKEN_CHANGES = "token changes"  # noqa: S105 - a counter's name


class MongoDBIdentity(MongoDBDatabase):
    async def add_token(
        self,
        name: str,
        role: str,
        secret_sha256: bytes,
        created_at: Micros,
        *,
        created_by: str = "",
        limits: TokenLimits = NO_LIMITS,
    ) -> Token:
        token = {
            "name": name,
            "role": role,
            "secret_sha256": secret_sha256,
            "created_at": created_at,
            "created_by": created_by,
            "limits": msgspec.to_builtins(limits),
        }
        same = {"$or": [{"name": name}, {"secret_sha256": secret_sha256}]}
        with answering():
            number = await self._insert_numbered("token", token, same)
            if number is None:
                raise Conflict(f"There is a token named {name} already.")
            await self._next_id(_TOKEN_CHANGES)
        return msgspec.convert({"id": number, **token}, Token)

    async def tokens(self) -> list[Token]:
        with answering():
            found = await self._collection("token").find().sort("_id", 1).to_list()
        return [_token(document) for document in found]

    async def token_changes(self) -> int:
        with answering():
            counter = await self._collection("counter").find_one({"_id": _TOKEN_CHANGES})
        return int(counter["last"]) if counter else 0

    async def rotate_token(
        self, token_id: int, secret_sha256: bytes, previous_until: Micros
    ) -> Token:
        tokens = self._collection("token")
        with answering():
            while present := await tokens.find_one({"_id": token_id}):
                found = await tokens.find_one_and_update(
                    {"_id": token_id, "secret_sha256": present["secret_sha256"]},
                    {
                        "$set": {
                            "secret_sha256": secret_sha256,
                            "previous_sha256": present["secret_sha256"],
                            "previous_until": previous_until,
                        }
                    },
                    return_document=ReturnDocument.AFTER,
                )
                if found is not None:
                    await self._next_id(_TOKEN_CHANGES)
                    return _token(found)
        raise NotFound(f"There is no token {token_id}.")

    async def tokens_used(self, token_ids: Sequence[int], used_at: Micros) -> None:
        with answering():
            await self._collection("token").update_many(
                {"_id": {"$in": list(token_ids)}}, {"$set": {"last_used_at": used_at}}
            )

    async def remove_token(self, token_id: int) -> Token:
        with answering():
            gone = await self._collection("token").find_one_and_delete({"_id": token_id})
            if gone is None:
                raise NotFound(f"There is no token {token_id}.")
            await self._next_id(_TOKEN_CHANGES)
        return _token(gone)

    async def add_session(self, session: Session) -> None:
        document = msgspec.structs.asdict(session)
        key = {"_id": document.pop("secret_sha256")}
        sessions = self._collection("session")
        with answering():
            await upserted(lambda: sessions.replace_one(key, document, upsert=True))

    async def session(self, secret_sha256: bytes) -> Session | None:
        with answering():
            found = await self._collection("session").find_one({"_id": secret_sha256})
        return None if found is None else _session(found)

    async def remove_session(self, secret_sha256: bytes) -> None:
        with answering():
            await self._collection("session").delete_one({"_id": secret_sha256})

    async def sessions_of(self, person_id: int) -> list[Session]:
        with answering():
            found = self._collection("session").find({"person_id": person_id})
            return [_session(one) async for one in found.sort("created_at", -1)]

    async def session_seen(self, secret_sha256: bytes, seen_at: Micros) -> None:
        with answering():
            await self._collection("session").update_one(
                {"_id": secret_sha256}, {"$set": {"seen_at": seen_at}}
            )

    async def remove_expired_sessions(self, now: Micros) -> int:
        with answering():
            gone = await self._collection("session").delete_many({"expires_at": {"$lte": now}})
        return gone.deleted_count

    async def use_once(self, key: bytes, now: Micros, until: Micros) -> bool:
        used = self._collection("used_once")
        with answering():
            await used.delete_many({"until": {"$lte": now}})
            try:
                await used.insert_one({"_id": key, "until": until})
            except DuplicateKeyError:
                return False
        return True


def _session(document: Document) -> Session:
    return msgspec.convert({"secret_sha256": document.pop("_id"), **document}, Session)


def _token(document: Document) -> Token:
    return msgspec.convert({"id": document.pop("_id"), **document}, Token)
