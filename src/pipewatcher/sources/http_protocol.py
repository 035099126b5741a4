"""`POST /api/v1/readings` served on the socket itself; everything else goes to uvicorn and FastAPI.

Measured: four times the requests of the same work behind ASGI and FastAPI (see the decision
page). This protocol knows only the plain request: HTTP/1.1 with a Content-Length. At the first
request that is anything else (another path, chunked, Expect, Upgrade, HTTP/1.0, or no HTTP at all)
the connection is handed over for good, with the bytes that are not answered yet; the readings
endpoint is mounted there too and gives the same answers.

Requests of one connection are answered one after the other, so pipelined readings are appended
in their order.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from pipewatcher.errors import MalformedRequest, PipeWatcherError, RequestTimeout, Stopping
from pipewatcher.intake import Intake
from pipewatcher.model.identity import Principal
from pipewatcher.sources.http import Answer, Head, Ingest, answer_of
from pipewatcher.sources.http_door import (
    BodyPace,
    Door,
    Limits,
    Made,
    closing_answer,
    is_unix,
    too_many_connections,
)
from pipewatcher.sources.http_handed_over import HandedOverProtocol
from pipewatcher.sources.http_head import may_become_plain

_END_OF_HEAD = b"\r\n\r\n"


class HttpDoor:
    """`protocol` goes to uvicorn as `Config(http=door.protocol)`."""

    def __init__(self, ingest: Ingest, intake: Intake, limits: Limits | None = None) -> None:
        self._door = Door(ingest, intake, limits or Limits())

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._door.connections)

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        loop = _loop or asyncio.get_running_loop()
        return IngestProtocol(Made(config, server_state, app_state, loop), self._door)


class IngestProtocol(asyncio.Protocol):
    """One connection, from its first byte until it is handed over or closed.

    It is either idle, or receiving a request (`_buffer` holds the start of a head, or `_body` of a
    body), or busy with one, or lingering: refused, and reading only so that the answer arrives.
    """

    __slots__ = (
        "_advancing",
        "_body",
        "_body_missing",
        "_buffer",
        "_busy",
        "_closing",
        "_door",
        "_head",
        "_held",
        "_last",
        "_lingering",
        "_local",
        "_made",
        "_pace",
        "_paused",
        "_principal",
        "_refused",
        "_since",
        "_stalled",
        "_state",
        "_transport",
    )
    _transport: asyncio.Transport
    _head: Head
    _pace: BodyPace
    _principal: Principal

    def __init__(self, made: Made, door: Door) -> None:
        self._made = made
        self._state = made.server_state
        self._door = door
        self._buffer = b""
        self._body: bytearray | None = None
        self._body_missing = 0
        self._held = 0
        self._local = False
        self._busy = False
        self._advancing = False
        self._closing = False
        self._last = False
        self._lingering = False
        self._paused = False
        self._stalled = False
        self._refused = False
        self._since = 0.0

    # ---- called by the event loop and by uvicorn

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        door = self._door
        self._transport = transport
        door.joined(self, self._made.loop)
        self._since = door.now
        if door.full:
            self._turn_away()
            return
        self._local = is_unix(transport)
        self._state.connections.add(self)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._door.refused_connections -= self._refused
        if not self._busy:
            self._release()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        if self._body is not None:
            self._receive_body(self._body, data)
            return
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
            self._since = self._door.now
        if not self._busy:
            self._advance()
        elif len(self._buffer) > self._door.limits.pipelined_bytes_max:
            self._pause()

    def eof_received(self) -> bool:
        """Half-closed: what is being answered is still answered."""
        self._closing = True
        return self._busy

    def pause_writing(self) -> None:
        self._stalled = True
        self._since = self._door.now
        self._pause()

    def resume_writing(self) -> None:
        self._stalled = False
        self._since = self._door.now
        if not self._busy:
            self._resume()
            self._advance()

    def shutdown(self) -> None:
        """uvicorn stops: a request that is here whole is answered first, others are refused."""
        self._closing = True
        if self._busy or self._lingering:
            return
        if self._body is not None or self._buffer:
            self._refuse(Stopping())
        else:
            self._transport.close()

    def sweep(self, now: float) -> None:
        limits = self._door.limits
        waited_s = now - self._since
        if self._lingering:
            if waited_s > limits.linger_s:
                self._transport.abort()
        elif self._stalled:
            if waited_s > limits.write_stall_s:
                self._transport.abort()
        elif self._busy:
            return
        elif self._body is not None:
            if self._pace.too_slow(len(self._body), now):
                self._refuse(RequestTimeout())
        elif self._buffer:
            if waited_s > limits.head_s:
                self._refuse(RequestTimeout())
        elif waited_s > limits.idle_s:
            self._transport.close()

    # ---- requests, one after the other

    def _advance(self) -> None:
        """Begins requests until one has to wait."""
        if self._advancing:
            return  # an answer that was given at once: the loop below goes on with the next
        self._advancing = True
        try:
            while self._buffer and not (self._busy or self._closing or self._stalled):
                if not self._next_request():
                    break
        finally:
            self._advancing = False

    def _next_request(self) -> bool:
        """False when there is nothing more to do with what is in the buffer."""
        buffer = self._buffer
        end = buffer.find(_END_OF_HEAD)
        if end < 0:
            self._wait_for_head(buffer)
            return False
        begin = end + 4
        known = self._door.heads.read(buffer[:begin])
        if known is None:
            self._hand_over()
            return False
        head, length = known.head, known.length
        self._last = known.last
        missing = length - (len(buffer) - begin)
        if missing > 0:
            self._buffer = b""
            self._begin_body(head, buffer[begin:], missing)
            return False
        self._buffer = buffer[begin + length :]
        self._busy = True
        try:
            principal = self._door.ingest.accept(head, local=self._local)
            self._hold(length)
        except PipeWatcherError as error:
            self._reply(answer_of(error))
        else:
            body = buffer[begin : begin + length]
            self._door.ingest.take(principal, head, body, self._reply)
        return True

    def _wait_for_head(self, buffer: bytes) -> None:
        if not may_become_plain(buffer):
            self._hand_over()
        elif len(buffer) > self._door.limits.head_bytes_max:
            self._refuse(MalformedRequest("The head of the request is too long."))

    def _begin_body(self, head: Head, start: bytes, missing: int) -> None:
        try:
            self._principal = self._door.ingest.accept(head, local=self._local)
            self._hold(len(start))
        except PipeWatcherError as error:
            self._refuse(error)
            return
        self._head = head
        self._body = bytearray(start)
        self._body_missing = missing
        self._pace = BodyPace(self._door.limits, self._door.now)

    def _receive_body(self, body: bytearray, data: bytes) -> None:
        missing = self._body_missing
        part = data if len(data) <= missing else data[:missing]
        try:
            self._hold(len(part))
        except PipeWatcherError as error:
            self._refuse(error)
            return
        body += part
        self._body_missing = missing - len(part)
        if self._body_missing:
            return
        self._buffer = data[missing:]
        self._body = None
        self._busy = True
        self._door.ingest.take(self._principal, self._head, bytes(body), self._reply)
        self._advance()

    def _reply(self, answer: Answer) -> None:
        self._busy = False
        self._release()
        self._since = self._door.now
        transport = self._transport
        if transport.is_closing():
            return
        close = self._last or self._closing
        transport.write(self._door.render(self._state, answer, close=close))
        if close:
            transport.close()
        elif not self._stalled:
            self._resume()
            if self._buffer:
                self._advance()

    def _refuse(self, error: PipeWatcherError) -> None:
        """Answers without reading the request to its end: the connection cannot go on."""
        self._release()
        self._buffer = b""
        self._body = None
        self._lingering = True
        self._since = self._door.now
        if self._transport.is_closing():
            return
        self._transport.write(closing_answer(error, self._state, self._door))
        if self._transport.can_write_eof():  # TLS cannot half-close
            self._transport.write_eof()
        self._resume()

    # ---- the connection

    def _turn_away(self) -> None:
        self._refused = True
        self._door.refused_connections += 1
        if self._door.refused_connections > self._door.limits.refused_connections_max:
            self._transport.abort()
        else:
            self._refuse(too_many_connections())

    def _hand_over(self) -> None:
        buffer, self._buffer = self._buffer, b""
        self._forget()
        successor = HandedOverProtocol(self._made, self._door)
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
        successor.data_received(buffer)

    def _forget(self) -> None:
        self._door.left(self)
        self._state.connections.discard(self)

    def _hold(self, body_bytes: int) -> None:
        self._door.intake.hold(body_bytes)
        self._held += body_bytes

    def _release(self) -> None:
        self._door.intake.release(self._held)
        self._held = 0

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
