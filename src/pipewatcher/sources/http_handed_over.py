"""uvicorn's own HTTP protocol, with deadlines and problem documents."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pipewatcher.errors import MalformedRequest, PipeWatcherError, RequestTimeout
from pipewatcher.sources.http_door import BodyPace, Door, Made, closing_answer


class HandedOverProtocol(HttpToolsProtocol):
    """Serves a connection that asked for something else than to send readings.

    A head has a deadline; a body has a least rate, which does not count while we are the ones
    who do not read. Between requests uvicorn's keep-alive timeout holds.
    """

    def __init__(self, made: Made, door: Door) -> None:
        super().__init__(made.config, made.server_state, made.app_state, made.loop)
        self._door = door
        self._reading_head = False
        self._reading_body = False
        self._bytes = 0
        self._since = 0.0
        self._pace = BodyPace(door.limits, door.now)
        self._stalled_since: float | None = None

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._door.joined(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._door.left(self)

    def data_received(self, data: bytes) -> None:
        if not self._reading_body and not self._reading_head:
            self._reading_head = True
            self._bytes = 0
            self._since = self._door.now
        self._bytes += len(data)
        super().data_received(data)
        if self._reading_head and self._bytes > self._door.limits.head_bytes_max:
            self._end(MalformedRequest("The head of the request is too long."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading_head = True
        self._bytes = 0
        self._since = self._door.now

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._reading_body = True
        self._bytes = 0
        self._pace = BodyPace(self._door.limits, self._door.now)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading_body = False
        self._reading_head = False

    def send_400_response(self, msg: str) -> None:
        self._end(MalformedRequest("This is not an HTTP request that can be read."))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self._door.now

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    def sweep(self, now: float) -> None:
        stalled_since = self._stalled_since
        if stalled_since is not None and now - stalled_since > self._door.limits.write_stall_s:
            self.transport.abort()
            return
        if self._reading_body and self.flow.read_paused:
            self._pace.restart(self._bytes, now)
        elif self._reading_body:
            if self._pace.too_slow(self._bytes, now):
                self._end(RequestTimeout())
        elif self._reading_head and now - self._since > self._door.limits.head_s:
            self._end(RequestTimeout())

    def _end(self, error: PipeWatcherError) -> None:
        """Says why and closes; mid-answer it can only close."""
        self._reading_head = self._reading_body = False
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(closing_answer(error, self.server_state, self._door))
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
