"""The set-ups, as real processes: `embedded`, `broker` and `split`."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

from certificates import self_signed
from faults.doors import HttpDoor, LineProtocolDoor, MqttDoor
from faults.proxy import Proxy
from faults.scene import Scene, through
from faults.shim import Shim
from plant import PARTITIONS
from server import OF_TESTS, TOKEN, Server
from servers.influxdb import InfluxDB
from servers.kafka import KafkaCluster
from servers.mongodb import MongoDB
from servers.mosquitto import DEVICE, Mosquitto
from servers.process import free_port

SetUp: TypeAlias = Callable[[Path, random.Random], AbstractAsyncContextManager[Scene]]
BATCH = 50
LINES = 10


@contextlib.asynccontextmanager
async def embedded(folder: Path, rng: random.Random) -> AsyncIterator[Scene]:
    """One process, its doors behind proxies, its disk and clock behind the shim."""
    async with _one_process(folder, rng) as scene:
        yield scene


@contextlib.asynccontextmanager
async def broker(folder: Path, rng: random.Random) -> AsyncIterator[Scene]:
    """The same, which also takes readings from Mosquitto."""
    with Mosquitto(folder / "mosquitto") as mosquitto:
        link = Proxy(mosquitto.port, free_port())
        url = _by(link, mosquitto.url())
        async with _one_process(folder, rng, {"mosquitto": link}, mqtt_broker=url) as scene:
            scene.servers["mosquitto"] = mosquitto
            scene.doors = [*scene.doors, *_devices(mosquitto)]
            yield scene


@contextlib.asynccontextmanager
async def split(folder: Path, rng: random.Random) -> AsyncIterator[Scene]:
    """Each role as processes of its own on three Kafka nodes, InfluxDB, MongoDB's protocol and
    Mosquitto, each server behind a proxy."""
    kafka_links = [free_port() for _ in range(3)]
    nodes = [f"kafka-{n + 1}" for n in range(3)]
    disks = {
        node: Shim(folder / f"shim-{node}", folder / "kafka" / f"kafka-{n}" / "data")
        for n, node in enumerate(nodes)
    }
    kafka = KafkaCluster(
        folder / "kafka",
        3,
        advertised=kafka_links,
        environments=[disks[node].environment for node in nodes],
    )
    influxdb, mongodb = InfluxDB(folder / "influxdb"), MongoDB(folder / "mongodb")
    mosquitto = Mosquitto(folder / "mosquitto")
    links = {
        **{
            node: Proxy(port, link)
            for node, port, link in zip(nodes, kafka.ports, kafka_links, strict=True)
        },
        "influxdb": Proxy(influxdb.port, free_port()),
        "mongodb": Proxy(mongodb.port, free_port()),
        "mosquitto": Proxy(mosquitto.port, free_port()),
    }
    shared = {
        "commit_log": kafka.url(partitions=PARTITIONS),
        "readings": _by(links["influxdb"], influxdb.url()),
        "registry": _by(links["mongodb"], mongodb.url()),
    }
    certificate = self_signed(folder)
    https_port = free_port()
    tls = {
        "https_port": https_port,
        "tls_cert_file": certificate[0],
        "tls_key_file": certificate[1],
        "mqtt_tls_port": "off",
    }
    processes = dict(_processes(_by(links["mosquitto"], mosquitto.url()), tls))
    clocks = {name: Shim(folder / f"shim-{name}", folder / name) for name in processes}
    ours = {
        name: Server(
            folder / name,
            environment={**OF_TESTS, **clocks[name].environment},
            roles=name.partition("-")[0],
            **shared,
            **own,
        )
        for name, own in processes.items()
    }
    scene = Scene(folder=folder, ours=ours, rng=rng, can_undo=False)
    scene.certificate, scene.https_port = certificate, https_port
    scene.clocks = clocks
    scene.disks = disks | {name: clocks[name] for name in ("api-1", "api-2")}
    scene.servers = dict(zip(nodes, kafka.brokers, strict=True))
    scene.servers |= {"influxdb": influxdb, "mongodb": mongodb, "mosquitto": mosquitto}
    async with through(scene, links):
        try:
            await asyncio.gather(
                *(asyncio.to_thread(s.start) for s in (kafka, influxdb, mongodb, mosquitto))
            )
            # The first makes what they share.
            await scene.start("api-1")
            await asyncio.gather(*(scene.start(name) for name in ours if name != "api-1"))
            scene.kafka = kafka
            scene.api_url = ours["api-1"].url
            scene.api_urls = [ours["api-1"].url, ours["api-2"].url]
            gateways = [ours["gateway-1"], ours["gateway-2"]]
            scene.gateway_url = gateways[0].url
            scene.doors = [
                *(HttpDoor(gateway.url, 1) for gateway in gateways),
                *(HttpDoor(gateway.url, BATCH) for gateway in gateways),
                LineProtocolDoor(gateways[1].url, LINES),
                *(
                    MqttDoor("mqtt listener", gateway.mqtt_port, "any", TOKEN, LISTENER_TOPIC)
                    for gateway in gateways
                ),
                *_devices(mosquitto),
            ]
            yield scene
        finally:
            for server in ours.values():
                if server.runs:
                    await asyncio.to_thread(server.kill)
            for each in (kafka, influxdb, mongodb, mosquitto):
                await asyncio.to_thread(each.stop)


SET_UPS: dict[str, SetUp] = {"embedded": embedded, "broker": broker, "split": split}


def _processes(broker: str, tls: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """Each with the ports that it keeps when it is started again; the first gateway with TLS."""
    for name in (
        *("gateway-1", "gateway-2", "writer-1", "writer-2", "writer-3"),
        *("discovery-1", "api-1", "api-2"),
    ):
        own: dict[str, object] = {"http_port": free_port()}
        if name.startswith("gateway"):
            own |= {"mqtt_port": free_port(), "mqtt_broker": broker}
        if name == "gateway-1":
            own |= tls
        yield name, own


def _by(link: Proxy, url: str) -> str:
    """The server's URL, but by the proxy."""
    assert f":{link.target}/" in url
    return url.replace(f":{link.target}/", f":{link.port}/")


