"""InfluxDB 1.x and 2.x over plain HTTP: line protocol in, InfluxQL out.

Both versions answer `/write` and `/query`; 2.x maps the database's name to a bucket. 3 Core does
not answer for more than 72 hours at a time and is refused.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import msgspec
import pyarrow as pa

from pipewatcher.errors import SettingsError, StoreUnavailable
from pipewatcher.readings.influxdb_lines import Points

log = logging.getLogger(__name__)

SETTING = "PIPEWATCHER_READINGS"
FORM = "influxdb[s]://[user:password@|token@]host:port/database?version=1|2&ca=FILE"
WRITE_TIMEOUT_S = 15.0
QUERY_TIMEOUT_S = 60.0
CHUNK_LINES = 5_000
WRITES_AT_ONCE = 4
_DATABASE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxTarget:
    base_url: str
    database: str
    version: int
    user: str | None
    secret: str | None = field(repr=False)
    """The password of a user, or a token when there is none."""
    ca: str | None = None
    """PEM file of the authority that signed its certificate; None for those of the system."""


def parse_influxdb_url(url: str) -> InfluxTarget:
    """Raises `SettingsError`, which never holds the secret."""
    parts = urlsplit(url)
    database = unquote(parts.path.strip("/"))
    query = dict(parse_qsl(parts.query))
    version = query.pop("version", "1")
    ca = query.pop("ca", None)
    try:
        port = parts.port or 8086
    except ValueError:
        port = 0
    if not parts.hostname or not port or not _DATABASE.fullmatch(database) or query:
        raise SettingsError(f"{SETTING} must look like {FORM}")
    if version not in {"1", "2"}:
        raise SettingsError(
            f"{SETTING}: version must be 1 or 2.",
            hint="InfluxDB 3 Core answers for at most 72 hours at a time: a month's mean cannot "
            "be asked of it.",
        )
    if ca is not None and not Path(ca).is_file():
        raise SettingsError(f"{SETTING}: ca={ca} is no file")
    scheme = "https" if parts.scheme == "influxdbs" else "http"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    user, secret = parts.username, parts.password
    if secret is None:
        user, secret = None, user
    return InfluxTarget(
        base_url=f"{scheme}://{host}:{port}",
        database=database,
        version=int(version),
        user=unquote(user) if user else None,
        secret=unquote(secret) if secret else None,
        ca=ca,
    )


class Rows(Protocol):
    """One series of an answer."""

    tags: dict[str, str]
    values: list[Any]


class NotANumber(StoreUnavailable):
    """The answer holds an infinity, which InfluxDB cannot put into its JSON."""


class InfluxHttp:
    """Raises `StoreUnavailable` for everything that may pass, from every method."""

    def __init__(self, target: InfluxTarget) -> None:
        self.target = target
        # Answers are rollups that are packed already: to pack them again is a fifth of the work.
        headers = {"accept-encoding": "identity"}
        auth: httpx.BasicAuth | None = None
        if target.user is not None:
            auth = httpx.BasicAuth(target.user, target.secret or "")
        elif target.secret is not None:
            headers["authorization"] = f"Token {target.secret}"
        self._client = httpx.AsyncClient(
            base_url=target.base_url,
            headers=headers,
            auth=auth,
            verify=ssl.create_default_context(cafile=target.ca) if target.ca else True,
            timeout=httpx.Timeout(QUERY_TIMEOUT_S, connect=3.0),
            limits=httpx.Limits(max_connections=16),
        )
        self._writing = asyncio.Semaphore(WRITES_AT_ONCE)
        self._packing = asyncio.Lock()
        """One chunk is made ready after the other, so that the first is under way soon."""

    async def close(self) -> None:
        await self._client.aclose()

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **options)
        except (httpx.TransportError, RuntimeError) as error:
            # RuntimeError: the client was closed under a query.
            raise StoreUnavailable(
                "InfluxDB cannot be reached; acknowledged readings are safe."
            ) from error
        if answer.status_code >= 500:
            raise StoreUnavailable(f"InfluxDB answered {answer.status_code}.")
        return answer

    async def query(self, *statements: str, row: Any = Any) -> list[list[Rows]]:
        """The series of each statement; each of their values is a `row`, times in microseconds."""
        answer = await self.request(
            "POST",
            "/query",
            params={"db": self.target.database, "epoch": "u"},
            data={"q": ";".join(statements)},
        )
        if answer.status_code != 200:
            raise StoreUnavailable(f"InfluxDB answered {answer.status_code} to a query.")
        try:
            found = await asyncio.to_thread(_decoder(row).decode, answer.content)
        except msgspec.DecodeError as error:
            if b"unsupported value" in answer.content:
                raise NotANumber from error
            raise StoreUnavailable("InfluxDB's answer cannot be read.") from error
        for fault in (found.error, *(result.error for result in found.results)):
            if fault is not None:
                raise StoreUnavailable(f"InfluxDB: {fault}")
        return [result.series for result in found.results]

    async def write(self, lines: Sequence[str]) -> str | None:
        """Why some of the lines were not taken; None when all were."""
        async with self._writing:
            return await self._write(lambda: "\n".join(lines).encode())

    async def _write(self, lines: Callable[[], bytes | pa.Buffer]) -> str | None:
        async with self._packing:
            body = await asyncio.to_thread(lambda: gzip.compress(lines(), 1))
        answer = await self.request(
            "POST",
            "/write",
            params={"db": self.target.database, "precision": "u"},
            content=body,
            headers={"content-encoding": "gzip"},
            timeout=httpx.Timeout(WRITE_TIMEOUT_S, connect=3.0),
        )
        if answer.status_code == 204:
            return None
        reason = _reason(answer)
        if answer.status_code in {400, 422}:
            return reason
        raise StoreUnavailable(f"InfluxDB answered {answer.status_code} to a write: {reason}")

    async def write_points(self, points: Points) -> dict[int, str]:
        """The places of those that InfluxDB will never take, with its reason; all others are
        stored."""
        refused = await asyncio.gather(
            *(
                self._write_chunk(points, at, min(at + CHUNK_LINES, len(points)))
                for at in range(0, len(points), CHUNK_LINES)
            )
        )
        return {place: reason for some in refused for place, reason in some.items()}

    async def _write_chunk(self, points: Points, start: int, stop: int) -> dict[int, str]:
        """Halves what is refused until it is one line: its message does not name it surely."""
        async with self._writing:
            reason = await self._write(lambda: points.lines(start, stop))
        if reason is None:
            return {}
        if stop - start == 1:
            return {start: reason}
        middle = (start + stop) // 2
        return {
            **await self._write_chunk(points, start, middle),
            **await self._write_chunk(points, middle, stop),
        }


def _reason(answer: httpx.Response) -> str:
    try:
        found = answer.json()
        return str(found.get("error") or found.get("message") or "")[:300]
    except (ValueError, AttributeError):
        return answer.text[:300]


@cache
def _decoder(row: Any) -> msgspec.json.Decoder[Any]:
    rows = msgspec.defstruct("Rows", [("tags", dict[str, str], {}), ("values", list[row], [])])
    error = ("error", str | None, None)
    result = msgspec.defstruct("Result", [("series", list[rows], []), error])  # type: ignore[valid-type]
    answer = msgspec.defstruct("Answer", [("results", list[result], []), error])  # type: ignore[valid-type]
    return msgspec.json.Decoder(answer)
