"""Two gateways, three writers, discovery and api on Kafka, InfluxDB and MongoDB's protocol."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from plant import Plant
from server import AUTH, Server
from servers.process import free_port
from waiting import eventually
from workload import (
    END,
    Ledger,
    Sender,
    ask,
    check_readings,
    instant,
    reading,
    stop_load,
    stored_of,
)

CAUGHT_UP_WITHIN_S = 120.0
FAULTS = int(os.environ.get("PIPEWATCHER_TEST_FAULTS", "12"))

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.kafka,
    pytest.mark.influxdb,
    pytest.mark.mongodb,
]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with Plant(tmp_path_factory.mktemp("plant"), nodes=3) as plant:
        yield plant


class Load:
    """Each sensor sends to one gateway, as a device does, also after that was started again."""

    def __init__(self, plant: Plant, ledger: Ledger, name: str) -> None:
        """`name` begins the sensors' names: tests share the plant."""
        self._plant = plant
        self._name = name
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._ledger = ledger
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []

    def _client(self, gateway: Server) -> httpx.AsyncClient:
        known = self._clients.get(gateway.url)
        if known is None:
            known = self._clients[gateway.url] = gateway.client()
        return known

    async def __aenter__(self) -> Load:
        for n, gateway in enumerate(self._plant.gateways):
            sender = Sender(lambda g=gateway: self._client(g), self._ledger, self._numbers)
            for k in range(4):
                self._tasks.append(asyncio.create_task(sender.singles(f"{self._name}-S-{n}-{k}")))
            self._tasks.append(asyncio.create_task(sender.batches(f"{self._name}-B-{n}")))
        return self

    async def __aexit__(self, *_: object) -> None:
        await stop_load(self._tasks)
        for client in self._clients.values():
            await client.aclose()


async def test_kill_9_of_any_process_or_server_loses_and_doubles_nothing(plant: Plant) -> None:
    """Under load, at random moments: our roles, one of three Kafka nodes, InfluxDB, MongoDB."""
    rng = random.Random(20260102)
    ledger = Ledger()
    victims: dict[str, Any] = {
        **{name: process for name, process in plant.processes.items() if name != "api-1"},
        "kafka node": plant.kafka.brokers[1],
        "influxdb": plant.influxdb,
        "mongodb": plant.mongodb,
    }
    order = list(itertools.islice(itertools.cycle(victims), FAULTS))
    rng.shuffle(order)
    async with Load(plant, ledger, "killed"):
        for name in order:
            await asyncio.sleep(rng.uniform(0.5, 2.0))
            before = ledger.acks
            await asyncio.to_thread(victims[name].kill)
            await asyncio.sleep(rng.uniform(0.2, 1.5))
            await asyncio.to_thread(victims[name].start)
            await eventually(lambda before=before: ledger.acks > before)
    assert ledger.acks > FAULTS * 20
    async with plant.api.client() as api:
        await caught_up(api)
        await check_readings(api, ledger)


async def test_a_writer_stopped_and_started_again_shares_the_partitions(plant: Plant) -> None:
    ledger = Ledger()
    writer = plant.processes["writer-2"]
    async with Load(plant, ledger, "shared"):
        await asyncio.sleep(2)
        assert await asyncio.to_thread(writer.stop) == 0
        await asyncio.sleep(2)
        await asyncio.to_thread(writer.start)
        await asyncio.sleep(4)
    async with plant.api.client() as api:
        await caught_up(api)
        await check_readings(api, ledger)


async def test_a_rebalance_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    plant: Plant,
) -> None:
    """Batches of many deliveries; of three writers one is killed and one stopped within each."""
    rng = random.Random(12)
    stopped, killed = plant.processes["writer-1"], plant.processes["writer-3"]
    instants = [instant(n) for n in range(500)]
    sensors = [f"REB-{n}" for n in range(100)]
    async with plant.gateways[0].client() as gateway, plant.api.client() as api:
        for turn in range(3):
            keys = [(sensor, at) for at in instants for sensor in sensors]
            batch = [reading(key, turn * 1_000_000 + n) for n, key in enumerate(keys)]
            sent = await gateway.post("/api/v1/readings", json=batch)
            assert sent.status_code == 200, sent.text
            await asyncio.sleep(rng.uniform(0, 0.3))
            await asyncio.to_thread(killed.kill)
            assert await asyncio.to_thread(stopped.stop) == 0
            await asyncio.gather(*(asyncio.to_thread(one.start) for one in (stopped, killed)))
        await caught_up(api)
        page = await ask(api, "/api/v1/averages", {"window": "365d", "until": END, "q": "REB-"})
        means = {item["equipmentId"]: (item["count"], item["mean"]) for item in page["items"]}
        for n, sensor in enumerate(sensors):
            values = [2_000_000 + k * len(sensors) + n for k in range(len(instants))]
            assert means[sensor] == (len(values), pytest.approx(sum(values) / len(values)))
        for n in (0, 57, 99):
            stored = await stored_of(api, sensors[n])
            assert stored == {
                at: float(2_000_000 + k * len(sensors) + n) for k, at in enumerate(instants)
            }


async def test_whoever_got_an_answer_sees_the_reading(plant: Plant) -> None:
    """Sent through one gateway, asked of the api at once."""
    async with plant.gateways[0].client() as gateway, plant.api.client() as api:
        for n in range(20):
            body = reading(("fresh", instant(n)), n)
            assert (await gateway.post("/api/v1/readings", json=body)).status_code == 204
            params = {"equipmentId": "fresh", "start": instant(0), "end": instant(n + 1)}
            page = await ask(api, "/api/v1/readings", params)
            assert [item["value"] for item in page["items"]] == list(range(n + 1))


