"""A sign-in that was begun: what its browser keeps until it comes back from the provider.

It is in a signed cookie, so beginning costs no memory and no write, whoever begins however many.
All processes that know the client secret can check it. Its browser may read it: the verifier keeps
others, who only see the code, from using it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

import msgspec

from pipewatcher.model.time import MINUTE, SECOND, Micros

LIFETIME: Micros = 10 * MINUTE
COOKIE_CHARS_MAX = 2_048


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    provider: str
    state: str
    nonce: str
    verifier: str
    """RFC 7636: 43 characters."""
    return_to: str
    expires_at: Micros

    def __repr__(self) -> str:
        return "Attempt(…)"


class Attempts:
    """Of one provider."""

    def __init__(self, provider: str, client_secret: str, clock: Callable[[], float]) -> None:
        self._provider = provider
        self._key = hmac.digest(client_secret.encode(), b"pipewatcher sign-in attempt", "sha256")
        self._clock = clock
        self._decode = msgspec.json.Decoder(Attempt).decode

    def begin(self, return_to: str) -> tuple[Attempt, str]:
        """With the cookie's text."""
        attempt = Attempt(
            provider=self._provider,
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(32),
            return_to=return_to,
            expires_at=int(self._clock() * SECOND) + LIFETIME,
        )
        body = base64.urlsafe_b64encode(msgspec.json.encode(attempt)).decode()
        return attempt, f"{body}.{self._signature(body)}"

    def of(self, cookie: str, state: str) -> Attempt | None:
        """What this cookie began; None unless `state` belongs to it and it has not expired."""
        body, _, signature = cookie.partition(".")
        if len(cookie) > COOKIE_CHARS_MAX or not cookie.isascii():
            return None
        if not hmac.compare_digest(signature, self._signature(body)):
            return None
        attempt = self._decode(base64.urlsafe_b64decode(body))
        if attempt.provider != self._provider or attempt.expires_at <= self._clock() * SECOND:
            return None
        if not hmac.compare_digest(attempt.state.encode(), state.encode()):
            return None
        return attempt

    def _signature(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
