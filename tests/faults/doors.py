"""The doors, each as its sender sees it: `True` is an acknowledgement, `False` no answer that says
anything. Any other answer is a fault and raises."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import httpx

from faults.ledger import Key
from mqtt_harness import field_of, packed, publish
from server import AUTH
from workload import reading

Readings: TypeAlias = Sequence[tuple[Key, float]]
ANSWER_TIMEOUT_S = 20.0
FAR = "2999-01-01T00:00:00Z"
"""No clock of ours comes there: refused."""
FAR_S = int(datetime.fromisoformat(FAR).timestamp())


class Door(Protocol):
    name: str
    size: int
    """Readings that are sent at a time."""

    async def deliver(self, readings: Readings) -> bool: ...

    async def close(self) -> None: ...


class HttpDoor:
    """Batches carry one reading that must be refused."""

    def __init__(self, url: str, size: int) -> None:
        self.name = "http single" if size == 1 else "http batch"
        self.size = size
        self._client = httpx.AsyncClient(base_url=url, headers=AUTH, timeout=ANSWER_TIMEOUT_S)

    async def deliver(self, readings: Readings) -> bool:
        items = [reading(*each) for each in readings]
        body: Any = items[0]
        if self.size > 1:
            body = [*items, {**items[0], "timestamp": FAR}]
        try:
            answer = await self._client.post("/api/v1/readings", json=body)
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            return False
        if self.size == 1:
            assert answer.status_code == 204, answer.text
            return True
        assert answer.status_code == 207, answer.text
        receipt = answer.json()
        counts = (receipt["received"], receipt["accepted"], receipt["rejected"])
        assert counts == (len(body), len(items), 1), receipt
        return True

    async def close(self) -> None:
        await self._client.aclose()


class LineProtocolDoor:
    """As InfluxDB's clients send: one line of a body must be refused, and the others are kept."""

    name = "line protocol"

    def __init__(self, url: str, size: int) -> None:
        self.size = size
        self._client = httpx.AsyncClient(base_url=url, headers=AUTH, timeout=ANSWER_TIMEOUT_S)

    async def deliver(self, readings: Readings) -> bool:
        lines = [
            f"pump,equipmentId={sensor} value={value} {int(datetime.fromisoformat(at).timestamp())}"
            for (sensor, at), value in readings
        ]
        refused = f"pump,equipmentId={readings[0][0][0]} value=1.5 {FAR_S}"
        body = "\n".join([*lines, refused])
        try:
            answer = await self._client.post("/write", params={"precision": "s"}, content=body)
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            return False
        assert answer.status_code == 400, answer.text
        receipt = answer.json()
        counts = (receipt["received"], receipt["accepted"], receipt["rejected"])
        assert counts == (len(lines) + 1, len(lines), 1), receipt
        return True

    async def close(self) -> None:
        await self._client.aclose()


class MqttDoor:
    """MQTT 3.1.1 at QoS 1, one message at a time: to our listener, or to a broker before us."""

    def __init__(self, name: str, port: int, user: str, password: str, topic: str) -> None:
        self.name = name
        self.size = 1
        self._port = port
        self._connect = _with_user(user, password)
        self._topic = topic
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._packet_id = 0

    async def deliver(self, readings: Readings) -> bool:
        payload = json.dumps(reading(*readings[0])).encode()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reader, writer = await self._connected()
                self._packet_id = self._packet_id % 60_000 + 1
                writer.write(
                    publish(payload, level=4, packet_id=self._packet_id, topic=self._topic)
                )
                answer = await reader.readexactly(4)
        except (OSError, EOFError, TimeoutError):
            await self.close()
            return False
        assert answer == b"\x40\x02" + self._packet_id.to_bytes(2), answer
        return True

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            streams = await asyncio.open_connection("127.0.0.1", self._port)
            self._streams = streams
            streams[1].write(self._connect)
            welcome = await streams[0].readexactly(4)
            if welcome[3] == 3:  # unavailable for now
                raise ConnectionRefusedError
            assert welcome == b"\x20\x02\0\0", welcome
        return self._streams


def _with_user(user: str, password: str) -> bytes:
    """A CONNECT of level 4, clean; it need not be kept alive."""
    who = (field_of(secrets.token_hex(8)), field_of(user), field_of(password))
    return packed(0x10, field_of("MQTT"), b"\x04\xc2", b"\0\0", *who)
