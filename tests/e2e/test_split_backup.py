"""InfluxDB's and MongoDB's machines are lost: their own backups, Kafka's topic and our uploads give
everything back, in the order that docs/reliability.md tells."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from e2e.test_split_roles import caught_up
from plant import PARTITIONS, Plant
from server import Server
from servers.influxdb import InfluxDB
from servers.mongodb import MongoDB
from waiting import eventually
from workload import END, ask, import_comes_to, instant, stored_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.kafka,
    pytest.mark.influxdb,
    pytest.mark.mongodb,
]
SENSORS = ("EQ-0", "EQ-1", "EQ-2")


async def test_backups_of_the_servers_and_kafkas_topic_give_everything_back(
    tmp_path: Path,
) -> None:
    backup = tmp_path / "backup"
    with Plant(tmp_path / "plant", gateways=1, writers=1) as plant:
        async with plant.api.client() as api, plant.gateways[0].client() as gateway:
            await _send(gateway, SENSORS, 0, 300, 1.0)
            await _imported(api, "EQ-1")
            await caught_up(api)
            await _named(api, "EQ-0", "Bomba 0")
            # As mongodump would, which is not at hand: MongoDB first, InfluxDB second.
            plant.mongodb.kill()
            shutil.copytree(tmp_path / "plant/mongodb/data", backup / "mongodb")
            plant.mongodb.start()
            _influxd("backup", plant.influxdb, backup / "influxdb")
            await _send(gateway, [*SENSORS, "EQ-new"], 250, 500, 2.0)
            await caught_up(api)
            before = await _everything(api)
        for process in plant.processes.values():
            process.stop()
        plant.influxdb.kill()
        plant.mongodb.kill()
        shutil.copytree(backup / "mongodb", tmp_path / "mongodb" / "data")
        with InfluxDB(tmp_path / "influxdb") as influxdb, MongoDB(tmp_path / "mongodb") as mongodb:
            _influxd("restore", influxdb, backup / "influxdb")
            _set_back(plant.kafka.servers)
            shared = {
                "commit_log": plant.kafka.url(partitions=PARTITIONS),
                "readings": influxdb.url(),
                "registry": mongodb.url(),
            }
            with contextlib.ExitStack() as stack:
                for name in ("writer-1", "discovery-1", "api-1"):
                    role = name.partition("-")[0]
                    # The folder of the API, with its uploads, is the one that was.
                    folder = tmp_path / "plant" / name
                    server = stack.enter_context(Server(folder, roles=role, **shared))
                async with server.client() as api:
                    await caught_up(api)
                    await _named(api, "EQ-new", None)
                    assert await _everything(api) == before
                    imports = (await ask(api, "/api/v1/imports", {}))["items"]
                    rejected = await api.get(f"/api/v1/imports/{imports[0]['id']}/rejected.csv")
                    assert "never" in rejected.text


async def _send(
    gateway: httpx.AsyncClient, sensors: Any, start: int, stop: int, value: float
) -> None:
    batch = [
        {"equipmentId": sensor, "timestamp": instant(n), "value": value + n / 7}
        for sensor in sensors
        for n in range(start, stop)
    ]
    assert (await gateway.post("/api/v1/readings", json=batch)).status_code == 200


async def _imported(api: httpx.AsyncClient, sensor: str) -> None:
    rows = "".join(f"{sensor},{instant(n)},{n}\n" for n in range(100, 400))
    answer = await api.post(
        "/api/v1/imports",
        content=f"equipmentId,timestamp,value\n{rows}{sensor},never,1\n",
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text
    await import_comes_to(api, answer.json()["id"], "done")


async def _named(api: httpx.AsyncClient, sensor: str, name: str | None) -> None:
    """Once it is registered."""

    async def named() -> bool:
        answer = await api.patch(f"/api/v1/sensors/{sensor}", json={"name": name})
        assert answer.is_success or answer.status_code in {404, 503}, answer.text
        return answer.is_success

    await eventually(named)


async def _everything(api: httpx.AsyncClient) -> dict[str, Any]:
    page = await ask(api, "/api/v1/averages", {"window": "365d", "until": END})
    return {
        "averages": page["items"],
        "readings": {s: await stored_of(api, s) for s in (*SENSORS, "EQ-new")},
        "names": [
            (sensor["equipmentId"], sensor["name"])
            for sensor in (await ask(api, "/api/v1/sensors", {}))["items"]
        ],
        "imports": (await ask(api, "/api/v1/imports", {}))["items"],
        "tokens": await ask(api, "/api/v1/tokens", {}),
    }


def _influxd(command: str, influxdb: InfluxDB, folder: Path) -> None:
    where = ["-portable", "-host", f"127.0.0.1:{influxdb.rpc_port}"]
    what = ["-db", "plant"]
    subprocess.run(
        ["influxd", command, *where, *what, str(folder)], check=True, capture_output=True
    )


def _set_back(servers: str) -> None:
    """To the topic's begin: what is stored twice changes nothing."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    for group in ("readings.writer", "readings.discovery"):
        begin = [TopicPartition("readings", partition, 0) for partition in range(PARTITIONS)]
        wanted = ConsumerGroupTopicPartitions(group, begin)
        for future in admin.alter_consumer_group_offsets([wanted]).values():
            future.result(30)
