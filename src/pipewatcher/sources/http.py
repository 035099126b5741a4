"""Readings by HTTP, whatever carries it: head → principal, body → answer.

`http_protocol` serves this straight from the socket, `http_asgi` as an ordinary ASGI endpoint;
both call `accept` when the head is there and `take` when the body is.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from pipewatcher.errors import (
    BodyTooLarge,
    Busy,
    Forbidden,
    InvalidRequest,
    MalformedRequest,
    NotHere,
    PipeWatcherError,
    RateExceeded,
    Unauthorized,
    UnsupportedMediaType,
)
from pipewatcher.intake import Intake
from pipewatcher.model.identity import Principal
from pipewatcher.model.readings import Receipt
from pipewatcher.payload import (
    Parsed,
    Taken,
    is_array,
    parse_array,
    parse_lines,
    parse_object,
)
from pipewatcher.problems import PROBLEM_TYPE, problem, problem_headers, rejections
from pipewatcher.validate import CODE_NOT_ALLOWED, EventTimeBounds

log = logging.getLogger(__name__)

PATH = "/api/v1/readings"
DOOR = "http"
BODY_BYTES_MAX = 16 * 2**20
"""As it is sent, and after gunzip."""

ON_LOOP_BYTES_MAX = 256 * 1024
"""Larger bodies are parsed in a worker thread, so that the event loop goes on answering."""
WORKERS = 2
WORKER_QUEUE_MAX = 64

LOCAL_ADMIN = Principal(name="local", role="admin", by="local")
"""Who asks on the Unix socket: its file mode lets nobody else in."""

_T = TypeVar("_T")

_encode = msgspec.json.Encoder().encode


class Authenticator(Protocol):
    def bearer(self, header: bytes | None) -> Principal | None:
        """Whose token the `Authorization` header carries; None when nobody's. Never blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """Without Content-Length."""


Reply: TypeAlias = Callable[[Answer], None]
"""Called exactly once for each `take`, at once or later, on the event loop."""

NO_CONTENT = Answer(204)


