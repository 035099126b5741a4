"""Tokens: what devices and scripts show, kept only as SHA-256.

A token is `pw_` and 64 hexadecimal digits: 28 random bytes and their CRC-32, so that secret
scanners know one when they see it. It has 224 random bits, so a fast hash is enough: there is
nothing to guess, and a salt would only forbid the lookup.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import secrets
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from pipewatcher.errors import Busy, Conflict
from pipewatcher.model.identity import Principal, Token
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.rate import RateLimit
from pipewatcher.registry_ports import TokenRegistry

log = logging.getLogger(__name__)

PREFIX = "pw_"
FIRST_TOKEN = "admin"  # noqa: S105 - a name, not a secret
CACHE_MAX = 20_000
HEADER_BYTES_MAX = 1_024
FOLLOW_INTERVAL_S = 0.5
RELOAD_TICKS = 20
"""Everything is read again this often, should another process have died before it said so."""
USE_TICKS = 120
"""`last_used_at` is written once a minute, for all tokens at once."""


@dataclass(frozen=True, slots=True)
class Minted:
    text: str
    secret_sha256: bytes

    def __repr__(self) -> str:
        return "Minted(…)"


def mint(prefix: str = PREFIX) -> Minted:
    """A new token; its text is shown once and kept nowhere."""
    random = secrets.token_bytes(28)
    text = prefix + (random + zlib.crc32(random).to_bytes(4, "big")).hex()
    return Minted(text, digest(text))


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Authenticator:
    """Answers from memory. A header that was good is remembered, so the hot path is one lookup in
    a dict and a mark that the token was used; one that was not is hashed each time, so bad tokens
    cannot fill memory. `follow` throws away what expired, was rotated or revoked.

    Looking a SHA-256 up leaks no time that depends on the secret: whoever does not have the token
    cannot steer its digest. The digests are still compared in constant time.
    """

    def __init__(
        self,
        registry: TokenRegistry,
        admin_token: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._fixed = digest(admin_token) if admin_token is not None else None
        self._fixed_principal = Principal(name=FIRST_TOKEN, role="admin")
        self._principals: dict[bytes, Principal] = {}
        self._digests: dict[bytes, bytes] = {}
        self._cache: dict[bytes, Principal] = {}
        self._known: dict[int, tuple[Token, Principal]] = {}
        self._ends_at: Micros | None = None
        self._changes = -1
        self._used: set[int | None] = set()

    async def start(self) -> str | None:
        """Loads the tokens. The text of the first admin token when one had to be made."""
        first = None
        if self._fixed is None and not await self._registry.tokens():
            minted = mint()
            # Of processes that start together one makes it.
            with contextlib.suppress(Conflict):
                await self._registry.add_token(
                    FIRST_TOKEN,
                    "admin",
                    minted.secret_sha256,
                    self._now(),
                    created_by="first start",
                )
                first = minted.text
        await self.refresh()
        return first

    async def follow(self) -> None:
        """Until cancelled: what expires, and what other processes change, counts here within a
        second."""
        tick = 0
        while True:
            await asyncio.sleep(FOLLOW_INTERVAL_S)
            tick += 1
            try:
                changed = await self._registry.token_changes() != self._changes
                if changed or self._an_end_has_come() or tick % RELOAD_TICKS == 0:
                    await self.refresh()
                if tick % USE_TICKS == 0:
                    await self.write_uses()
            except Busy as error:
                log.warning("tokens stay as they were known: %s", error)

    async def refresh(self) -> None:
        """After any change of the tokens."""
        changes = await self._registry.token_changes()
        tokens = await self._registry.tokens()
        now = self._now()
        principals: dict[bytes, Principal] = {}
        known: dict[int, tuple[Token, Principal]] = {}
        ends: list[Micros] = []
        for token in tokens:
            expires_at, previous_until = token.limits.expires_at, token.previous_until
            if expires_at is not None:
                if expires_at <= now:
                    continue
                ends.append(expires_at)
            principal = self._principal(token)
            known[token.id] = (token, principal)
            principals[token.secret_sha256] = principal
            if token.previous_sha256 and previous_until is not None and previous_until > now:
                principals[token.previous_sha256] = principal
                ends.append(previous_until)
        if self._fixed is not None:
            principals[self._fixed] = self._fixed_principal
        self._changes, self._known, self._ends_at = changes, known, min(ends, default=None)
        if principals != self._principals:
            self._digests = {key: key for key in principals}
            self._principals = principals
            self._cache = {}

    def bearer(self, header: bytes | None) -> Principal | None:
        """Whose token an `Authorization` header carries; None when nobody's."""
        if header is None:
            return None
        known = self._cache.get(header)
        if known is not None:
            self._used.add(known.token_id)
            return known
        if len(header) > HEADER_BYTES_MAX:
            return None
        scheme, _, text = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        principal = self.token(text.strip())
        if principal is not None:
            if len(self._cache) >= CACHE_MAX:
                self._cache.clear()
            self._cache[header] = principal
        return principal

    def token(self, text: str) -> Principal | None:
        """Whose token `text` is."""
        return self.by_digest(digest(text))

    def by_digest(self, secret_sha256: bytes) -> Principal | None:
        """Whose token has this digest, as long as it is valid."""
        stored = self._digests.get(secret_sha256)
        if stored is None or not hmac.compare_digest(stored, secret_sha256):
            return None
        principal = self._principals[stored]
        self._used.add(principal.token_id)
        return principal

    async def write_uses(self) -> None:
        """Which tokens were used since the last time. A kill loses at most a minute of it."""
        used, self._used = self._used - {None}, set()
        if used:
            await self._registry.tokens_used(sorted(id_ for id_ in used if id_), self._now())

    def _principal(self, token: Token) -> Principal:
        """The one that is known already, as long as the token is what it was: it holds the rate."""
        before = self._known.get(token.id)
        limits = token.limits
        if before is not None and before[0].limits == limits:
            return before[1]
        rate = limits.requests_per_s_max
        return Principal(
            name=token.name,
            role=token.role,
            token_id=token.id,
            writes=limits.writes,
            rate=RateLimit(rate, time.monotonic) if rate is not None else None,
        )

    def _an_end_has_come(self) -> bool:
        return self._ends_at is not None and self._ends_at <= self._now()

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
