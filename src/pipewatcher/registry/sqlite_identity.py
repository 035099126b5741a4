"""Tokens and sessions in the embedded registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model.identity import Session, Token, TokenLimits
from pipewatcher.model.time import Micros
from pipewatcher.registry.sqlite_file import SQLiteFile
from pipewatcher.registry_ports import NO_LIMITS

_TOKEN_COLUMNS = ", ".join(Token.__struct_fields__)
_SESSION_COLUMNS = ", ".join(Session.__struct_fields__)


class SQLiteIdentity(SQLiteFile):
    _token_changes = 0
    """Of this process, which holds the file alone."""

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
        rows = await self._rows(
            "INSERT INTO token (name, role, secret_sha256, created_at, created_by, limits) "
            f"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING {_TOKEN_COLUMNS}",
            (name, role, secret_sha256, created_at, created_by, msgspec.json.encode(limits)),
        )
        if not rows:
            raise Conflict(f"There is a token named {name} already.")
        self._token_changes += 1
        return _token(rows[0])

    async def tokens(self) -> list[Token]:
        rows = await self._rows(f"SELECT {_TOKEN_COLUMNS} FROM token ORDER BY id")
        return [_token(row) for row in rows]

    async def token_changes(self) -> int:
        return self._token_changes

    async def rotate_token(
        self, token_id: int, secret_sha256: bytes, previous_until: Micros
    ) -> Token:
        rows = await self._rows(
            "UPDATE token SET previous_sha256 = secret_sha256, previous_until = ?, "
            f"secret_sha256 = ? WHERE id = ? RETURNING {_TOKEN_COLUMNS}",
            (previous_until, secret_sha256, token_id),
        )
        return self._changed(token_id, rows)

    async def tokens_used(self, token_ids: Sequence[int], used_at: Micros) -> None:
        await self._run(
            lambda connection: connection.executemany(
                "UPDATE token SET last_used_at = ? WHERE id = ?",
                [(used_at, token_id) for token_id in token_ids],
            )
        )

    async def remove_token(self, token_id: int) -> Token:
        return self._changed(
            token_id,
            await self._rows(
                f"DELETE FROM token WHERE id = ? RETURNING {_TOKEN_COLUMNS}", (token_id,)
            ),
        )

    def _changed(self, token_id: int, rows: Sequence[Sequence[object]]) -> Token:
        if not rows:
            raise NotFound(f"There is no token {token_id}.")
        self._token_changes += 1
        return _token(rows[0])

    async def add_session(self, session: Session) -> None:
        places = ", ".join("?" for _ in Session.__struct_fields__)
        await self._rows(
            f"INSERT OR REPLACE INTO session ({_SESSION_COLUMNS}) VALUES ({places})",
            msgspec.structs.astuple(session),
        )

    async def session(self, secret_sha256: bytes) -> Session | None:
        rows = await self._rows(
            f"SELECT {_SESSION_COLUMNS} FROM session WHERE secret_sha256 = ?", (secret_sha256,)
        )
        return _session(rows[0]) if rows else None

    async def remove_session(self, secret_sha256: bytes) -> None:
        await self._rows("DELETE FROM session WHERE secret_sha256 = ?", (secret_sha256,))

    async def sessions_of(self, person_id: int) -> list[Session]:
        rows = await self._rows(
            f"SELECT {_SESSION_COLUMNS} FROM session WHERE person_id = ? ORDER BY created_at DESC",
            (person_id,),
        )
        return [_session(row) for row in rows]

    async def session_seen(self, secret_sha256: bytes, seen_at: Micros) -> None:
        await self._rows(
            "UPDATE session SET seen_at = ? WHERE secret_sha256 = ?", (seen_at, secret_sha256)
        )

    async def remove_expired_sessions(self, now: Micros) -> int:
        gone = await self._rows("DELETE FROM session WHERE expires_at <= ? RETURNING 1", (now,))
        return len(gone)

    async def use_once(self, key: bytes, now: Micros, until: Micros) -> bool:
        await self._rows("DELETE FROM used_once WHERE until <= ?", (now,))
        used = await self._rows(
            "INSERT INTO used_once VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1", (key, until)
        )
        return bool(used)


def _session(row: Sequence[object]) -> Session:
    return msgspec.convert(dict(zip(Session.__struct_fields__, row, strict=True)), Session)


def _token(row: Sequence[object]) -> Token:
    values: dict[str, Any] = dict(zip(Token.__struct_fields__, row, strict=True))
    values["limits"] = msgspec.json.decode(values["limits"])
    return msgspec.convert(values, Token)
