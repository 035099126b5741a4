"""One OpenID provider: found out about when somebody first signs in by it, not at our start."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from pipewatcher.errors import ProviderUnreachable, SignInRefused
from pipewatcher.identity.openid.attempt import Attempt
from pipewatcher.identity.openid.claims import Claims, missing
from pipewatcher.identity.openid.config import ProviderConfig, is_safe
from pipewatcher.identity.openid.http import ProviderHttp
from pipewatcher.identity.openid.id_token import checked, key_id
from pipewatcher.identity.openid.keys import Keys

METADATA_KEPT_S = 3_600.0
FAILURE_KEPT_S = 5.0
"""A provider that is away is not asked again before."""
WELL_KNOWN = "/.well-known/openid-configuration"


class Metadata(msgspec.Struct, frozen=True):
    """What is used of OpenID Connect Discovery."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    def __init__(
        self,
        config: ProviderConfig,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._clock = clock
        self._wall_clock = wall_clock
        self._http = ProviderHttp()
        self._metadata: Metadata | None = None
        self._read_at = 0.0
        self._failed_at: float | None = None
        self._lock = asyncio.Lock()
        self._keys = Keys(self._fetch_keys, clock)

    async def close(self) -> None:
        await self._http.close()

    async def metadata(self) -> Metadata:
        """Raises `ProviderUnreachable`."""
        async with self._lock:
            now = self._clock()
            if self._metadata is not None and now - self._read_at < METADATA_KEPT_S:
                return self._metadata
            if self._failed_at is not None and now - self._failed_at < FAILURE_KEPT_S:
                raise ProviderUnreachable
            try:
                self._metadata = await self._discover()
            except ProviderUnreachable:
                self._failed_at = self._clock()
                raise
            self._read_at, self._failed_at = self._clock(), None
            return self._metadata

    async def begin(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where to send the browser. Raises `ProviderUnreachable`."""
        metadata = await self.metadata()
        return _with_query(
            metadata.authorization_endpoint,
            {
                "response_type": "code",
                "client_id": self.config.client_id,
                "redirect_uri": redirect_uri,
                "scope": self.config.scopes,
                "state": attempt.state,
                "nonce": attempt.nonce,
                "code_challenge": create_s256_code_challenge(attempt.verifier),
                "code_challenge_method": "S256",
            },
        )

    async def finish(
        self, attempt: Attempt, code: str, issuer: str | None, redirect_uri: str
    ) -> tuple[Claims, str]:
        """The claims about who signed in, and the ID token that proves them. `issuer` is what the
        answer named itself (RFC 9207). Raises `SignInRefused`, `ProviderUnreachable`."""
        metadata = await self.metadata()
        named = issuer is not None or metadata.authorization_response_iss_parameter_supported
        if named and issuer != metadata.issuer:
            raise SignInRefused("the answer is from another issuer")
        answer = await self._exchange(metadata, attempt, code, redirect_uri)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise SignInRefused("the provider gave no ID token")
        access_token = access_token if isinstance(access_token, str) else None
        algorithms = metadata.id_token_signing_alg_values_supported
        key = await self._keys.key(key_id(id_token, algorithms))
        claims = checked(
            id_token,
            key,
            algorithms=algorithms,
            issuer=metadata.issuer,
            client_id=self.config.client_id,
            nonce=attempt.nonce,
            access_token=access_token,
            now_s=int(self._wall_clock()),
        )
        if access_token and metadata.userinfo_endpoint and missing(self.config, claims):
            more = await self._http.get(metadata.userinfo_endpoint, token=access_token)
            if more.get("sub") != claims["sub"]:
                raise SignInRefused("userinfo is about somebody else")
            claims = {**more, **claims}
        return claims, id_token

    async def ending(self, id_token: str | None, return_to: str) -> str | None:
        """Where to end the session at the provider; None where there is no such place."""
        try:
            endpoint = (await self.metadata()).end_session_endpoint
        except ProviderUnreachable:
            return None
        if endpoint is None:
            return None
        hint = {"id_token_hint": id_token} if id_token else {}
        client = {"client_id": self.config.client_id, "post_logout_redirect_uri": return_to}
        return _with_query(endpoint, {**client, **hint})

    async def _exchange(
        self, metadata: Metadata, attempt: Attempt, code: str, redirect_uri: str
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        config = self.config
        if "client_secret_post" in metadata.token_endpoint_auth_methods_supported:
            form |= {"client_id": config.client_id, "client_secret": config.client_secret}
            return await self._http.post(metadata.token_endpoint, form, {})
        return await self._http.post(
            metadata.token_endpoint, form, {"authorization": _basic(config)}
        )

    async def _discover(self) -> Metadata:
        issuer = self.config.issuer
        try:
            found = await self._http.get(issuer.rstrip("/") + WELL_KNOWN)
            metadata = msgspec.convert(found, Metadata)
        except (SignInRefused, msgspec.ValidationError):
            raise ProviderUnreachable("The issuer does not describe itself.") from None
        if metadata.issuer != issuer:
            raise ProviderUnreachable(f"The issuer calls itself {metadata.issuer!r}.")
        for url in (
            metadata.authorization_endpoint,
            metadata.token_endpoint,
            metadata.jwks_uri,
            metadata.userinfo_endpoint,
            metadata.end_session_endpoint,
        ):
            if url is not None and not is_safe(url):
                raise ProviderUnreachable("The issuer names an address that is not https.")
        return metadata

    async def _fetch_keys(self) -> dict[str, Any]:
        try:
            return await self._http.get((await self.metadata()).jwks_uri)
        except SignInRefused:
            raise ProviderUnreachable("The issuer does not show its keys.") from None


def _with_query(url: str, values: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}"


def _basic(config: ProviderConfig) -> str:
    """RFC 6749, 2.3.1: both are form-encoded first."""
    pair = f"{quote(config.client_id, safe='')}:{quote(config.client_secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
