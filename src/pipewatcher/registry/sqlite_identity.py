"""Tokens and sessions in the embedded registry."""

from __future__ import annotations

import msgspec

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model import Micros, Session, Token
from pipewatcher.registry.sqlite_file import SQLiteFile


class SQLiteIdentity(SQLiteFile):
    async def add_token(
        self, name: str, role: str, secret_sha256: bytes, created_at: Micros
    ) -> Token:
        insert = (
            "INSERT INTO token (name, role, secret_sha256, created_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING RETURNING id"
        )
        rows = await self._rows(insert, (name, role, secret_sha256, created_at))
        if not rows:
            raise Conflict(f"There is a token named {name} already.")
        return Token(
            id=int(str(rows[0][0])),
            name=name,
            role=role,
            secret_sha256=secret_sha256,
            created_at=created_at,
        )

    async def tokens(self) -> list[Token]:
        rows = await self._rows(
            "SELECT id, name, role, secret_sha256, created_at FROM token ORDER BY id"
        )
        return [
            msgspec.convert(dict(zip(Token.__struct_fields__, row, strict=True)), Token)
            for row in rows
        ]

    async def remove_token(self, token_id: int) -> None:
        if not await self._rows("DELETE FROM token WHERE id = ? RETURNING id", (token_id,)):
            raise NotFound(f"There is no token {token_id}.")

    async def add_session(self, session: Session) -> None:
        await self._rows(
            "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
            msgspec.structs.astuple(session),
        )

    async def session(self, secret_sha256: bytes) -> Session | None:
        rows = await self._rows(
            "SELECT secret_sha256, name, role, created_at, expires_at FROM session "
            "WHERE secret_sha256 = ?",
            (secret_sha256,),
        )
        if not rows:
            return None
        return msgspec.convert(dict(zip(Session.__struct_fields__, rows[0], strict=True)), Session)

    async def remove_session(self, secret_sha256: bytes) -> None:
        await self._rows("DELETE FROM session WHERE secret_sha256 = ?", (secret_sha256,))

    async def remove_expired_sessions(self, now: Micros) -> int:
        gone = await self._rows("DELETE FROM session WHERE expires_at <= ? RETURNING 1", (now,))
        return len(gone)
