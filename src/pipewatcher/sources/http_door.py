"""What all connections of one HTTP server share: limits, the clock, the list of who is connected.

Deadlines are kept by one sweep over all connections, not by a timer for each request; they are
met to within one sweep.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from pipewatcher.errors import Busy, PipeWatcherError
from pipewatcher.intake import Intake
from pipewatcher.sources.http import Answer, Ingest, answer_of
from pipewatcher.sources.http_head import Heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a connection may take; seconds and bytes."""

    connections_max: int = 16_000
    refused_connections_max: int = 512
    """Connections over the limit that are being told so; further ones are cut."""
    head_bytes_max: int = 16 * 1024
    head_s: float = 10.0
    """From the first byte of a request to the end of its head."""
    body_window_s: float = 20.0
    body_bytes_per_s_min: int = 16 * 1024
    """In each window of this length a body that is not complete must go on at this rate."""
    idle_s: float = 120.0
    """Between requests: longer than the minute at which many devices send."""
    linger_s: float = 2.0
    """How long a refused body is read and thrown away, so that its sender sees the answer."""
    write_stall_s: float = 30.0
    """How long a sender may leave its answers unread."""
    pipelined_bytes_max: int = 64 * 1024
    """Read ahead of the request that is being answered; then reading pauses."""
    sweep_s: float = 1.0


class BodyPace:
    """Whether a body that is being received goes on fast enough."""

    __slots__ = ("_begun_at", "_begun_with", "_bytes_min", "_window_s")

    def __init__(self, limits: Limits, now: float) -> None:
        self._window_s = limits.body_window_s
        self._bytes_min = limits.body_bytes_per_s_min * limits.body_window_s
        self._begun_at = now
        self._begun_with = 0

    def too_slow(self, received_bytes: int, now: float) -> bool:
        if now - self._begun_at <= self._window_s:
            return False
        if received_bytes - self._begun_with < self._bytes_min:
            return True
        self.restart(received_bytes, now)
        return False

    def restart(self, received_bytes: int, now: float) -> None:
        """A new window: also while it is us who do not read."""
        self._begun_at = now
        self._begun_with = received_bytes


class Connection(Protocol):
    def sweep(self, now: float) -> None:
        """Ends the connection when one of its deadlines has passed."""
        ...


class Door:
    """The state that connections share; `HttpDoor` in `http_protocol` makes the connections."""

    def __init__(self, ingest: Ingest, intake: Intake, limits: Limits) -> None:
        self.ingest = ingest
        self.intake = intake
        self.limits = limits
        self.connections: set[Connection] = set()
        self.refused_connections = 0
        self.now = 0.0
        """The loop's clock at the last sweep: cheap, and exact enough for deadlines."""
        self.heads = Heads()
        self._default_headers: list[tuple[bytes, bytes]] = []
        self._default_block = b""
        self._sweeping = False

    def joined(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connections.add(connection)
        if not self._sweeping:
            self._sweeping = True
            self.now = loop.time()
            loop.call_later(self.limits.sweep_s, self._sweep, loop)

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)

    @property
    def full(self) -> bool:
        return len(self.connections) > self.limits.connections_max

    def render(self, state: ServerState, answer: Answer, *, close: bool) -> bytes:
        if state.default_headers is not self._default_headers:
            # uvicorn makes a new list every second, with the Date in it.
            self._default_headers = state.default_headers
            self._default_block = b"".join(b"%s: %s\r\n" % pair for pair in state.default_headers)
        if answer.status == 204 and not close:
            return b"%s%s\r\n" % (STATUS_LINE[204], self._default_block)
        return b"".join(_response(answer, self._default_block, close=close))

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        for connection in list(self.connections):
            connection.sweep(self.now)
        if self.connections:
            loop.call_later(self.limits.sweep_s, self._sweep, loop)
        else:
            self._sweeping = False


def _response(answer: Answer, default_block: bytes, *, close: bool) -> list[bytes]:
    parts = [STATUS_LINE[answer.status], default_block]
    parts += [f"{name}: {value}\r\n".encode() for name, value in answer.headers]
    if answer.status != 204:
        parts.append(b"content-length: %d\r\n" % len(answer.body))
    if close:
        parts.append(b"connection: close\r\n")
    return [*parts, b"\r\n", answer.body]


def is_unix(transport: asyncio.BaseTransport) -> bool:
    found = transport.get_extra_info("socket")
    return found is not None and found.family == socket.AF_UNIX


def too_many_connections() -> PipeWatcherError:
    return Busy("Too many connections are open at the moment.")


def closing_answer(error: PipeWatcherError, state: ServerState, door: Door) -> bytes:
    return door.render(state, answer_of(error), close=True)


@dataclass(frozen=True, slots=True)
class Made:
    """With what uvicorn makes a connection, kept for the one that may take it over."""

    config: Config
    server_state: ServerState
    app_state: dict[str, Any]
    loop: asyncio.AbstractEventLoop
