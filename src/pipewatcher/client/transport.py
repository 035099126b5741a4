"""HTTP to one PipeWatcher."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from pipewatcher.client.answers import Taken, failure, taken, wait_s
from pipewatcher.client.buffers import Numbered
from pipewatcher.client.errors import ClientError, Unreachable
from pipewatcher.client.readings import body_of

ASK_TRIES = 3
_Answer = TypeVar("_Answer")


class Transport:
    """Used from several threads."""

    def __init__(self, url: str, token: str, timeout_s: float, ca_file: Path | None) -> None:
        """Raises `ValueError` for a URL or token of the wrong form, `OSError` for the file."""
        address = httpx.URL(url)
        if address.scheme not in {"http", "https"} or not address.host or address.userinfo:
            raise ValueError("url must be http[s]://host[:port], without user or password")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("token must be the text that was shown when it was made")
        self.url = str(address).rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {token}", "user-agent": "pipewatcher-client"},
            timeout=timeout_s,
            verify=True if ca_file is None else ssl.create_default_context(cafile=ca_file),
        )

    def post(self, batch: Sequence[Numbered]) -> Taken:
        """Raises `Unreachable` or `RequestRefused`."""
        body, headers = body_of([reading for _, reading in batch])
        try:
            response = self._http.post("/api/v1/readings", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable(_why(error)) from None
        return taken(response, batch)

    def ask(self, path: str, parameters: Mapping[str, str | int], answer: type[_Answer]) -> _Answer:
        """Tries a few times. Raises `Unreachable` or `RequestRefused`."""
        for attempt in range(ASK_TRIES - 1):
            try:
                return self._ask_once(path, parameters, answer)
            except Unreachable as error:
                time.sleep(wait_s(attempt, error.retry_after_s))
        return self._ask_once(path, parameters, answer)

    def _ask_once(
        self, path: str, parameters: Mapping[str, str | int], answer: type[_Answer]
    ) -> _Answer:
        try:
            response = self._http.get(path, params=dict(parameters))
        except httpx.HTTPError as error:
            raise Unreachable(_why(error)) from None
        if response.status_code != 200:
            raise failure(response)
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.DecodeError as error:
            raise ClientError(f"{path} answered what this client cannot read: {error}") from error

    def close(self) -> None:
        self._http.close()


def _why(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