def answer_of(error: PipeWatcherError, members: dict[str, object] | None = None) -> Answer:
    headers = [("content-type", PROBLEM_TYPE), *problem_headers(error)]
    return Answer(error.status, problem(error, members), tuple(headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What matters of a request before its body is there."""

    authorization: bytes | None
    lines: bool
    gzip: bool
    content_length: int | None
    fault: PipeWatcherError | None
    """Why no body under this head is taken, whoever sends it."""


def read_head(
    authorization: bytes | None,
    content_type: bytes | None,
    content_encoding: bytes | None,
    content_length: int | None,
) -> Head:
    lines = False
    gzip, fault = read_encoding(content_encoding, content_length)
    try:
        lines = _is_lines(content_type)
    except UnsupportedMediaType as error:
        fault = error
    return Head(
        authorization=authorization,
        lines=lines,
        gzip=gzip,
        content_length=content_length,
        fault=fault,
    )


def read_encoding(
    content_encoding: bytes | None, content_length: int | None
) -> tuple[bool, PipeWatcherError | None]:
    """Whether it is gzip, and why a body of this encoding and length is not taken."""
    try:
        gzip = _is_gzip(content_encoding)
    except UnsupportedMediaType as error:
        return False, error
    too_large = content_length is not None and content_length > BODY_BYTES_MAX
    return gzip, BodyTooLarge() if too_large else None


class Ingest:
    """Used from one event loop."""

    def __init__(
        self,
        intake: Intake,
        authenticator: Authenticator,
        *,
        writer_roles: frozenset[str],
        here: bool = True,
    ) -> None:
        """`here` is False in a process without the role gateway."""
        self._here = here
        self._intake = intake
        self._authenticator = authenticator
        self._writer_roles = writer_roles
        self._pool = ThreadPoolExecutor(WORKERS, "http-parse")
        self._in_workers = 0

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def accept(self, head: Head, *, local: bool) -> Principal:
        """Who sends this, when its body may come.

        Raises `Unauthorized`, `Forbidden`, `RateExceeded`, `NotHere`, `UnsupportedMediaType`,
        `BodyTooLarge` or a `Busy`.
        """
        principal = LOCAL_ADMIN if local else self._authenticator.bearer(head.authorization)
        if principal is None:
            raise Unauthorized
        if principal.role not in self._writer_roles:
            raise Forbidden
        if principal.rate is not None and (wait_s := principal.rate.take()):
            raise RateExceeded(retry_after_s=wait_s)
        if not self._here:
            raise NotHere
        if head.fault is not None:
            # Its own instance: a raised one keeps the traceback of every request.
            raise type(head.fault)(head.fault.detail)
        self._intake.admit()
        return principal

    def take(self, principal: Principal, head: Head, body: bytes, reply: Reply) -> None:
        """Answers by `reply`: well only once every accepted reading is durable."""
        origin = f"{DOOR}:{principal.name}"
        bounds = self._intake.bounds(principal.writes)
        try:
            if head.gzip or len(body) > ON_LOOP_BYTES_MAX:
                self._parse_in_worker(head, body, bounds, origin, reply)
            elif head.lines or is_array(body):
                self._finish(_parse_batch(head, body, bounds), origin, reply)
            else:
                taken, unknown = parse_object(body, bounds)
                self._finish_one(taken, unknown, origin, reply)
        except PipeWatcherError as error:
            self._count(error)
            reply(answer_of(_forbidden(error)))

    async def in_worker(self, parse: Callable[[], _T]) -> _T:
        """`parse()` in a worker thread. Raises `Busy` when too many wait."""
        self._enter_worker()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, parse)
        finally:
            self._in_workers -= 1

    def _enter_worker(self) -> None:
        if self._in_workers >= WORKER_QUEUE_MAX:
            raise Busy("Too many large bodies are being read at the moment.")
        self._in_workers += 1

    def _parse_in_worker(
        self, head: Head, body: bytes, bounds: EventTimeBounds, origin: str, reply: Reply
    ) -> None:
        self._enter_worker()
        future = asyncio.get_running_loop().run_in_executor(self._pool, _parse, head, body, bounds)
        future.add_done_callback(partial(self._parsed, origin, reply))

    def _parsed(
        self, origin: str, reply: Reply, future: asyncio.Future[Parsed | tuple[Taken, int]]
    ) -> None:
        self._in_workers -= 1
        try:
            result = future.result()
            if isinstance(result, Parsed):
                self._finish(result, origin, reply)
            else:
                self._finish_one(*result, origin, reply)
        except PipeWatcherError as error:
            self._count(error)
            reply(answer_of(_forbidden(error)))
        except asyncio.CancelledError:
            reply(answer_of(Busy()))
        except Exception:
            log.exception("A body could not be parsed for a reason of our own.")
            reply(answer_of(PipeWatcherError()))

    def _finish_one(self, taken: Taken, unknown: int, origin: str, reply: Reply) -> None:
        intake = self._intake
        intake.unknown_fields += unknown

        def done(error: PipeWatcherError | None) -> None:
            reply(NO_CONTENT if error is None else answer_of(error))

        intake.take_reading(*taken, origin, done)

    def _finish(self, parsed: Parsed, origin: str, reply: Reply) -> None:
        self._intake.unknown_fields += parsed.unknown_fields
        for code, readings in parsed.rejected_by_code.items():
            self._intake.reject(DOOR, code, readings)
        receipt = parsed.receipt()
        if not receipt.accepted:
            detail = "None of the readings is valid." if receipt.received else "No readings."
            reply(answer_of(InvalidRequest(detail), receipt_members(receipt)))
            return

        def done(error: PipeWatcherError | None) -> None:
            reply(_receipt_answer(receipt) if error is None else answer_of(error))

        self._intake.take(parsed.batch(origin), done)

    def _count(self, error: PipeWatcherError) -> None:
        if isinstance(error, InvalidRequest):
            for rejection in error.errors:
                self._intake.reject(DOOR, rejection.code)
        elif isinstance(error, MalformedRequest | BodyTooLarge):
            self._intake.reject(DOOR, error.code)


def _forbidden(error: PipeWatcherError) -> PipeWatcherError:
    """One reading of somebody else's sensor is answered 403; in a batch it is one rejection."""
    if isinstance(error, InvalidRequest) and error.errors[0].code == CODE_NOT_ALLOWED:
        return Forbidden()
    return error


def receipt_members(receipt: Receipt) -> dict[str, object]:
    """A receipt as it stands in JSON; `errors` holds the first 100."""
    return {
        "received": receipt.received,
        "accepted": receipt.accepted,
        "rejected": receipt.rejected,
        "errors": rejections(receipt.errors),
        "unknownFields": receipt.unknown_fields,
    }


def _receipt_answer(receipt: Receipt) -> Answer:
    status = 207 if receipt.rejected else 200
    return Answer(
        status, _encode(receipt_members(receipt)), (("content-type", "application/json"),)
    )


def _parse(head: Head, body: bytes, bounds: EventTimeBounds) -> Parsed | tuple[Taken, int]:
    if head.gzip:
        body = gunzip(body, BODY_BYTES_MAX)
    if head.lines or is_array(body):
        return _parse_batch(head, body, bounds)
    return parse_object(body, bounds)


def _parse_batch(head: Head, body: bytes, bounds: EventTimeBounds) -> Parsed:
    return parse_lines(body, bounds) if head.lines else parse_array(body, bounds)


def gunzip(body: bytes, bytes_max: int) -> bytes:
    """All gzip members of `body`, decompressed no further than `bytes_max`.

    Raises `BodyTooLarge`, or `MalformedRequest` when it is not gzip or breaks off.
    """
    parts: list[bytes] = []
    size = 0
    rest = body
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            part = member.decompress(rest, bytes_max - size + 1)
            size += len(part)
            if size > bytes_max:
                raise BodyTooLarge(f"The body is larger than {bytes_max} bytes after gunzip.")
            if not member.eof:
                raise MalformedRequest("The gzip body breaks off.")
            parts.append(part)
            rest = member.unused_data
    except zlib.error:
        raise MalformedRequest("The body is not gzip, as its Content-Encoding says.") from None
    return b"".join(parts)


def _is_lines(content_type: bytes | None) -> bool:
    """Whether the type is NDJSON rather than JSON. Raises `UnsupportedMediaType`."""
    media_type, *parameters = (content_type or b"").lower().split(b";")
    for parameter in parameters:
        name, _, text = parameter.strip().partition(b"=")
        if name == b"charset" and text.strip(b'"') not in {b"utf-8", b"utf8", b"us-ascii"}:
            raise UnsupportedMediaType("JSON is always UTF-8.")
    media_type = media_type.strip()
    if media_type == b"application/json":
        return False
    if media_type == b"application/x-ndjson":
        return True
    raise UnsupportedMediaType("Send application/json or application/x-ndjson.")


def _is_gzip(content_encoding: bytes | None) -> bool:
    encoding = (content_encoding or b"identity").strip().lower()
    if encoding in {b"gzip", b"x-gzip"}:
        return True
    if encoding in {b"identity", b""}:
        return False
    raise UnsupportedMediaType("The only Content-Encoding understood here is gzip.")
