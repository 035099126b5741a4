"""One publisher's connection: bytes → packets, backpressure, deadlines, and how it ends.

There is no task and no timer for a message: the commit's callback settles it, and all answers of
a commit go out in one write.
"""

from __future__ import annotations

import asyncio

from pipewatcher.errors import Busy, Forbidden, Unauthorized
from pipewatcher.sources.mqtt_answers import disconnect
from pipewatcher.sources.mqtt_door import Door
from pipewatcher.sources.mqtt_ingest import Sender
from pipewatcher.sources.mqtt_packets import (
    MQTT_5,
    Kind,
    check_disconnect,
    frame,
    kind_of,
    read_connect,
)
from pipewatcher.sources.mqtt_session import Session
from pipewatcher.sources.mqtt_welcome import answer_level, refusal, welcome
from pipewatcher.sources.mqtt_wire import MqttFault, Reason

_CONNECT = Kind.CONNECT << 4
_PUBLISH = Kind.PUBLISH << 4
_STOPPING = "PipeWatcher is stopping."


class MqttConnection(asyncio.Protocol):
    """It waits for its turn, then for its CONNECT; then it has a session until it has ended.

    One that we ended is read and ignored for a while, so that the reason arrives.
    """

    __slots__ = (
        "_buffer",
        "_client",
        "_dirty",
        "_door",
        "_ended",
        "_eof",
        "_held",
        "_keep_alive_s",
        "_leaving",
        "_level",
        "_missing",
        "_packet_bytes_max",
        "_packet_since",
        "_partial",
        "_paused",
        "_refused",
        "_scheduled",
        "_sender",
        "_session",
        "_since",
        "_stalled",
        "_stopping",
        "_transport",
        "_waiting",
    )
    _transport: asyncio.Transport
    _sender: Sender

    def __init__(self, door: Door) -> None:
        self._door = door
        self._level = 0
        self._session: Session | None = None
        self._client: tuple[str, str] | None = None
        self._packet_bytes_max: int | None = None
        self._keep_alive_s = 0
        self._buffer = b""
        self._partial: bytearray | None = None
        self._missing = 0
        self._held = 0
        self._since = 0.0
        self._packet_since = 0.0
        self._waiting = False
        self._refused = False
        self._ended = False
        self._stopping = False
        self._leaving = False
        self._eof = False
        self._stalled = False
        self._paused = False
        self._scheduled = False
        self._dirty = False

    # ---- called by the event loop and by the door

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        door = self._door
        self._transport = transport
        self._waiting = not door.joined(self)
        self._since = self._packet_since = door.now
        if door.full:
            self._refused = True
            door.refused_connections += 1
            if door.refused_connections > door.limits.refused_connections_max:
                self._finish()
                transport.abort()
                return
        if self._waiting:
            self._pause()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()
        self._door.left(self, self._client)
        self._door.refused_connections -= self._refused

    def begin(self) -> None:
        """Its turn has come."""
        self._waiting = False
        self._since = self._packet_since = self._door.now
        self._advance()

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._since = self._door.now
        partial = self._partial
        if partial is None:
            self._buffer = self._buffer + data if self._buffer else data
        else:
            partial += data
            self._missing -= len(data)
            if self._missing > 0:
                self._keep(len(partial))
                return
            self._partial = None
            self._buffer = bytes(partial)
        self._advance()

    def eof_received(self) -> bool:
        """What was read is still handled and answered."""
        self._eof = True
        self._advance()
        # With TLS there is no half of a connection to answer on.
        return not self._ended and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._stalled = True
        self._since = self._door.now
        self._pause()

    def resume_writing(self) -> None:
        self._stalled = False
        self._since = self._door.now
        self._advance()

    def sweep(self, now: float) -> None:
        limits = self._door.limits
        waited_s = now - self._since
        if self._ended:
            if waited_s > limits.linger_s:
                self._transport.abort()
        elif self._waiting:
            return
        elif self._stalled:
            if waited_s > limits.write_stall_s:
                self._transport.abort()
        elif self._session is None:
            if now - self._packet_since > limits.connect_s:
                self._fail(Reason.PROTOCOL_ERROR, "no CONNECT came in time")
        elif self._partial is not None and now - self._packet_since > limits.packet_s:
            self.end(Reason.KEEP_ALIVE_TIMEOUT, "a packet did not come to its end in time")
        elif self._keep_alive_s and waited_s > self._keep_alive_s * 1.5 and not self._paused:
            self.end(Reason.KEEP_ALIVE_TIMEOUT, "nothing came for 1.5 times the keep-alive")
        else:
            try:
                self._door.ingest.check(self._sender)
            except (Unauthorized, Forbidden) as error:
                self.end(Reason.NOT_AUTHORIZED, error.detail)

    def flush(self) -> None:
        """Writes the answers that are due."""
        self._dirty = False
        session = self._session
        if self._ended or session is None:
            return
        answers = session.due()
        if answers:
            self._transport.write(answers)
        if session.broken:
            self.end(Reason.SERVER_BUSY, "a message cannot be taken at the moment")
        elif self._leaving:
            self._leave()
        elif self._stopping:
            self.stop()
        elif self._paused:
            self._advance()

    def stop(self) -> None:
        """Reads nothing more, and ends once what was read is answered."""
        self._stopping = True
        self._pause()
        if self._session is None or not self._session.unsettled:
            self.end(Reason.SHUTTING_DOWN, _STOPPING)

    def end(self, reason: Reason, text: str) -> None:
        """Says why, where the sender's version has words for it, and closes."""
        if self._ended:
            return
        self._door.counts.faults[reason.name] += 1
        self._note("ended", reason, text)
        last = b""
        if self._session is not None:
            last = self._session.due()
            if self._level == MQTT_5:
                last += disconnect(reason, text, self._packet_bytes_max)
        self._close(last)

    def abort(self) -> None:
        self._transport.abort()

    # ---- bytes → packets

    def _advance(self) -> None:
        """Handles what has been read, as far as it may go at the moment."""
        if self._ended or self._waiting or self._scheduled:
            return
        try:
            self._take_turn(self._buffer)
        except MqttFault as fault:
            self._fail(fault.reason, fault.text)

    def _take_turn(self, data: bytes) -> None:
        limits = self._door.limits
        at, size = 0, len(data)
        left = limits.packets_per_turn
        while at < size:
            blocked = self._is_blocked()
            if blocked or not left:
                self._buffer = data[at:]
                self._pause()
                self._keep(size - at)
                if not blocked:
                    self._scheduled = True
                    self._door.loop.call_soon(self._next_turn)
                return
            first = data[at]
            if first != _CONNECT and self._session is None:
                raise MqttFault(Reason.PROTOCOL_ERROR, "the first packet is no CONNECT")
            found = frame(data, at)
            if found is None:
                break
            begin, end = found
            self._check_size(first, end - at)
            if end > size:
                self._begin_partial(bytearray(data[at:]), end - size)
                return
            self._handle(first, data, begin, end)
            if self._ended:
                return
            at = end
            left -= 1
        self._buffer = data[at:]
        self._keep(0)
        if self._eof:
            self._leave()
        elif self._is_blocked():
            self._pause()
        else:
            self._resume()

    def _next_turn(self) -> None:
        self._scheduled = False
        self._advance()

    def _is_blocked(self) -> bool:
        session = self._session
        return (
            self._stalled
            or self._stopping
            or self._leaving
            or (session is not None and session.unsettled >= self._door.limits.unsettled_max)
        )

    def _check_size(self, first: int, packet_bytes: int) -> None:
        limits = self._door.limits
        is_publish = first & 0xF0 == _PUBLISH
        if packet_bytes > (limits.packet_bytes_max if is_publish else limits.control_bytes_max):
            raise MqttFault(Reason.PACKET_TOO_LARGE, f"a packet of {packet_bytes} bytes")

    def _begin_partial(self, partial: bytearray, missing: int) -> None:
        self._buffer = b""
        self._partial = partial
        self._missing = missing
        if self._session is not None:
            self._packet_since = self._door.now
        self._keep(len(partial))
        if self._eof:
            self._leave()
        else:
            self._resume()

    def _handle(self, first: int, data: bytes, begin: int, end: int) -> None:
        session = self._session
        if session is None:
            self._connect(data, begin, end)
            return
        if first & 0xF0 == _PUBLISH:
            session.publish(first, data, begin, end)
            return
        kind = kind_of(first)
        if kind is Kind.PUBREL:
            session.release(data, begin, end)
        elif kind is Kind.PINGREQ and begin == end:
            session.ping()
        elif kind is Kind.SUBSCRIBE or kind is Kind.UNSUBSCRIBE:
            session.subscribe(kind, data, begin, end)
        elif kind is Kind.DISCONNECT:
            check_disconnect(data, begin, end, self._level)
            self._leave()
        elif kind is Kind.PINGREQ:
            raise MqttFault(Reason.MALFORMED, "PINGREQ has no body")
        else:
            raise MqttFault(Reason.PROTOCOL_ERROR, f"{kind.name} is not for a publisher to send")

    def _connect(self, data: bytes, begin: int, end: int) -> None:
        door = self._door
        self._level = answer_level(data, begin, end)
        opened = welcome(door, read_connect(data, begin, end), over_limit=self._refused)
        self._sender = opened.sender
        self._keep_alive_s = opened.keep_alive_s
        self._packet_bytes_max = opened.connect.packet_bytes_max
        self._session = Session(door, opened.sender, opened.connect, self._wake)
        self._client = (opened.sender.name, opened.sender.client_id)
        door.take_over(self, self._client)
        door.counts.connects += 1
        self._transport.write(opened.answer)

    # ---- the end

    def _fail(self, reason: Reason, text: str) -> None:
        """As `end`; before there is a session, by a CONNACK."""
        if self._session is not None:
            self.end(reason, text)
            return
        if self._ended:
            return
        self._door.counts.refused_connects[reason.name] += 1
        self._note("refused", reason, text)
        self._close(refusal(self._level, reason, text))

    def _leave(self) -> None:
        """The sender is through: it gets the answers that it waits for, and the end."""
        self._leaving = True
        self._pause()
        session = self._session
        if session is None or not session.unsettled:
            if session is not None:
                self._transport.write(session.due())
            self._finish()
            self._transport.close()

    def _close(self, last: bytes) -> None:
        self._finish()
        self._since = self._door.now
        transport = self._transport
        if transport.is_closing():
            return
        if last:
            transport.write(last)
        if last and transport.can_write_eof():
            transport.write_eof()
            self._resume()
        else:
            transport.close()

    def _finish(self) -> None:
        """Nothing that comes or is settled from now on matters to the sender."""
        self._ended = True
        if self._session is not None:
            self._session.over = True
        self._buffer = b""
        self._partial = None
        self._keep(0)

    def _note(self, what: str, reason: Reason, text: str) -> None:
        who = self._client[1] if self._client is not None else ""
        peer = self._transport.get_extra_info("peername")
        self._door.note(
            "MQTT connection of %r from %s %s: %s (%s)", who, peer, what, text, reason.name
        )

    # ---- backpressure

    def _wake(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._door.flush_soon(self)

    def _keep(self, unhandled_bytes: int) -> None:
        """Accounts for what is read and not handled; ends the connection when that is too much."""
        more = unhandled_bytes - self._held
        if more > 0:
            try:
                self._door.ingest.intake.hold(more)
            except Busy as error:
                self._fail(Reason.QUOTA_EXCEEDED, error.detail)
                return
        elif more < 0:
            self._door.ingest.intake.release(-more)
        self._held = unhandled_bytes

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._since = self._door.now
            self._transport.resume_reading()
