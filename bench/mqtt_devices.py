"""Many MQTT publishers in one process: bare protocols on uvloop, QoS 1, one reading a message.

`python bench/mqtt_devices.py KIND PORT CONNECTIONS SECONDS …` prints one JSON object, with the CPU
that it took itself:

- `window N`: each device keeps N messages on the way.
- `rate N`: N messages a second in all, evenly over the devices.
- `fleet INTERVAL`: each device sends once in INTERVAL seconds; then all are cut off and come
  back at once; the time until each has a message acknowledged is taken.
"""

from __future__ import annotations

import asyncio
import json
import resource
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import uvloop

TOKEN = "pw_bench-token-of-some-length"
TOPIC = b"plant/gw-1/readings"
MESSAGE_IDS = 65_000
CONNECTING_AT_ONCE = 500


def packet(first: int, body: bytes) -> bytes:
    length = bytearray()
    size = len(body)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([first, *length, size]) + body


def sized(raw: bytes) -> bytes:
    return struct.pack(">H", len(raw)) + raw


def connect(name: str, user: str, password: str, keep_alive_s: int) -> bytes:
    head = sized(b"MQTT") + bytes([4, 0xC2]) + struct.pack(">H", keep_alive_s)
    return packet(
        0x10, head + sized(name.encode()) + sized(user.encode()) + sized(password.encode())
    )


class Device(asyncio.Protocol):
    """`acknowledged(device, seconds)` is called for each PUBACK."""

    def __init__(
        self, number: int, sign_in: tuple[str, str], told: Callable[[Device, float], None]
    ):
        self.name = f"EQ-{number:05}"
        self.sign_in = sign_in
        self.told = told
        self.ready = asyncio.get_running_loop().create_future()
        self.sent: deque[float] = deque()
        self.messages = 0
        self.lost = False
        self.rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(connect(self.name, *self.sign_in, 60))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("not let in"))

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if not self.ready.done():
            if len(data) < 4:
                self.rest = data
                return
            if data[3]:
                self.ready.set_exception(ConnectionError(f"CONNACK {data[3]}"))
                return
            self.ready.set_result(None)
            data = data[4:]
        now = time.perf_counter()
        answers, left = divmod(len(data), 4)
        for at in range(0, answers * 4, 4):
            assert data[at] == 0x40, data[at:]
            self.told(self, now - self.sent.popleft())
        self.rest = data[len(data) - left :]

    def send(self, count: int) -> None:
        out = []
        now = time.perf_counter()
        for _ in range(count):
            self.messages += 1
            number = self.messages
            second, millisecond = divmod(number, 1_000)
            minute, second = divmod(second, 60)
            hour, minute = divmod(minute, 60)
            payload = (
                f'{{"equipmentId":"{self.name}","value":{number % 977 / 8},'
                f'"timestamp":"2026-01-{1 + hour // 24:02}T{hour % 24:02}:{minute:02}:{second:02}'
                f'.{millisecond:03}Z"}}'
            ).encode()
            identifier = struct.pack(">H", number % MESSAGE_IDS + 1)
            out.append(packet(0x32, sized(TOPIC) + identifier + payload))
            self.sent.append(now)
        self.transport.write(b"".join(out))


class Load:
    def __init__(self, port: int, connections: int, sign_in: tuple[str, str]) -> None:
        self.port = port
        self.connections = connections
        self.sign_in = sign_in
        self.devices: list[Device] = []
        self.took: list[float] = []
        self.again = False

    def told(self, device: Device, seconds: float) -> None:
        self.took.append(seconds)
        if self.again:
            device.send(1)

    async def connect_all(self) -> None:
        gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
        loop = asyncio.get_running_loop()

        async def one(number: int) -> Device:
            async with gate:
                for _ in range(20):
                    try:
                        _, device = await loop.create_connection(
                            lambda: Device(number, self.sign_in, self.told), "127.0.0.1", self.port
                        )
                        await device.ready
                        return device
                    except OSError:
                        await asyncio.sleep(0.2)
                raise ConnectionError("a device was never let in")

        self.devices = list(await asyncio.gather(*map(one, range(self.connections))))

    async def window(self, seconds: float, size: float) -> dict[str, float]:
        await self.connect_all()
        self.again = True
        for device in self.devices:
            device.send(int(size))
        await asyncio.sleep(seconds / 5)
        self.took.clear()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        took, lasted = list(self.took), time.perf_counter() - began
        self.again = False
        await self.answered()
        return figures(took, lasted)

    async def rate(self, seconds: float, per_s: float) -> dict[str, float]:
        if not self.devices:
            await self.connect_all()
        self.took.clear()
        began = time.perf_counter()
        sent = 0
        while (now := time.perf_counter() - began) < seconds:
            while sent < now * per_s:
                self.devices[sent % len(self.devices)].send(1)
                sent += 1
            await asyncio.sleep(0.002)
        await self.answered()
        return figures(self.took, seconds)

    async def fleet(self, seconds: float, interval_s: float) -> dict[str, float]:
        began = time.perf_counter()
        await self.connect_all()
        connected_s = time.perf_counter() - began
        print(json.dumps({"connected": len(self.devices)}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)  # memory is looked at while all are idle
        found = await self.rate(seconds, self.connections / interval_s)
        lost = sum(device.lost for device in self.devices)
        for device in self.devices:
            device.transport.abort()
        began = time.perf_counter()
        await self.connect_all()
        storm_s = time.perf_counter() - began
        for device in self.devices:
            device.send(1)
        await self.answered()
        return found | {
            "connected_s": connected_s,
            "lost": lost,
            "storm_connected_s": storm_s,
            "storm_acknowledged_s": time.perf_counter() - began,
        }

    async def answered(self) -> None:
        async with asyncio.timeout(60):
            while any(device.sent for device in self.devices):  # noqa: ASYNC110 - it is many of them
                await asyncio.sleep(0.01)


def figures(took: list[float], lasted: float) -> dict[str, float]:
    took = sorted(took)
    return {
        "per_s": len(took) / lasted,
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[len(took) * 99 // 100] * 1e3,
        "acknowledged": len(took),
    }


async def main() -> None:
    kind, port, connections, seconds, number, *sign_in = sys.argv[1:]
    user, password = sign_in or ("bench", TOKEN)
    load = Load(int(port), int(connections), (user, password))
    found = await getattr(load, kind)(float(seconds), float(number))
    found["messages"] = sum(device.messages for device in load.devices)
    found["cpu_s"] = time.process_time()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(main())
