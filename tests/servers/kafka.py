"""Apache Kafka (KRaft) as one node, or as three whose topics are replicated."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from servers.process import FOLDER, ServerProcess, accepts, free_port

JARS = FOLDER / "kafka" / "lib"
CLUSTER_ID = "cGlwZXdhdGNoZXItdGVzdA"


def missing() -> str | None:
    if shutil.which("java") is None:
        return "there is no java"
    return None if JARS.is_dir() else "deploy/dev/servers/kafka.sh was not run"


class KafkaCluster:
    """`nodes` brokers that are controllers too; `user` and `password` make clients sign in.

    Each broker is a `ServerProcess` in `brokers`, so that a test can kill any.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        *,
        user: str | None = None,
        password: str = "",
        advertised: Sequence[int] | None = None,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """`advertised`: the ports by which clients come, where a proxy stands before each node.
        `environments`: of each node's process, what is added to ours."""
        self._folder = folder
        self.ports = [free_port() for _ in range(nodes)]
        self._advertised = self.ports if advertised is None else advertised
        self._internal = [free_port() for _ in range(nodes)]
        self._controllers = [free_port() for _ in range(nodes)]
        self._user = user
        self._password = password
        self._environments = environments
        self.brokers = [self._broker(n) for n in range(nodes)]

    @property
    def servers(self) -> str:
        """`host:port,…` as clients want it."""
        return ",".join(f"127.0.0.1:{port}" for port in self._advertised)

    def url(self, topic: str = "readings", **parameters: object) -> str:
        sign_in = f"{self._user}:{self._password}@" if self._user else ""
        if self._user:
            parameters = {"security": "sasl_plaintext", **parameters}
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"kafka://{sign_in}{self.servers}/{topic}" + (f"?{query}" if query else "")

    @property
    def controller(self) -> ServerProcess | None:
        """The node that led the quorum when another one voted last; None while they vote."""
        leaders = [
            json.loads((self.data(n) / "__cluster_metadata-0/quorum-state").read_text())
            for n in range(len(self.brokers))
        ]
        newest = max(leaders, key=lambda state: state["leaderEpoch"])
        return self.brokers[newest["leaderId"] - 1] if newest["leaderId"] > 0 else None

    def data(self, n: int) -> Path:
        return self._folder / f"kafka-{n}" / "data"

    def start(self) -> Self:
        try:
            # A quorum of several is only there when most of its nodes are.
            for broker in self.brokers:
                broker.start(wait=False)
            for broker in self.brokers:
                broker.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        for broker in self.brokers:
            broker.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _broker(self, n: int) -> ServerProcess:
        folder = self._folder / f"kafka-{n}"
        folder.mkdir(parents=True)
        settings = folder / "server.properties"
        settings.write_text("".join(f"{k}={v}\n" for k, v in self._settings(n, folder).items()))
        environment = self._environments[n] if self._environments else None
        return broker(settings, lambda: self._is_up(n), environment)

    def _is_up(self, n: int) -> bool:
        """The port is open long before the broker has joined: topics tell."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        if not accepts(self.ports[n]):
            return False
        sign_in = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": self._user,
            "sasl.password": self._password,
        }
        admin = AdminClient(
            {
                "bootstrap.servers": f"127.0.0.1:{self.ports[n]}",
                "log_level": 0,
                **(sign_in if self._user else {}),
            }
        )
        try:
            return n + 1 in admin.list_topics(timeout=2).brokers
        except KafkaException:
            return False

    def _settings(self, n: int, folder: Path) -> dict[str, object]:
        nodes = len(self.ports)
        replicas = min(3, nodes)
        insync = 2 if nodes >= 3 else 1
        client = "SASL_PLAINTEXT" if self._user else "PLAINTEXT"
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": n + 1,
            "controller.quorum.voters": ",".join(
                f"{k + 1}@127.0.0.1:{port}" for k, port in enumerate(self._controllers)
            ),
            "listeners": f"CLIENT://127.0.0.1:{self.ports[n]},"
            f"INTERNAL://127.0.0.1:{self._internal[n]},"
            f"CONTROLLER://127.0.0.1:{self._controllers[n]}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{self._advertised[n]},"
            f"INTERNAL://127.0.0.1:{self._internal[n]}",
            "listener.security.protocol.map": f"CLIENT:{client},INTERNAL:PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "INTERNAL",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.data(n),
            "auto.create.topics.enable": "false",
            "default.replication.factor": replicas,
            "min.insync.replicas": insync,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": insync,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": insync,
            "group.initial.rebalance.delay.ms": 0,
            "group.coordinator.rebalance.protocols": "classic,consumer",
            "broker.session.timeout.ms": 6000,
        }
        if self._user:
            settings["sasl.enabled.mechanisms"] = "PLAIN"
            settings["listener.name.client.plain.sasl.jaas.config"] = (
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'user_{self._user}="{self._password}";'
            )
        return settings


def broker(
    settings: Path, ready: Callable[[], bool], environment: Mapping[str, str] | None = None
) -> ServerProcess:
    """A broker with these settings, in their folder; its storage is formatted."""
    with contextlib.chdir(settings.parent):
        subprocess.run(
            _java("kafka.tools.StorageTool", "128m", "format", "-t", CLUSTER_ID, "-c", settings),
            check=True,
            capture_output=True,
        )
    return ServerProcess(
        _java("kafka.Kafka", "384m", settings), settings.parent, ready, environment
    )


def _java(main: str, heap: str, *arguments: object) -> list[str]:
    java = ["java", f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", main]
    return [*java, *map(str, arguments)]
