"""One device's connection, by HTTP or MQTT: bare protocols, at most one message on the way."""

from __future__ import annotations

import asyncio
import re
import struct
import time
from abc import ABC, abstractmethod
from typing import Any, Protocol

from plan import BATCH, Stamps, batch, reading

TOPIC = b"plant/load/readings"
KEEP_ALIVE_S = 600
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"retry-after: *(\d+)", re.IGNORECASE)


class Told(Protocol):
    """Who is told what became of a message."""

    stamps: Stamps

    def answered(self, device: Device, code: str, retry_after_s: float | None) -> None: ...
    def ended(self, device: Device) -> None: ...


class Device(asyncio.Protocol, ABC):
    """`number` is its next reading's; `waiting_for` the first one on the way, or None."""

    readings = 1

    def __init__(self, connection: int, number: int, token: str, told: Told) -> None:
        self.connection = connection
        self.number = number
        self.messages = 0
        self.waiting_for: int | None = None
        self.intended_s = 0.0
        self.gone = False
        self.ready = asyncio.get_running_loop().create_future()
        self._token = token
        self._told = told
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.welcome()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("not let in"))
        else:
            self._told.ended(self)

    def welcome(self) -> None:
        self.ready.set_result(None)

    def send(self, intended_s: float) -> None:
        """The next message, that was to be sent at `intended_s` of `time.perf_counter`."""
        first, self.number = self.number, self.number + self.readings
        self.messages += 1
        self.waiting_for = first
        self.intended_s = intended_s
        self.transport.write(self.message(first))

    @abstractmethod
    def message(self, first: int) -> bytes: ...


class Http(Device):
    def __init__(self, *made: Any) -> None:
        super().__init__(*made)
        self._head = b""

    def message(self, first: int) -> bytes:
        body = self.body(first)
        if not self._head:
            self._head = (
                b"POST /api/v1/readings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            ) % (self._token.encode(), len(body))
        return self._head + body

    def body(self, first: int) -> bytes:
        return reading(self.connection, first, self._told.stamps)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        end = data.find(b"\r\n\r\n")
        code = data[9:12]
        length = _LENGTH.search(data, 0, end) if end >= 0 and code != b"204" else None
        if end < 0 or len(data) < end + 4 + (int(length[1]) if length else 0):
            self._rest = data
            return
        self._rest = b""
        retry = None if code in {b"204", b"200"} else _RETRY.search(data, 0, end)
        self._told.answered(self, self.outcome(code, data), float(retry[1]) if retry else None)

    def outcome(self, code: bytes, _answer: bytes) -> str:
        return "ok" if code == b"204" else code.decode()


class HttpBatch(Http):
    readings = BATCH

    def body(self, first: int) -> bytes:
        return batch(self.connection, first, self._told.stamps)

    def outcome(self, code: bytes, answer: bytes) -> str:
        whole = code == b"200" and b'"accepted":%d,' % BATCH in answer
        return "ok" if whole else code.decode()


class Mqtt(Device):
    """MQTT 3.1.1, QoS 1: acknowledged is what has its PUBACK."""

    def welcome(self) -> None:
        head = _sized(b"MQTT") + bytes([4, 0xC2]) + struct.pack(">H", KEEP_ALIVE_S)
        name = _sized(b"load-%05d" % self.connection)
        sign_in = _sized(b"load") + _sized(self._token.encode())
        self.transport.write(_packet(0x10, head + name + sign_in))

    def message(self, first: int) -> bytes:
        identifier = struct.pack(">H", self.messages % 65_000 + 1)
        payload = reading(self.connection, first, self._told.stamps)
        return _packet(0x32, _sized(TOPIC) + identifier + payload)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        whole = len(data) // 4 * 4
        self._rest = data[whole:]
        for at in range(0, whole, 4):
            if data[at] == 0x40:
                self._told.answered(self, "ok", None)
            elif data[at] == 0x20 and data[at + 3] == 0:
                self.ready.set_result(None)
            else:
                self.transport.abort()


KINDS: dict[str, type[Device]] = {"single": Http, "batch": HttpBatch, "mqtt": Mqtt}


def _packet(first: int, body: bytes) -> bytes:
    length = bytearray()
    size = len(body)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([first, *length, size]) + body


def _sized(raw: bytes) -> bytes:
    return struct.pack(">H", len(raw)) + raw


now_s = time.perf_counter