async def test_each_new_sensor_is_registered_and_notified_once(plant: Plant) -> None:
    names = [f"NEW-{n}" for n in range(300)]
    discovery = plant.processes["discovery-1"]
    async with plant.gateways[1].client() as gateway, plant.api.client() as api:
        for n, name in enumerate(names):
            if n == 150:
                await asyncio.to_thread(discovery.kill)
            body = reading((name, instant(0)), n)
            assert (await gateway.post("/api/v1/readings", json=body)).status_code == 204
        await asyncio.to_thread(discovery.start)
        async with asyncio.timeout(60):
            while True:
                page = await ask(api, "/api/v1/sensors", {})
                found = {item["equipmentId"] for item in page["items"]}
                if found.issuperset(names):
                    break
                await asyncio.sleep(0.2)
        notified = [
            item["equipmentId"]
            async for item in _items(api, "/api/v1/notifications")
            if item["equipmentId"].startswith("NEW-")
        ]
    assert sorted(notified) == sorted(names)


async def test_a_csv_is_imported_through_kafka_and_says_what_it_cannot_know(plant: Plant) -> None:
    rows = "".join(f"CSV-{n % 7},{instant(n)},{n}\n" for n in range(5_000))
    async with plant.api.client() as api:
        answer = await api.post(
            "/api/v1/imports",
            content=f"equipmentId,timestamp,value\n{rows}CSV-1,never,1\n",
            headers={"content-type": "text/csv"},
        )
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = {}
        async with asyncio.timeout(60):
            while job.get("state") != "done":
                job = (await api.get(f"/api/v1/imports/{answer.json()['id']}")).json()
                assert job["state"] in {"queued", "running", "done"}, job
        receipt = job["receipt"]
        assert (receipt["received"], receipt["accepted"], receipt["rejected"]) == (5_001, 5_000, 1)
        assert receipt["new"] is None
        assert await stored_of(api, "CSV-3") == {
            instant(n): float(n) for n in range(5_000) if n % 7 == 3
        }
        skipping = await api.post(
            "/api/v1/imports?corrections=skip",
            content="equipmentId,timestamp,value\n",
            headers={"content-type": "text/csv"},
        )
        assert skipping.status_code == 422
        assert "not possible" in skipping.text


async def test_each_process_does_what_its_role_says(plant: Plant) -> None:
    body = reading(("EQ-1", instant(0)), 1)
    async with plant.api.client() as api, plant.gateways[0].client() as gateway:
        elsewhere = await api.post("/api/v1/readings", json=body)
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "not_here")
        assert (await gateway.get("/api/v1/averages")).status_code == 404
        for name, process in plant.processes.items():
            async with process.client() as one:
                assert (await one.get("/healthz")).status_code == 200
                status = (await one.get("/api/v1/status")).json()
                assert status["roles"] == [name.partition("-")[0]]
                assert status["engines"] == {
                    "commitLog": "kafka",
                    "readings": "influxdb",
                    "registry": "mongodb",
                }
                assert "pipewatcher_lag_readings" in (await one.get("/metrics")).text


async def test_without_influxdb_the_doors_accept_and_all_is_there_afterwards(plant: Plant) -> None:
    away_s = float(os.environ.get("PIPEWATCHER_TEST_AWAY_S", "15"))
    ledger = Ledger()
    async with plant.api.client() as api:
        async with Load(plant, ledger, "away"):
            await asyncio.sleep(1)
            await asyncio.to_thread(plant.influxdb.kill)
            before = ledger.acks
            await asyncio.sleep(away_s)
            assert ledger.acks > before + 100
            lag = (await api.get("/api/v1/status", timeout=10)).json()["lag"]
            assert lag["readings"] > 100
            assert lag["seconds"] > away_s / 2
            refused = await api.get("/api/v1/averages", timeout=30)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            await asyncio.to_thread(plant.influxdb.start)
        await caught_up(api, CAUGHT_UP_WITHIN_S + 2 * away_s)
        await check_readings(api, ledger)


def test_embedded_engines_with_split_roles_are_refused_with_the_reason(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pipewatcher", "serve", "--roles", "gateway"],
        env={
            **os.environ,
            "PIPEWATCHER_DATA_DIR": str(tmp_path),
            "PIPEWATCHER_HTTP_PORT": "0",
            "PIPEWATCHER_COMMIT_LOG": f"kafka://127.0.0.1:{free_port()}/readings",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "PIPEWATCHER_READINGS=duckdb: is a file that one process holds alone" in ended.stderr


async def caught_up(api: httpx.AsyncClient, within_s: float = CAUGHT_UP_WITHIN_S) -> None:
    """Returns once the writers have everything."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if (await api.get("/api/v1/averages", params={"window": "5m"})).status_code == 200:
                return
        await asyncio.sleep(0.2)
    raise AssertionError("the writers did not catch up")


async def _items(api: httpx.AsyncClient, path: str) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        params = {"limit": "200"} | ({"cursor": cursor} if cursor is not None else {})
        page = (await api.get(path, params=params, headers=AUTH)).json()
        for item in page["items"]:
            yield item
        cursor = page["nextCursor"]
        if cursor is None:
            return
