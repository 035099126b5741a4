"""The ingest function as an ordinary ASGI endpoint, and what OpenAPI says of it.

It serves what `http_protocol` hands over: chunked bodies, Expect, HTTP/1.0, other servers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from pipewatcher.errors import BodyTooLarge, MethodNotAllowed, PipeWatcherError
from pipewatcher.intake import Intake
from pipewatcher.sources.http import (
    BODY_BYTES_MAX,
    Answer,
    Head,
    Ingest,
    answer_of,
    read_head,
)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class IngestEndpoint:
    """Mount it at `http.PATH` for every method: it answers 405 itself."""

    def __init__(self, ingest: Ingest, intake: Intake) -> None:
        self._ingest = ingest
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except PipeWatcherError as error:
            answer = answer_of(error)
            if isinstance(error, MethodNotAllowed):
                answer = Answer(answer.status, answer.body, (*answer.headers, ("allow", "POST")))
        if answer is not None:
            await send_answer(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        """None when the client went away."""
        if scope["method"] != "POST":
            raise MethodNotAllowed
        head = _head(scope)
        principal = self._ingest.accept(head, local=is_local(scope))
        async with held_body(receive, self._intake) as body:
            if body is None:
                return None
            answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

            def reply(answer: Answer) -> None:
                if not answered.done():
                    answered.set_result(answer)

            self._ingest.take(principal, head, body, reply)
            return await answered


@contextlib.asynccontextmanager
async def held_body(receive: Receive, intake: Intake) -> AsyncIterator[bytes | None]:
    """The body, accounted for until the context ends; None when the client went away.

    Raises `BodyTooLarge` or `Busy`.
    """
    body = bytearray()
    gone = False
    more = True
    try:
        while more:
            message = await receive()
            if message["type"] != "http.request":
                gone = True
                break
            part = message.get("body", b"")
            if len(body) + len(part) > BODY_BYTES_MAX:
                raise BodyTooLarge
            intake.hold(len(part))
            body += part
            more = message.get("more_body", False)
        yield None if gone else bytes(body)
    finally:
        intake.release(len(body))


async def send_answer(send: Send, answer: Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def is_local(scope: Scope) -> bool:
    """Whether the request came by a Unix socket."""
    server = scope.get("server")
    return server is not None and server[1] is None


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Of a header that is given twice the first counts, as in `http_protocol`."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        found.setdefault(name, value)
    return found


def _head(scope: Scope) -> Head:
    found = headers_of(scope)
    length = found.get(b"content-length")
    return read_head(
        found.get(b"authorization"),
        found.get(b"content-type"),
        found.get(b"content-encoding"),
        int(length) if length is not None and length.isdigit() else None,
    )


_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RECEIPT = {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}}


def refusal(description: str) -> dict[str, Any]:
    return {"description": description, "content": _PROBLEM}


BUSY_HEADERS = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

OPENAPI_OPERATION: dict[str, Any] = {
    "operationId": "postReadings",
    "summary": "Send readings",
    "description": (
        "One reading, a JSON array of readings, or newline-delimited JSON. A 2xx means that every "
        "accepted reading is durable. Unknown members are ignored and counted."
    ),
    "tags": ["readings"],
    "security": [{"bearer": []}],
    "parameters": [
        {
            "name": "Content-Encoding",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "enum": ["gzip", "identity"]},
        }
    ],
    "requestBody": {
        "required": True,
        "description": "At most 16 MiB, also after gunzip.",
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/Reading"},
                        {
                            "type": "array",
                            "minItems": 1,
                            "items": {"$ref": "#/components/schemas/Reading"},
                        },
                    ]
                },
                "example": {
                    "equipmentId": "PUMP-01",
                    "value": 21.5,
                    "timestamp": "2026-01-31T08:00:00Z",
                },
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    },
    "responses": {
        "200": {"description": "All readings of the batch are durable.", "content": _RECEIPT},
        "204": {"description": "The one reading is durable."},
        "207": {
            "description": "Durable, except for the rejected ones that the receipt names.",
            "content": _RECEIPT,
        },
        "400": refusal("Not JSON."),
        "401": refusal("No valid token."),
        "403": refusal("The token may not send readings, or not of this sensor."),
        "408": refusal("The body did not arrive in time."),
        "413": refusal("Larger than 16 MiB."),
        "415": refusal("Neither JSON nor NDJSON, or another encoding than gzip."),
        "422": refusal("The reading, or every reading of the batch, is invalid."),
        "429": {
            **refusal("More requests a second than this token may send."),
            "headers": BUSY_HEADERS,
        },
        "503": {
            **refusal("At one of our own limits; nothing of this request was stored."),
            "headers": BUSY_HEADERS,
        },
    },
}
"""The operation of `POST` at `http.PATH`; it refers to the `OPENAPI_SCHEMAS` below."""

_REJECTION = {
    "type": "object",
    "required": ["field", "reason", "code"],
    "properties": {
        "index": {"type": "integer", "minimum": 0, "description": "From 0, in arrays and NDJSON."},
        "line": {"type": "integer", "minimum": 1, "description": "From 1, in NDJSON."},
        "field": {"type": "string", "description": "Empty when it is about the whole item."},
        "reason": {"type": "string"},
        "code": {"type": "string"},
    },
}

OPENAPI_SCHEMAS: dict[str, Any] = {
    "Reading": {
        "type": "object",
        "required": ["equipmentId", "value", "timestamp"],
        "properties": {
            "equipmentId": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "description": "Visible characters without white space; case-sensitive.",
            },
            "value": {"type": "number", "description": "A finite IEEE double."},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "RFC 3339 with an offset; cut to the microsecond.",
            },
        },
    },
    "Receipt": {
        "type": "object",
        "required": ["received", "accepted", "rejected", "errors", "unknownFields"],
        "properties": {
            "received": {"type": "integer"},
            "accepted": {"type": "integer"},
            "rejected": {"type": "integer"},
            "errors": {"type": "array", "maxItems": 100, "items": _REJECTION},
            "unknownFields": {"type": "integer"},
        },
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "hint": {"type": "string"},
            "errors": {"type": "array", "maxItems": 100, "items": _REJECTION},
        },
    },
}
