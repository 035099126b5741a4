"""The load generator with a ledger, a process of its own: `python generator.py '{"mode": …}'`.

- `closed`: each device sends its next message when the one before is answered (after a refusal:
  when it was told to).
- `open`: messages arrive at a constant rate, in turn over the devices, whether the answers keep up
  or not. A message whose device still waits is sent late, and its latency counts **from the instant
  at which it was to be sent**: so a server that stands still for a second shows in every message
  that was due in this second (no coordinated omission).
- `storm`: all devices are connected, have a message acknowledged, are cut off, and all come back at
  once; the time until each has a message acknowledged again is taken.

Says `CONNECTED n seconds` when the devices are there, begins when it is told a line, and ends with
one line of JSON; latencies and the ledger go into the file `out`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import resource
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop
from connections import KINDS, Device, now_s
from plan import Stamps

CONNECTING_AT_ONCE = 500
TRIES = 100
TICK_S = 0.001
LAST_ANSWERS_S = 60.0
NO_HINT_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Order:
    mode: str
    kind: str
    port: int
    token: str
    connections: int
    seconds: float
    per_s: float
    """Messages, not readings; of `open` only."""
    late_s: float
    """How long `open` still sends after the end what was due before it."""
    first: int
    """Number of each device's first reading."""
    begin_s: int
    """The instant of reading 0."""
    out: str


class Load:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.stamps = Stamps(order.begin_s, order.first)
        self.devices: list[Device] = []
        self.running = False
        self.began_s = self.ends_s = 0.0
        self.at = array("d")
        """Of each acknowledgement: seconds from the start to when it was to be sent."""
        self.took = array("d")
        self.refused_at = array("d")
        self.not_acknowledged: list[tuple[int, int, int]] = []
        """Connection, first reading, readings."""
        self.codes: Counter[str] = Counter()
        self.without_hint = 0
        self.lost = 0
        self.reconnects = 0
        self.cutting = False

    def answered(self, device: Device, code: str, retry_after_s: float | None) -> None:
        now = now_s()
        first = device.waiting_for
        assert first is not None
        device.waiting_for = None
        self.codes[code] += 1
        if code == "ok":
            self.at.append(device.intended_s - self.began_s)
            self.took.append(now - device.intended_s)
        else:
            self.refused_at.append(now - self.began_s)
            self.not_acknowledged.append((device.connection, first, device.readings))
            self.without_hint += retry_after_s is None
        if not self.running:
            return
        if self.order.mode == "open":
            self.send_if_due(device, now)
        elif code == "ok":
            device.send(now)
        else:
            wait_s = NO_HINT_S if retry_after_s is None else retry_after_s
            asyncio.get_running_loop().call_later(wait_s, self.go_on, device)

    def ended(self, device: Device) -> None:
        if self.cutting:
            return
        self.lost += 1
        if device.waiting_for is not None:
            self.codes["connection lost"] += 1
            self.not_acknowledged.append((device.connection, device.waiting_for, device.readings))
            device.waiting_for = None

    def go_on(self, device: Device) -> None:
        if self.running and not device.gone and device.waiting_for is None:
            device.send(now_s())

    def send_if_due(self, device: Device, now: float) -> None:
        order = self.order
        place = device.connection + device.messages * order.connections
        due = self.began_s + place / order.per_s
        if due <= now and due < self.ends_s and not device.gone:
            device.send(due)

    async def connect_all(self, at_once: int) -> None:
        gate = asyncio.Semaphore(at_once)
        loop = asyncio.get_running_loop()
        kind, order = KINDS[self.order.kind], self.order
        numbers = [device.number for device in self.devices] or [order.first] * order.connections

        async def one(connection: int) -> Device:
            async with gate:
                for _ in range(TRIES):
                    try:
                        _, device = await loop.create_connection(
                            lambda: kind(connection, numbers[connection], order.token, self),
                            "127.0.0.1",
                            order.port,
                        )
                        await device.ready
                        return device
                    except OSError:
                        self.reconnects += 1
                        await asyncio.sleep(0.2)
                raise ConnectionError("a device was never let in")

        self.devices = list(await asyncio.gather(*map(one, range(order.connections))))
        gc.collect()
        gc.freeze()

    async def closed(self) -> None:
        self.start()
        for device in self.devices:
            device.send(now_s())
        await asyncio.sleep(self.order.seconds)

    async def open(self) -> None:
        self.start()
        order, devices = self.order, self.devices
        total = math.floor(order.per_s * order.seconds)
        place = 0
        while place < total:
            now = now_s()
            due = min(total, math.floor((now - self.began_s) * order.per_s) + 1)
            for number in range(place, due):
                device = devices[number % len(devices)]
                if device.waiting_for is None:
                    self.send_if_due(device, now)
            place = due
            await asyncio.sleep(TICK_S)
        until = now_s() + order.late_s
        while sum(device.messages for device in devices) < total:
            if now_s() > until:
                break
            await asyncio.sleep(0.05)

    async def storm(self) -> dict[str, float]:
        self.start()
        for device in self.devices:
            device.send(now_s())
        await self.last_answers()
        self.cutting = True
        for device in self.devices:
            device.transport.abort()
        await asyncio.sleep(0.5)
        self.cutting, before, self.reconnects = False, len(self.took), 0
        began = now_s()
        await self.connect_all(self.order.connections)
        connected_s = now_s() - began
        for device in self.devices:
            device.send(began)
        await self.last_answers()
        back = len(self.took) - before
        return {
            "back_connected_s": connected_s,
            "back_acknowledged_s": now_s() - began,
            "back": back,
            "refused_connects": self.reconnects,
        }

    def start(self) -> None:
        self.running = self.order.mode != "storm"
        self.began_s = now_s()
        self.ends_s = self.began_s + self.order.seconds

    async def last_answers(self) -> None:
        until = now_s() + LAST_ANSWERS_S
        while any(device.waiting_for is not None for device in self.devices):
            if now_s() > until:
                break
            await asyncio.sleep(0.02)

    def finish(self) -> None:
        """What has no answer by now is neither acknowledged nor refused."""
        for device in self.devices:
            if device.waiting_for is not None:
                self.codes["no answer"] += 1
                entry = (device.connection, device.waiting_for, device.readings)
                self.not_acknowledged.append(entry)

    def keep(self) -> None:
        np.savez_compressed(
            Path(self.order.out),
            at=np.array(self.at),
            took=np.array(self.took),
            refused_at=np.array(self.refused_at),
            next=np.array([device.number for device in self.devices], dtype=np.int64),
            not_acknowledged=np.array(self.not_acknowledged, dtype=np.int64).reshape(-1, 3),
        )


async def main() -> None:
    load = Load(Order(**json.loads(sys.argv[1])))
    order = load.order
    began = now_s()
    await load.connect_all(CONNECTING_AT_ONCE)
    print(f"CONNECTED {len(load.devices)} {now_s() - began:.3f}", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    cpu_s = time.process_time()
    extra = await getattr(load, order.mode)() or {}
    load.running = False
    await load.last_answers()
    lasted_s = now_s() - load.began_s
    cpu_s = time.process_time() - cpu_s
    load.finish()
    load.keep()
    sent = sum(device.messages for device in load.devices)
    due = math.floor(order.per_s * order.seconds) if order.mode == "open" else sent
    found = {
        "codes": load.codes,
        "sent": sent,
        "unsent": max(0, due - sent),
        "without_hint": load.without_hint,
        "connections_lost": load.lost,
        "lasted_s": lasted_s,
        "cpu_s": cpu_s,
    }
    print(json.dumps(found | extra), flush=True)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(main())
