"""Tokens and sessions in the shared registry."""

from __future__ import annotations

import msgspec

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model import Micros, Session, Token
from pipewatcher.registry.mongodb_database import MongoDBDatabase, answering, upserted


class MongoDBIdentity(MongoDBDatabase):
    async def add_token(
        self, name: str, role: str, secret_sha256: bytes, created_at: Micros
    ) -> Token:
        token = {
            "name": name,
            "role": role,
            "secret_sha256": secret_sha256,
            "created_at": created_at,
        }
        same = {"$or": [{"name": name}, {"secret_sha256": secret_sha256}]}
        with answering():
            number = await self._insert_numbered("token", token, same)
        if number is None:
            raise Conflict(f"There is a token named {name} already.")
        return msgspec.convert({"id": number, **token}, Token)

    async def tokens(self) -> list[Token]:
        with answering():
            found = await self._collection("token").find().sort("_id", 1).to_list()
        return [msgspec.convert({"id": token.pop("_id"), **token}, Token) for token in found]

    async def remove_token(self, token_id: int) -> None:
        with answering():
            gone = await self._collection("token").delete_one({"_id": token_id})
        if not gone.deleted_count:
            raise NotFound(f"There is no token {token_id}.")

    async def add_session(self, session: Session) -> None:
        document = msgspec.structs.asdict(session)
        key = {"_id": document.pop("secret_sha256")}
        sessions = self._collection("session")
        with answering():
            await upserted(lambda: sessions.replace_one(key, document, upsert=True))

    async def session(self, secret_sha256: bytes) -> Session | None:
        with answering():
            found = await self._collection("session").find_one({"_id": secret_sha256})
        if found is None:
            return None
        return msgspec.convert({"secret_sha256": found.pop("_id"), **found}, Session)

    async def remove_session(self, secret_sha256: bytes) -> None:
        with answering():
            await self._collection("session").delete_one({"_id": secret_sha256})

    async def remove_expired_sessions(self, now: Micros) -> int:
        with answering():
            gone = await self._collection("session").delete_many({"expires_at": {"$lte": now}})
        return gone.deleted_count
