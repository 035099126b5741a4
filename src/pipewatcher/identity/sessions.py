"""Sessions: a signed-in browser holds a secret in a cookie; the registry holds its SHA-256."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from pipewatcher.identity.tokens import Authenticator, digest
from pipewatcher.model import HOUR, SECOND, Micros, Principal, Session
from pipewatcher.ports import Registry

LIFETIME: Micros = 12 * HOUR
CACHE_MAX = 10_000


class Sessions:
    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._clock = clock
        self._cache: dict[bytes, Session] = {}

    async def sign_in(self, token: str) -> tuple[str, Session] | None:
        """The cookie's secret and the session; None for a token that is not valid."""
        principal = self._authenticator.token(token)
        if principal is None or principal.role == "device":
            return None
        secret = secrets.token_urlsafe(32)
        now = self._now()
        session = Session(
            secret_sha256=digest(secret),
            name=principal.name,
            role=principal.role,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        await self._registry.remove_expired_sessions(now)
        await self._registry.add_session(session)
        return secret, session

    async def principal(self, cookie: str) -> Principal | None:
        """Who is signed in with this cookie; None when nobody is, or no longer."""
        key = digest(cookie)
        session = self._cache.get(key) or await self._registry.session(key)
        if session is None or session.expires_at <= self._now():
            self._cache.pop(key, None)
            return None
        if len(self._cache) >= CACHE_MAX:
            self._cache.clear()
        self._cache[key] = session
        return Principal(name=session.name, role=session.role, by="session")

    async def sign_out(self, cookie: str) -> None:
        key = digest(cookie)
        self._cache.pop(key, None)
        await self._registry.remove_session(key)

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
