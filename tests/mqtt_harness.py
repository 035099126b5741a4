"""The MQTT listener on a loopback port, and a bare client that says exactly what a test wants."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loop_harness import DEVICE_TOKEN, WAIT_S, WRITER_ROLES, OnLoop
from pipewatcher.sources.mqtt_door import Limits
from pipewatcher.sources.mqtt_ingest import Ingest
from pipewatcher.sources.mqtt_listener import MqttListener
from pipewatcher.sources.mqtt_payload import TopicRules

NOON = "2026-01-31T12:00:00Z"
TOPIC = "plant/readings"


def reading(equipment_id: str, value: float = 1.0, timestamp: str = NOON) -> bytes:
    return json.dumps(
        {"equipmentId": equipment_id, "value": value, "timestamp": timestamp}
    ).encode()


class Letters:
    """Dead letters, in the order in which they were buried."""

    def __init__(self) -> None:
        self.buried: list[dict[str, Any]] = []

    def bury(self, **letter: Any) -> None:
        self.buried.append(letter)


@dataclass
class Running(OnLoop):
    limits: Limits = field(default_factory=Limits)
    rules: TopicRules = field(default_factory=TopicRules)
    tls: ssl.SSLContext | None = None
    port: int = 0

    def start(self) -> None:
        self.letters = Letters()
        self._opened: list[Raw] = []
        super().start()

    def stop(self) -> None:
        for raw in self._opened:
            raw.close()
        super().stop()

    def raw(self) -> Raw:
        """Open until the listener stops."""
        raw = Raw(socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S))
        self._opened.append(raw)
        return raw

    def connected(self, level: int = 5, **options: Any) -> Raw:
        """After a CONNACK that says yes."""
        raw = self.raw()
        raw.send(connect(level, **options))
        kind, body = raw.packet()
        assert (kind, body[:2]) == (0x20, b"\0\0"), body
        return raw

    async def serve(self) -> None:
        ingest = Ingest(
            self.intake, self.tokens, self.letters, rules=self.rules, writer_roles=WRITER_ROLES
        )
        self.listener = MqttListener(ingest, self.limits)
        await self.listener.open("127.0.0.1", 0, self.tls)
        self.port = (self.listener.tls_port if self.tls else self.listener.port) or 0
        self.ready.set()
        await self.stopping.wait()
        self.intake.stop()
        await self.listener.close()


@contextmanager
def running(
    folder: Path, limits: Limits | None = None, *, rules: TopicRules | None = None, **intake: Any
) -> Iterator[Running]:
    listener = Running(folder, intake, limits or Limits(), rules or TopicRules())
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()


class Raw:
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = connection.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *packets: bytes) -> None:
        self.socket.sendall(b"".join(packets))

    def packet(self) -> tuple[int, bytes]:
        """The next packet's first byte and body; (0, b"") at the end."""
        first = self._file.read(1)
        if not first:
            return 0, b""
        length = shift = 0
        while True:
            byte = self._file.read(1)[0]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return first[0], self._file.read(length)
            shift += 7

    def rest(self) -> list[tuple[int, bytes]]:
        """All packets to the end of the connection."""
        found = []
        try:
            while (packet := self.packet()) != (0, b""):
                found.append(packet)
        except ConnectionResetError:
            pass
        return found


def packed(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = bytearray()
    size = len(body)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([first]) + bytes([*length, size]) + body


def field_of(raw: bytes | str) -> bytes:
    raw = raw.encode() if isinstance(raw, str) else raw
    return len(raw).to_bytes(2) + raw


def properties_of(level: int, raw: bytes) -> bytes:
    """Under 128 bytes of them."""
    return bytes([len(raw)]) + raw if level == 5 else b""


def connect(
    level: int = 5,
    *,
    client_id: str = "raw",
    clean: bool = True,
    keep_alive: int = 60,
    token: str | None = DEVICE_TOKEN,
    properties: bytes = b"",
    name: str = "MQTT",
    will: bytes | None = None,
) -> bytes:
    flags = clean << 1 | (will is not None) << 2 | (0xC0 if token is not None else 0)
    parts = [field_of(name), bytes([level, flags]), keep_alive.to_bytes(2)]
    parts += [properties_of(level, properties), field_of(client_id)]
    if will is not None:
        parts += [properties_of(level, b""), field_of("gone"), field_of(will)]
    if token is not None:
        parts += [field_of("anybody"), field_of(token)]
    return packed(0x10, *parts)


def publish(
    payload: bytes,
    *,
    qos: int = 1,
    packet_id: int = 1,
    level: int = 5,
    topic: str = TOPIC,
    flags: int = 0,
    properties: bytes = b"",
) -> bytes:
    identifier = packet_id.to_bytes(2) if qos else b""
    return packed(
        0x30 | qos << 1 | flags,
        field_of(topic),
        identifier,
        properties_of(level, properties),
        payload,
    )
