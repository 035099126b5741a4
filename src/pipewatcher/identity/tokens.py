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
from dataclasses import dataclass

from pipewatcher.errors import Busy, Conflict
from pipewatcher.model import SECOND, Principal
from pipewatcher.ports import Registry

log = logging.getLogger(__name__)

PREFIX = "pw_"
FIRST_TOKEN = "admin"  # noqa: S105 - a name, not a secret
CACHE_MAX = 20_000
HEADER_BYTES_MAX = 1_024
FOLLOW_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Minted:
    text: str
    secret_sha256: bytes

    def __repr__(self) -> str:
        return "Minted(…)"


def mint() -> Minted:
    """A new token; its text is shown once and kept nowhere."""
    random = secrets.token_bytes(28)
    text = PREFIX + (random + zlib.crc32(random).to_bytes(4, "big")).hex()
    return Minted(text, digest(text))


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Authenticator:
    """Answers from memory. A header that was good is remembered, so the hot path is one lookup in
    a dict; one that was not is hashed each time, so bad tokens cannot fill memory.

    Looking a SHA-256 up leaks no time that depends on the secret: whoever does not have the token
    cannot steer its digest. The digests are still compared in constant time.
    """

    def __init__(self, registry: Registry, admin_token: str | None) -> None:
        self._registry = registry
        self._fixed = digest(admin_token) if admin_token is not None else None
        self._principals: dict[bytes, Principal] = {}
        self._digests: dict[bytes, bytes] = {}
        self._cache: dict[bytes, Principal] = {}

    async def start(self) -> str | None:
        """Loads the tokens. The text of the first admin token when one had to be made."""
        first = None
        if self._fixed is None and not await self._registry.tokens():
            minted = mint()
            now = int(time.time() * SECOND)
            # Of processes that start together one makes it.
            with contextlib.suppress(Conflict):
                await self._registry.add_token(FIRST_TOKEN, "admin", minted.secret_sha256, now)
                first = minted.text
        await self.refresh()
        return first

    async def follow(self) -> None:
        """Until cancelled: what other processes change counts here within a second."""
        while True:
            await asyncio.sleep(FOLLOW_INTERVAL_S)
            try:
                await self.refresh()
            except Busy as error:
                log.warning("tokens stay as they were known: %s", error)

    async def refresh(self) -> None:
        """After any change of the tokens."""
        principals = {
            token.secret_sha256: Principal(name=token.name, role=token.role)
            for token in await self._registry.tokens()
        }
        if self._fixed is not None:
            principals[self._fixed] = Principal(name=FIRST_TOKEN, role="admin")
        if principals == self._principals:
            return
        self._digests = {key: key for key in principals}
        self._principals = principals
        self._cache = {}

    def bearer(self, header: bytes | None) -> Principal | None:
        """Whose token an `Authorization` header carries; None when nobody's."""
        if header is None:
            return None
        known = self._cache.get(header)
        if known is not None:
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
        secret = digest(text)
        stored = self._digests.get(secret)
        if stored is None or not hmac.compare_digest(stored, secret):
            return None
        return self._principals[stored]
