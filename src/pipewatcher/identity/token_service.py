"""Tokens made, rotated and revoked; what changes here counts here at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pipewatcher.identity.tokens import Authenticator, mint
from pipewatcher.model.identity import Token, TokenLimits
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.registry_ports import TokenRegistry


class TokenService:
    def __init__(
        self,
        registry: TokenRegistry,
        authenticator: Authenticator,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._clock = clock

    async def all(self) -> Sequence[Token]:
        await self._authenticator.write_uses()
        return await self._registry.tokens()

    async def make(
        self, name: str, role: str, limits: TokenLimits, *, created_by: str
    ) -> tuple[Token, str]:
        """With its text, which is kept nowhere. Raises `Conflict` when the name is taken."""
        minted = mint()
        token = await self._registry.add_token(
            name, role, minted.secret_sha256, self._now(), created_by=created_by, limits=limits
        )
        await self._authenticator.refresh()
        return token, minted.text

    async def rotate(self, token_id: int, overlap: Micros) -> tuple[Token, str]:
        """A new text; the present one goes on for `overlap`. Raises `NotFound`."""
        minted = mint()
        token = await self._registry.rotate_token(
            token_id, minted.secret_sha256, self._now() + overlap
        )
        await self._authenticator.refresh()
        return token, minted.text

    async def revoke(self, token_id: int) -> Token:
        """Refused here when it returns, by other processes within a second. Raises `NotFound`."""
        token = await self._registry.remove_token(token_id)
        await self._authenticator.refresh()
        return token

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
