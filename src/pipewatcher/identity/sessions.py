"""Sessions: a signed-in browser holds a secret in a cookie; the registry holds its SHA-256."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from pipewatcher.identity.tokens import Authenticator, digest
from pipewatcher.model import HOUR, SECOND, Micros, Principal, Session
from pipewatcher.registry_ports import SessionRegistry

LIFETIME: Micros = 12 * HOUR
CACHE_MAX = 10_000
TRUSTED: Micros = SECOND // 2
"""So long a session is believed without asking the registry: another process may end it."""


class Sessions:
    def __init__(
        self,
        registry: SessionRegistry,
        authenticator: Authenticator,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._clock = clock
        self._cache: dict[bytes, tuple[Micros, Session]] = {}

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
            token_sha256=digest(token),
        )
        await self._registry.remove_expired_sessions(now)
        await self._registry.add_session(session)
        return secret, session

    async def principal(self, cookie: str) -> Principal | None:
        """Who is signed in with this cookie; None when nobody is, or no longer."""
        key = digest(cookie)
        session = await self._session(key)
        if session is None or session.expires_at <= self._now():
            self._cache.pop(key, None)
            return None
        if session.token_sha256 is not None:
            token = self._authenticator.by_digest(session.token_sha256)
            if token is None:
                return None
            return Principal(name=token.name, role=token.role, by="session", rate=token.rate)
        return Principal(name=session.name, role=session.role, by="session")

    async def sign_out(self, cookie: str) -> None:
        key = digest(cookie)
        self._cache.pop(key, None)
        await self._registry.remove_session(key)

    async def _session(self, key: bytes) -> Session | None:
        read_at, session = self._cache.get(key, (0, None))
        now = self._now()
        if session is None or not 0 <= now - read_at < TRUSTED:
            session = await self._registry.session(key)
            if session is not None:
                if len(self._cache) >= CACHE_MAX:
                    self._cache.clear()
                self._cache[key] = (now, session)
        return session

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