@contextlib.asynccontextmanager
async def _one_process(
    folder: Path, rng: random.Random, links: dict[str, Proxy] | None = None, **settings: object
) -> AsyncIterator[Scene]:
    data = folder / "data"
    http, https, mqtt = free_port(), free_port(), free_port()
    doors = {"http door": Proxy(http, free_port()), "mqtt door": Proxy(mqtt, free_port())}
    shim = Shim(folder / "shim", data)
    certificate = self_signed(folder)
    server = Server(
        data,
        environment={**OF_TESTS, **shim.environment},
        http_port=http,
        https_port=https,
        mqtt_port=mqtt,
        mqtt_tls_port="off",
        tls_cert_file=certificate[0],
        tls_key_file=certificate[1],
        **settings,
    )
    url = f"http://127.0.0.1:{doors['http door'].port}"
    scene = Scene(
        folder=folder,
        ours={"all roles": server},
        rng=rng,
        clocks={"all roles": shim},
        disks={"all roles": shim},
        api_url=f"http://127.0.0.1:{http}",
        api_urls=[f"http://127.0.0.1:{http}"],
        gateway_url=url,
        certificate=certificate,
        https_port=https,
    )
    scene.doors = [
        *(HttpDoor(url, 1) for _ in range(3)),
        HttpDoor(url, BATCH),
        LineProtocolDoor(url, LINES),
        *(
            MqttDoor("mqtt listener", doors["mqtt door"].port, "any", TOKEN, LISTENER_TOPIC)
            for _ in range(2)
        ),
    ]
    async with through(scene, {**doors, **(links or {})}):
        await scene.start("all roles")
        try:
            yield scene
        finally:
            if server.runs:
                await scene.kill("all roles")


LISTENER_TOPIC = "plant/readings"


def _devices(mosquitto: Mosquitto) -> list[MqttDoor]:
    """They speak to the broker itself: that link is not ours."""
    topic, password = f"plant/{DEVICE}/readings", mosquitto.passwords[DEVICE]
    return [MqttDoor("mqtt broker", mosquitto.port, DEVICE, password, topic) for _ in range(2)]
