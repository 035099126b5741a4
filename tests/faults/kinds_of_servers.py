"""Faults of the servers around us: away, standing still, ailing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from confluent_kafka import Consumer

from faults.kinds import SPLIT, kind, until_struck
from faults.proxy import Mode
from faults.scene import Scene
from servers.process import ServerProcess

GROUP = "readings.writer"
GIVEN_WITHIN_S = 15.0
WITH_SERVERS = SPLIT | {"broker"}


@kind("a server stands still", WITH_SERVERS)
async def server_pauses(scene: Scene) -> None:
    scene.note = scene.rng.choice(sorted(scene.servers))
    await scene.supervise(scene.note)
    await _paused([scene.servers[scene.note]], scene.rng.uniform(0.5, 4))


@kind("a Kafka node is killed", SPLIT)
async def node_killed(scene: Scene) -> None:
    assert scene.kafka is not None
    controller = scene.kafka.controller
    others = [node for node in scene.kafka.brokers if node is not controller]
    await _away(scene, [scene.rng.choice(others)])


@kind("Kafka's controller is killed", SPLIT)
async def controller_killed(scene: Scene) -> None:
    assert scene.kafka is not None
    kafka = scene.kafka
    await until_struck(lambda: kafka.controller is not None)
    await _away(scene, [node for node in kafka.brokers if node is kafka.controller])


@kind("two of three Kafka nodes stand still", SPLIT)
async def too_few_answer(scene: Scene) -> None:
    assert scene.kafka is not None
    nodes = scene.rng.sample(scene.kafka.brokers, 2)
    await _paused(nodes, scene.rng.uniform(2, 5))


@kind("two of three Kafka nodes are killed", SPLIT)
async def too_few_in_sync(scene: Scene) -> None:
    """Fewer than `min.insync.replicas`."""
    assert scene.kafka is not None
    await _away(scene, scene.rng.sample(scene.kafka.brokers, 2))


@kind("InfluxDB is killed", SPLIT)
async def influxdb_killed(scene: Scene) -> None:
    await _away(scene, [scene.servers["influxdb"]])


@kind("MongoDB is killed", SPLIT)
async def mongodb_killed(scene: Scene) -> None:
    await _away(scene, [scene.servers["mongodb"]])


@kind("InfluxDB answers 500", SPLIT)
async def influxdb_500(scene: Scene) -> None:
    await _influxdb_in(scene, Mode.ERROR_500)


@kind("InfluxDB does not answer in time", SPLIT)
async def influxdb_late(scene: Scene) -> None:
    """It writes, and nobody is told."""
    await _influxdb_in(scene, Mode.MUTE)


@kind("InfluxDB writes half of it", SPLIT)
async def influxdb_partial(scene: Scene) -> None:
    await _influxdb_in(scene, Mode.HALF_WRITTEN)


@kind("writers rebalance in a loop", SPLIT)
async def rebalances(scene: Scene) -> None:
    """A stranger joins their group, is given partitions, stores nothing, and leaves."""
    assert scene.kafka is not None
    stranger = {
        "bootstrap.servers": scene.kafka.servers,
        "group.id": GROUP,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "session.timeout.ms": 10_000,
        "log_level": 0,
    }
    given = [
        await asyncio.to_thread(_join_and_leave, stranger) for _ in range(scene.rng.randrange(2, 4))
    ]
    scene.note = f"{given} partitions given to a stranger"
    assert any(given), "no partition was given to a stranger"


def _join_and_leave(options: dict[str, object]) -> int:
    """How many partitions it held."""
    consumer = Consumer(options)
    consumer.subscribe(["readings"])
    until = time.monotonic() + GIVEN_WITHIN_S
    try:
        while not consumer.assignment() and time.monotonic() < until:
            consumer.poll(0.1)
        return len(consumer.assignment())
    finally:
        consumer.close()


async def _influxdb_in(scene: Scene, mode: Mode) -> None:
    link = scene.proxies["influxdb"]
    before = link.struck
    await link.set(mode)
    await asyncio.sleep(scene.rng.uniform(2, 4))
    await until_struck(lambda: link.struck > before)
    await link.set(Mode.PASS)


async def _away(scene: Scene, servers: Sequence[ServerProcess]) -> None:
    names = [name for name, server in scene.servers.items() if server in servers]
    scene.note = " and ".join(names)
    for name in names:
        await scene.kill(name)
    await asyncio.sleep(scene.rng.uniform(0.2, 8))
    # Kafka's nodes answer only when most of them are there.
    await asyncio.gather(*(scene.start(name) for name in names))


async def _paused(servers: list[ServerProcess], seconds: float) -> None:
    for server in servers:
        await asyncio.to_thread(server.pause)
    await asyncio.sleep(seconds)
    for server in servers:
        server.go_on()
