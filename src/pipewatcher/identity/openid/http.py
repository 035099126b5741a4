"""Requests to a provider: few seconds, few bytes, no redirects, JSON objects only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from pipewatcher.errors import ProviderUnreachable, SignInRefused

TIMEOUT_S = 8.0
"""For a whole answer."""
ANSWER_BYTES_MAX = 512 * 1024


class ProviderHttp:
    """Made when it is first needed: a context for TLS takes its time. Proxies and certificates are
    taken from the environment, as HTTPS_PROXY and SSL_CERT_FILE say."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def get(self, url: str, *, token: str | None = None) -> dict[str, Any]:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return await self._ask("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        return await self._ask("POST", url, headers, form)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> dict[str, Any]:
        """Raises `ProviderUnreachable`, or `SignInRefused` where it answers that we are wrong."""
        if self._client is None:
            self._client = await asyncio.to_thread(httpx.AsyncClient, timeout=TIMEOUT_S)
        body = bytearray()
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._client.stream(
                    method, url, headers={"accept": "application/json", **headers}, data=form
                ) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > ANSWER_BYTES_MAX:
                        raise ProviderUnreachable("The provider's answer is too long.")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise ProviderUnreachable from error
        if 400 <= answer.status_code < 500 and answer.status_code != 429:
            raise SignInRefused(f"{method} at the provider is answered {answer.status_code}")
        return _object(answer.status_code, bytes(body))


def _object(status: int, body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body) if status == 200 else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderUnreachable("The provider's answer cannot be read.")
    return found
