"""What the faults act on: our processes, the servers around them, and the proxies between."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from faults import power
from faults.doors import Door
from faults.ledger import Ledger
from faults.load import sensor_of
from faults.proxy import Proxy
from faults.shim import Shim
from server import AUTH, Server
from servers.kafka import KafkaCluster
from servers.process import ServerProcess

ANSWERS_WITHIN_S = 30.0
POLL_S = 0.05


@dataclass
class Scene:
    folder: Path
    ours: dict[str, Server]
    rng: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    clocks: dict[str, Shim] = field(default_factory=dict)
    """Of our processes."""
    disks: dict[str, Shim] = field(default_factory=dict)
    """Of those that keep in files what was acknowledged, and of Kafka's nodes."""
    servers: dict[str, ServerProcess] = field(default_factory=dict)
    proxies: dict[str, Proxy] = field(default_factory=dict)
    doors: Sequence[Door] = ()
    senders: Sequence[asyncio.Task[None]] = ()
    api_url: str = ""
    api_urls: Sequence[str] = ()
    gateway_url: str = ""
    can_undo: bool = True
    certificate: tuple[Path, Path] | None = None
    https_port: int = 0
    kafka: KafkaCluster | None = None
    note: str = ""
    """What the fault at work chose, for who reads of it."""

    def api(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.api_url, headers=AUTH, timeout=60)

    def one_of_ours(self) -> tuple[str, Server]:
        name = self.rng.choice(sorted(self.ours))
        self.note = name
        return name, self.ours[name]

    def process(self, name: str) -> Server | ServerProcess:
        return self.ours[name] if name in self.ours else self.servers[name]

    async def kill(self, name: str) -> None:
        await asyncio.to_thread(self.process(name).kill)
        if name in self.disks:
            power.tidy(self.disks[name].journal)

    async def start(self, name: str) -> None:
        await asyncio.to_thread(self.process(name).start)

    async def supervise(self, name: str) -> None:
        """Starts it again if it has ended, as its supervisor does."""
        if not self.process(name).runs:
            await self.kill(name)
            await self.start(name)

    async def all_doors_answer(self, within_s: float | None = None) -> float:
        """Seconds until each door has acknowledged a reading that it was sent from now on, and
        each process of ours says that it is ready."""
        loop = asyncio.get_running_loop()
        within_s = ANSWERS_WITHIN_S if within_s is None else within_s
        began, before = loop.time(), self.ledger.by_sensor.copy()
        sensors = {sensor_of(n, door) for n, door in enumerate(self.doors)}
        waiting = sensors
        while waiting := {s for s in waiting if self.ledger.by_sensor[s] == before[s]}:
            self._check_time(began, within_s, f"{waiting} have no answer")
            await asyncio.sleep(POLL_S)
        for name, server in self.ours.items():
            while (reason := await _not_ready(server)) is not None:
                self._check_time(began, within_s, f"{name} is not ready: {reason}")
                await asyncio.sleep(POLL_S)
        return loop.time() - began

    def _check_time(self, began: float, within_s: float, missing: str) -> None:
        for name, server in self.ours.items():
            assert server.runs, f"{name} has ended:\n{server.output()[-3_000:]}"
        assert not any(sender.done() for sender in self.senders), "a sender has ended"
        took = asyncio.get_running_loop().time() - began
        assert took < within_s, f"{missing} {took:.0f} s after the fault"


async def _not_ready(server: Server) -> str | None:
    """Why; None when it is."""
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"{server.url}/readyz")
    except httpx.TransportError as error:
        return repr(error)
    return None if answer.status_code == 200 else answer.text


@contextlib.asynccontextmanager
async def through(scene: Scene, proxies: dict[str, Proxy]) -> AsyncIterator[None]:
    scene.proxies |= proxies
    try:
        for proxy in proxies.values():
            await proxy.start()
        yield
    finally:
        for proxy in proxies.values():
            await proxy.stop()


def descriptors(server: Server) -> int:
    return psutil.Process(server.pid).num_fds()


def address_space(server: Server) -> int:
    """Bytes."""
    return psutil.Process(server.pid).memory_info().vms


def resident_mb(server: Server) -> int:
    """The most that it had since it was started."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024
