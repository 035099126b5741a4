"""`POST /write`, `POST /api/v2/write` and `GET /ping`, as clients of InfluxDB ask them.

The answers are theirs too: 204 when all readings are durable; 400 when lines were refused, where
the good lines of the body are durable all the same. Beside the members of a problem document a
body has `error` and `message`, in which clients of InfluxDB 1 and 2 look for the reason. Databases,
buckets and organisations are not looked at: which sensors a token writes is its own limit.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs

from pipewatcher.errors import BodyTooLarge, LinesRefused, MalformedRequest, PipeWatcherError
from pipewatcher.intake import Intake
from pipewatcher.model.identity import Principal
from pipewatcher.model.readings import Receipt
from pipewatcher.model.time import SECOND
from pipewatcher.sources.http import (
    BODY_BYTES_MAX,
    NO_CONTENT,
    ON_LOOP_BYTES_MAX,
    Answer,
    Head,
    Ingest,
    answer_of,
    gunzip,
    read_encoding,
    receipt_members,
)
from pipewatcher.sources.http_asgi import (
    Receive,
    Scope,
    Send,
    headers_of,
    held_body,
    is_local,
    send_answer,
)
from pipewatcher.sources.line_protocol import NANOS, ParsedLines, parse_line_protocol
from pipewatcher.validate import EventTimeBounds

DOOR = "line-protocol"
PING = Answer(
    204, headers=(("x-influxdb-version", "PipeWatcher"), ("x-influxdb-build", "PipeWatcher"))
)
ERROR_HEADER_CHARS_MAX = 300

Query = Mapping[str, Sequence[str]]


class LineProtocolEndpoint:
    """Mount it for POST."""

    def __init__(
        self, ingest: Ingest, intake: Intake, clock: Callable[[], float] = time.time
    ) -> None:
        self._ingest = ingest
        self._intake = intake
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except PipeWatcherError as error:
            answer = _refusal(error)
        if answer is not None:
            await send_answer(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        """None when the client went away."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        head = _head(scope, query)
        principal = self._ingest.accept(head, local=is_local(scope))
        nanos = _nanos(query)
        async with held_body(receive, self._intake) as body:
            if body is None:
                return None
            return await self._take(principal, head, body, nanos)

    async def _take(self, principal: Principal, head: Head, body: bytes, nanos: int) -> Answer:
        bounds = self._intake.bounds(principal.writes)
        now = int(self._clock() * SECOND)
        parse = partial(_parse, body, bounds, gzip=head.gzip, nanos=nanos, now=now)
        try:
            if head.gzip or len(body) > ON_LOOP_BYTES_MAX:
                lines = await self._ingest.in_worker(parse)
            else:
                lines = parse()
        except (MalformedRequest, BodyTooLarge) as error:
            self._intake.reject(DOOR, error.code)
            raise
        self._intake.unknown_fields += lines.readings.unknown_fields
        for code, readings in lines.readings.rejected_by_code.items():
            self._intake.reject(DOOR, code, readings)
        receipt = lines.readings.receipt()
        if receipt.accepted:
            await self._append(lines, f"{DOOR}:{principal.name}")
        if receipt.rejected:
            return _refusal(LinesRefused(_told(receipt)), receipt_members(receipt))
        return NO_CONTENT

    async def _append(self, lines: ParsedLines, origin: str) -> None:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: PipeWatcherError | None) -> None:
            if durable.done():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)

        self._intake.take(lines.batch(origin), done)
        await durable


class PingEndpoint:
    """Says that somebody is there; nothing about whom. Mount it for GET and HEAD."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_answer(send, PING)


def bearer_of(authorization: bytes | None, query: Query) -> bytes | None:
    """The token as `Authorization: Bearer` carries it, wherever a client of InfluxDB put it:
    `Token`, `Bearer`, the password of `Basic`, or `p` in the query."""
    if authorization is None:
        passwords = query.get("p")
        return b"Bearer " + passwords[0].encode() if passwords else None
    scheme, _, credential = authorization.partition(b" ")
    credential = credential.strip()
    match scheme.lower():
        case b"token":
            # Clients of InfluxDB 2 that speak to a 1.8 send user:password.
            return b"Bearer " + credential.rpartition(b":")[2]
        case b"basic":
            try:
                return b"Bearer " + base64.b64decode(credential, validate=True).partition(b":")[2]
            except binascii.Error:
                return None
    return authorization


def _head(scope: Scope, query: Query) -> Head:
    found = headers_of(scope)
    length = found.get(b"content-length")
    content_length = int(length) if length is not None and length.isdigit() else None
    gzip, fault = read_encoding(found.get(b"content-encoding"), content_length)
    return Head(
        authorization=bearer_of(found.get(b"authorization"), query),
        lines=False,
        gzip=gzip,
        content_length=content_length,
        fault=fault,
    )


def _nanos(query: Query) -> int:
    precision = query.get("precision", ["ns"])[0]
    nanos = NANOS.get(precision)
    if nanos is None:
        raise MalformedRequest(f"precision must be one of {', '.join(NANOS)}.")
    return nanos


def _parse(
    body: bytes, bounds: EventTimeBounds, *, gzip: bool, nanos: int, now: int
) -> ParsedLines:
    if gzip:
        body = gunzip(body, BODY_BYTES_MAX)
    return parse_line_protocol(body, bounds, nanos=nanos, now=now)


def _told(receipt: Receipt) -> str:
    """In InfluxDB's words, by which its clients know that sending it again does not help."""
    kind = "partial write" if receipt.accepted else "unable to parse"
    first = receipt.errors[0]
    field = f", {first.field}" if first.field else ""
    return (
        f"{kind}: {receipt.rejected} of {receipt.received} readings were refused; "
        f"line {first.line}{field}: {first.reason}"
    )


def _refusal(error: PipeWatcherError, members: dict[str, object] | None = None) -> Answer:
    told = {"error": error.detail, "message": error.detail}
    answer = answer_of(error, {**(members or {}), **told})
    header = "".join(char if " " <= char <= "~" else "?" for char in error.detail)
    headers = (*answer.headers, ("x-influxdb-error", header[:ERROR_HEADER_CHARS_MAX]))
    return Answer(answer.status, answer.body, headers)
