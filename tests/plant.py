"""A whole company: Kafka, InfluxDB, MongoDB's protocol, and PipeWatcher's roles as processes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Self

from server import Server
from servers.influxdb import InfluxDB
from servers.kafka import KafkaCluster
from servers.mongodb import MongoDB

PARTITIONS = 12


class Plant:
    """Processes by name, `gateway-1`, `writer-2`, …; each has a data folder of its own."""

    def __init__(
        self, folder: Path, *, nodes: int = 1, gateways: int = 2, writers: int = 3
    ) -> None:
        self.kafka = KafkaCluster(folder / "kafka", nodes)
        self.influxdb = InfluxDB(folder / "influxdb")
        self.mongodb = MongoDB(folder / "mongodb")
        shared = {
            "commit_log": self.kafka.url(partitions=PARTITIONS),
            "readings": self.influxdb.url(),
            "registry": self.mongodb.url(),
        }
        names = [
            *(f"gateway-{n + 1}" for n in range(gateways)),
            *(f"writer-{n + 1}" for n in range(writers)),
            "discovery-1",
            "api-1",
        ]
        self.processes = {
            name: Server(folder / name, roles=name.partition("-")[0], **shared) for name in names
        }
        self._stack = contextlib.ExitStack()

    @property
    def api(self) -> Server:
        return self.processes["api-1"]

    @property
    def gateways(self) -> list[Server]:
        return [p for name, p in self.processes.items() if name.startswith("gateway")]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for server in (self.kafka, self.influxdb, self.mongodb):
                stack.enter_context(server)
            for process in self.processes.values():
                stack.enter_context(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
