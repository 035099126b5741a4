"""The system under load: PipeWatcher as a process, embedded or on Kafka and InfluxDB."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from server import AUTH, Server

CORES = sorted(os.sched_getaffinity(0))
SETTLED_WITHIN_S = 900.0
ASKED_AGAIN_S = 0.2
ANSWERED_WITHIN_S = 600.0

DURABILITY = {
    "embedded": "An acknowledgement is sent after the SQLite commit log's commit, with "
    "`synchronous=FULL` (fdatasync).",
    "kafka-influxdb": "One Kafka broker that acknowledges from memory (as each of three does), "
    "`acks=all`; InfluxDB 1.x writes with its default WAL sync. One broker on one machine shows "
    "the path, not what three machines give.",
}
NEEDS = {"embedded": (), "kafka-influxdb": ("kafka", "influxdb", "mongodb")}


def missing(setups: list[str]) -> list[str]:
    """What is not installed here, one line each with how to get it."""
    found = []
    if shutil.which("wrk") is None:
        found.append("wrk (Debian: apt-get install wrk; or make servers)")
    for name in sorted({name for setup in setups for name in NEEDS[setup]}):
        why = importlib.import_module(f"servers.{name}").missing()
        if why:
            found.append(f"{name}: {why} (make servers)")
    return found


@dataclass
class Cores:
    """PipeWatcher has the first core for itself where there are two or more; generators, engines
    and this command share the others."""

    system: list[int] = field(default_factory=lambda: CORES[:1])
    others: list[int] = field(default_factory=lambda: CORES[1:] or CORES)

    def pin(self, pid: int) -> None:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), self.system)


@dataclass
class System:
    setup: str
    server: Server
    pids: dict[str, int]
    """Name of a process -> its id: pipewatcher and the engines."""
    folders: list[Path]
    mqtt_port: int
    http: httpx.Client

    @property
    def http_port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("/api/v1/status").json()
        return found

    def ask(self, path: str, **params: object) -> httpx.Response:
        """Asked again, as told, while it is busy."""
        until = time.monotonic() + SETTLED_WITHIN_S
        while True:
            answer = self.http.get(path, params=params)
            if answer.status_code != 503 or time.monotonic() > until:
                answer.raise_for_status()
                return answer
            time.sleep(float(answer.headers.get("retry-after", ASKED_AGAIN_S)))

    def settle(self) -> float:
        """Seconds until everything that was acknowledged is stored."""
        began = time.monotonic()
        while self.status()["lag"]["readings"]:
            if time.monotonic() - began > SETTLED_WITHIN_S:
                raise TimeoutError("what was acknowledged is still not stored")
            time.sleep(ASKED_AGAIN_S)
        return time.monotonic() - began


@contextlib.contextmanager
def running(setup: str, folder: Path, **settings: object) -> Iterator[System]:
    """Started on its core; what is started from this process after that gets the others."""
    cores = Cores()
    os.sched_setaffinity(0, cores.others)
    with contextlib.ExitStack() as stack:
        pids: dict[str, int] = {}
        folders = [folder / "pipewatcher"]
        if setup == "kafka-influxdb":
            settings |= _engines(stack, folder, pids, folders)
        server = stack.enter_context(Server(folder / "pipewatcher", **settings))
        cores.pin(server.pid)
        pids["pipewatcher"] = server.pid
        http = stack.enter_context(
            httpx.Client(base_url=server.url, headers=AUTH, timeout=ANSWERED_WITHIN_S)
        )
        yield System(setup, server, pids, folders, server.mqtt_port, http)


def _engines(
    stack: contextlib.ExitStack, folder: Path, pids: dict[str, int], folders: list[Path]
) -> dict[str, object]:
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    from servers.influxdb import InfluxDB
    from servers.kafka import KafkaCluster
    from servers.mongodb import MongoDB

    kafka = stack.enter_context(KafkaCluster(folder / "kafka"))
    influxdb = stack.enter_context(InfluxDB(folder / "influxdb"))
    mongodb = stack.enter_context(MongoDB(folder / "mongodb"))
    admin = AdminClient({"bootstrap.servers": kafka.servers})
    admin.create_topics([NewTopic("readings", 12, 1)])["readings"].result(20)
    pids |= {"kafka": kafka.brokers[0].pid, "influxdb": influxdb.pid, "mongodb": mongodb.pid}
    folders += [folder / "kafka", folder / "influxdb", folder / "mongodb"]
    return {
        "commit_log": kafka.url("readings", partitions=12),
        "readings": influxdb.url(),
        "registry": mongodb.url(),
    }
