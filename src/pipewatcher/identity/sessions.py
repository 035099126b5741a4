"""Sessions: a signed-in browser holds a secret in a cookie; the registry holds its SHA-256."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from pipewatcher.errors import NotFound
from pipewatcher.identity.tokens import Authenticator, digest
from pipewatcher.model.identity import Person, Principal, Session
from pipewatcher.model.time import HOUR, MINUTE, SECOND, Micros
from pipewatcher.ports import Registry

LIFETIME: Micros = 12 * HOUR
IDLE: Micros = 30 * MINUTE
"""Without a request for so long a session ends; an open page asks all the time."""
CACHE_MAX = 10_000
TRUSTED: Micros = SECOND // 2
"""So long a session is believed without asking the registry: another process may end it."""
SEEN_STEP: Micros = MINUTE
AGENT_CHARS_MAX = 200
ID_TOKEN_CHARS_MAX = 8_192
"""A longer one is not kept: its provider then asks whether to sign out, and no address of ours
gets too long."""


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
        self._cache: dict[bytes, tuple[Micros, Session, Principal]] = {}

    async def sign_in(
        self, token: str, *, address: str = "", agent: str = ""
    ) -> tuple[str, Session] | None:
        """The cookie's secret and the session; None for a token that is not valid."""
        principal = self._authenticator.token(token)
        if principal is None or principal.role == "device":
            return None
        return await self._begin(
            principal.name, principal.role, address, agent, token_sha256=digest(token)
        )

    async def begin(
        self,
        person: Person,
        *,
        address: str = "",
        agent: str = "",
        provider: str | None = None,
        id_token: str | None = None,
    ) -> tuple[str, Session]:
        """For somebody who has shown who he is, here or to the OpenID provider of that name."""
        if id_token is not None and len(id_token) > ID_TOKEN_CHARS_MAX:
            id_token = None
        return await self._begin(
            person.name,
            person.role,
            address,
            agent,
            person_id=person.id,
            provider=provider,
            id_token=id_token,
        )

    async def principal(self, cookie: str) -> Principal | None:
        """Who is signed in with this cookie; None when nobody is, or no longer."""
        key = digest(cookie)
        now = self._now()
        read_at, session, principal = self._cache.get(key, (0, None, None))
        if session is None or principal is None or not 0 <= now - read_at < TRUSTED:
            self._cache.pop(key, None)
            session = await self._registry.session(key)
            principal = None if session is None else await self._principal(session)
            if session is None or principal is None:
                return None
            if len(self._cache) >= CACHE_MAX:
                self._cache.clear()
            self._cache[key] = (now, session, principal)
        if session.token_sha256 and not self._authenticator.by_digest(session.token_sha256):
            return None
        if now >= min(session.expires_at, session.seen_at + IDLE):
            return None
        if now >= session.seen_at + SEEN_STEP:
            self._cache.pop(key, None)
            await self._registry.session_seen(key, now)
        return principal

    async def sign_out(self, cookie: str) -> Session | None:
        """What has ended, if anything has."""
        key = digest(cookie)
        session = await self._registry.session(key)
        await self._end(key)
        return session

    async def of(self, person_id: int) -> Sequence[Session]:
        """Those of a person that have not ended, newest first."""
        now = self._now()
        return [
            session
            for session in await self._registry.sessions_of(person_id)
            if now < min(session.expires_at, session.seen_at + IDLE)
        ]

    def is_of(self, session: Session, cookie: str) -> bool:
        return session.secret_sha256 == digest(cookie)

    async def end(self, person_id: int, session_id: str) -> None:
        """Raises `NotFound`."""
        for session in await self._registry.sessions_of(person_id):
            if session.id == session_id:
                await self._end(session.secret_sha256)
                return
        raise NotFound("There is no such session.")

    async def end_all(self, person_id: int, but: str | None = None) -> int:
        """How many; the one of the cookie `but` goes on."""
        kept = digest(but) if but else None
        ended = 0
        for session in await self._registry.sessions_of(person_id):
            if session.secret_sha256 != kept:
                await self._end(session.secret_sha256)
                ended += 1
        return ended

    async def _begin(
        self,
        name: str,
        role: str,
        address: str,
        agent: str,
        *,
        token_sha256: bytes | None = None,
        person_id: int | None = None,
        provider: str | None = None,
        id_token: str | None = None,
    ) -> tuple[str, Session]:
        secret = secrets.token_urlsafe(32)
        now = self._now()
        session = Session(
            secret_sha256=digest(secret),
            name=name,
            role=role,
            created_at=now,
            expires_at=now + LIFETIME,
            token_sha256=token_sha256,
            person_id=person_id,
            seen_at=now,
            address=address,
            agent=agent[:AGENT_CHARS_MAX],
            provider=provider,
            id_token=id_token,
        )
        await self._registry.remove_expired_sessions(now)
        await self._registry.add_session(session)
        return secret, session

    async def _principal(self, session: Session) -> Principal | None:
        """As he is now: of a person the present role, of a token as long as it is valid."""
        if session.person_id is not None:
            try:
                person = await self._registry.person(session.person_id)
            except NotFound:
                return None
            if person.disabled:
                return None
            return Principal(name=person.name, role=person.role, by="session", person_id=person.id)
        if session.token_sha256 is None:
            return None
        token = self._authenticator.by_digest(session.token_sha256)
        if token is None:
            return None
        return Principal(name=token.name, role=token.role, by="session", rate=token.rate)

    async def _end(self, key: bytes) -> None:
        self._cache.pop(key, None)
        await self._registry.remove_session(key)

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
