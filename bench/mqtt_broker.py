"""Readings through Mosquitto and the broker source, until they are durable: the rate end to end.

    python bench/mqtt_broker.py [--rounds 3] [--messages 60000] [--devices 20] [--cores 0]

Devices send one reading a message at QoS 1, each with 100 on the way; the clock stops when the last
one is synced to the commit log (no store behind it). `--cores 0` puts devices, Mosquitto and source
on one core, `--cores 0,1` on two. To be set beside the listener's rate on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from mqtt_devices import connect, packet, sized

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.intake import Intake
from pipewatcher.sources.mqtt_broker import BrokerSource
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.sources.mqtt_topics import TopicRules
from servers.mosquitto import DEVICE, Mosquitto

WINDOW = 100
TOPIC = f"plant/{DEVICE}/readings".encode()


class NoLetters:
    async def keep(self, **letter: Any) -> None:
        raise AssertionError(letter["reason"])


async def take(url: str, folder: Path) -> None:
    """The source by itself, in a process of its own; says how many readings are committed."""
    commit_log = SQLiteCommitLog(folder / "commit.db")
    await commit_log.open()
    intake = Intake(
        commit_log,
        data_dir=folder,
        disk_free_min_bytes=0,
        backlog_bytes_max=2**40,
        inflight_bytes_max=2**28,
        future_max_s=300,
    )
    await intake.start()
    (target,) = parse_broker_urls(url)
    source = BrokerSource(
        target, intake, NoLetters(), TopicRules(), client_id="bench", shared=False
    )
    running = asyncio.create_task(source.run())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    while not stopping.is_set():
        print(json.dumps([time.time(), intake.committed, source.connected]), flush=True)
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await intake.close()
    await commit_log.close()


class Device(asyncio.Protocol):
    """MQTT 3.1.1, just enough of it."""

    def __init__(self, number: int, password: str, messages: int) -> None:
        self._number = number
        self._password = password
        self._messages = messages
        self._sent = self._acknowledged = 0
        self._stamp = time.strftime("%Y-%m-%dT%H:", time.gmtime(time.time() - 86_400))
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(connect(f"device-{self._number}", DEVICE, self._password, 60))

    def data_received(self, data: bytes) -> None:
        # CONNACK and PUBACK both have four bytes; none is split on a loopback socket for long.
        if self._sent:
            self._acknowledged += len(data) // 4
        if self._acknowledged >= self._messages:
            self.done.set_result(None)
            return
        parts = []
        while self._sent < min(self._messages, self._acknowledged + WINDOW):
            n = self._sent
            body = (
                f'{{"equipmentId":"EQ-{self._number}","value":{n},"timestamp":'
                f'"{self._stamp}{n // 60_000 % 60:02}:{n // 1000 % 60:02}.{n % 1000:03}Z"}}'
            )
            mid = struct.pack(">H", n % 60_000 + 1)
            parts.append(packet(0x32, sized(TOPIC) + mid + body.encode()))
            self._sent += 1
        self._transport.write(b"".join(parts))


async def send(port: int, password: str, devices: int, messages: int) -> None:
    loop = asyncio.get_running_loop()
    made = [
        (
            await loop.create_connection(
                lambda number=number: Device(number, password, messages // devices),
                "127.0.0.1",
                port,
            )
        )[1]
        for number in range(devices)
    ]
    await asyncio.gather(*(device.done for device in made))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(devices: int, messages: int) -> tuple[float, ...]:
    """Readings a second until Mosquitto had acknowledged all, and until all were durable; the
    CPU microseconds a reading that Mosquitto and the source took."""
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder) / "broker") as broker:
        taking = subprocess.Popen(
            [sys.executable, __file__, "--take", broker.url(), folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert taking.stdout is not None
        while not json.loads(taking.stdout.readline())[2]:
            pass
        idle = cpu_s(broker.pid), cpu_s(taking.pid)
        began = time.time()
        uvloop.run(send(broker.port, broker.passwords[DEVICE], devices, messages))
        acknowledged_s = time.time() - began
        at, committed = 0.0, 0
        while committed < messages:
            at, committed, _ = json.loads(taking.stdout.readline())
        used = cpu_s(broker.pid) - idle[0], cpu_s(taking.pid) - idle[1]
        taking.terminate()
        taking.communicate()
        rates = messages / acknowledged_s, messages / (at - began)
        return (*rates, *(seconds * 1e6 / messages for seconds in used))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--devices", type=int, default=20)
    parser.add_argument("--cores", default="0")
    parser.add_argument("--take", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.take is not None:
        url, folder = options.take
        uvloop.run(take(url, Path(folder)))
        return
    os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    found = [measure(options.devices, options.messages) for _ in range(options.rounds)]
    acknowledged, durable, broker_us, source_us = (
        statistics.median(column) for column in zip(*found, strict=True)
    )
    print(f"cores {options.cores}, {options.devices} devices, {options.messages:,} readings")
    print(f"  acknowledged by Mosquitto, in its memory: {acknowledged:10,.0f}/s")
    print(f"  durable behind the broker source:         {durable:10,.0f}/s")
    print(f"  CPU a reading: Mosquitto {broker_us:.0f} µs, source {source_us:.0f} µs")


if __name__ == "__main__":
    main()
