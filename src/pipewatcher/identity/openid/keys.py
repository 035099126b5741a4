"""The keys with which a provider signs: fetched when they are needed, again when one is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from pipewatcher.errors import SignInRefused

KEPT_S = 3_600.0
"""A key that the provider withdrew is believed no longer than this."""
UNKNOWN_AGAIN_S = 10.0
"""Unknown keys make us ask again at most this often."""
KEYS_MAX = 64
RSA_BITS_MIN = 2_048

Key = RSAKey | ECKey


class Keys:
    def __init__(
        self, fetch: Callable[[], Awaitable[dict[str, Any]]], clock: Callable[[], float]
    ) -> None:
        """`fetch` answers the key set (RFC 7517), or raises `ProviderUnreachable`."""
        self._fetch = fetch
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched_at: float | None = None
        self._asked_again_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> Key:
        """The one named `kid`; without a name the only one there is.

        Raises `SignInRefused`, `ProviderUnreachable`.
        """
        async with self._lock:
            if self._fetched_at is None or self._clock() - self._fetched_at >= KEPT_S:
                await self._read()
            found = self._named(kid)
            if found is None and self._may_ask_again():
                self._asked_again_at = self._clock()
                await self._read()
                found = self._named(kid)
        if found is None:
            raise SignInRefused("the token is signed with an unknown key")
        return found

    def _named(self, kid: str | None) -> Key | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.kid == kid), None)

    def _may_ask_again(self) -> bool:
        last = self._asked_again_at
        return last is None or self._clock() - last >= UNKNOWN_AGAIN_S

    async def _read(self) -> None:
        listed = (await self._fetch()).get("keys")
        entries = listed[:KEYS_MAX] if isinstance(listed, list) else []
        self._keys = [key for entry in entries if (key := _signing_key(entry)) is not None]
        self._fetched_at = self._clock()


def _signing_key(entry: Any) -> Key | None:
    """None for what is not a public key to sign with: one for encryption, a shared secret, one
    that is too short, one that cannot be read."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kinds: dict[str, type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind = kinds.get(str(entry.get("kty")))
    if kind is None:
        return None
    try:
        key = kind.import_key(entry)
        bits: int = key.public_key.key_size
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and bits < RSA_BITS_MIN:
        return None
    return key
