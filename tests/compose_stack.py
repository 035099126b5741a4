"""compose.yaml as processes: the same commands with the same environment and secrets.

What a container engine would give is put in its place: names of hosts become loopback ports,
`/run/secrets` and the volumes become folders.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import yaml

from server import Server
from servers import kafka
from servers.haproxy import haproxy
from servers.influxdb import InfluxDB
from servers.mongodb import MongoDB
from servers.process import ServerProcess, accepts, free_port

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRETS = "/run/secrets"
DEVICE = "gw-1"


def make_secrets(folder: Path) -> Path:
    script = ROOT / "deploy/compose/make-secrets.sh"
    subprocess.run([script, folder], check=True, capture_output=True, timeout=30)
    return folder


def let_in(device: str, secrets: Path) -> str:
    """At Mosquitto; its password."""
    script = ROOT / "deploy/compose/make-secrets.sh"
    made = subprocess.run(
        [script, "--device", device, secrets], check=True, capture_output=True, text=True
    )
    return made.stdout.split()[-1]


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets for PipeWatcher."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    return dict(re.findall(r"(PIPEWATCHER_\w+)=(\S+)", text))


class ComposeStack:
    """Roles by name, `gateway-1`, …; `door` is the address that the outside knows."""

    def __init__(self, folder: Path, **scale: int) -> None:
        self._folder = folder
        self.secrets = make_secrets(folder / "secrets")
        self.device_password = let_in(DEVICE, self.secrets)
        self._stack = contextlib.ExitStack()
        self._scale = scale
        self._kafka_port = free_port()
        self.mqtt_port = free_port()
        self.listener_port = free_port()
        self._listeners: dict[str, int] = {}
        self.roles: dict[str, Server] = {}
        self._door_port = free_port()
        self.door = f"http://127.0.0.1:{self._door_port}"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text("utf-8")

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            influxdb = InfluxDB(
                self._folder / "influxdb",
                SERVICES["influxdb"]["environment"]["INFLUXDB_ADMIN_USER"],
                self.secret("influxdb-password"),
            )
            mongodb = MongoDB(
                self._folder / "mongodb",
                user=SERVICES["mongodb"]["environment"]["MONGO_INITDB_ROOT_USERNAME"],
                password=self.secret("mongodb-password"),
            )
            for server in (self._kafka(), self._mosquitto(), influxdb, mongodb):
                stack.enter_context(server)
            self._point("commit-log", "kafka:9092", self._kafka_port)
            self._point("readings", "influxdb:8086", influxdb.port)
            self._point("registry", "mongodb:27017", mongodb.port)
            self._point("mqtt-broker", "mosquitto:1883", self.mqtt_port)
            for name in ("gateway", "writer", "discovery", "api"):
                for n in range(self._scale.get(name, 1)):
                    role = self.roles[f"{name}-{n + 1}"] = self._role(name, n + 1)
                    stack.enter_context(role)
            stack.enter_context(self._front_door())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _point(self, secret: str, host: str, port: int) -> None:
        text = self.secret(secret)
        assert f"@{host}/" in text
        (self.secrets / secret).unlink()
        (self.secrets / secret).write_text(text.replace(host, f"127.0.0.1:{port}"), "utf-8")

    def _role(self, name: str, number: int) -> Server:
        service = SERVICES[name]
        assert all(setting.startswith("PIPEWATCHER_") for setting in service["environment"])
        environment = image_environment() | service["environment"]
        self._listeners[f"{name}-{number}"] = free_port()
        return Server(
            self._folder / f"{name}-{number}",
            command=service["command"],
            environment={
                setting: value.replace(SECRETS, str(self.secrets))
                for setting, value in environment.items()
            },
            http_host="127.0.0.1",
            http_port=free_port(),
            mqtt_host="127.0.0.1",
            mqtt_port=self._listeners[f"{name}-{number}"],
        )

    def _kafka(self) -> ServerProcess:
        text = (ROOT / "deploy/compose/kafka.properties").read_text("utf-8")
        for port, mine in (
            ("9092", self._kafka_port),
            ("9093", free_port()),
            ("9094", free_port()),
        ):
            text = re.sub(rf"(//|@)(kafka)?:{port}", rf"\g<1>127.0.0.1:{mine}", text)
        folder = self._folder / "kafka"
        text = text.replace(SECRETS, str(self.secrets))
        text = text.replace("/var/lib/kafka/data", str(folder / "data"))
        folder.mkdir(parents=True)
        (folder / "server.properties").write_text(text, "utf-8")
        return kafka.broker(folder / "server.properties", lambda: accepts(self._kafka_port))

    def _mosquitto(self) -> ServerProcess:
        """By the service's own shell script; its user may not read a test's folder."""
        folder = self._folder / "mosquitto"
        for name in ("config", "data"):
            (folder / name).mkdir(parents=True)
        shipped = ROOT / "deploy/mosquitto"
        shutil.copy(shipped / "acl", folder / "config")
        text = (shipped / "mosquitto.conf").read_text("utf-8").replace("/mosquitto/", f"{folder}/")
        text = text.replace("\nlistener 1883\n", f"\nlistener {self.mqtt_port} 127.0.0.1\n")
        (folder / "config/mosquitto.conf").write_text(f"user root\n{text}", "utf-8")
        shell, options, script = SERVICES["mosquitto"]["entrypoint"]
        script = script.replace("/mosquitto/", f"{folder}/").replace(SECRETS, str(self.secrets))
        return ServerProcess(
            [shell, options, script],
            folder,
            lambda: accepts(self.mqtt_port),
            {"PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )

    def _front_door(self) -> ServerProcess:
        text = (ROOT / "deploy/compose/haproxy.cfg").read_text("utf-8")
        text = re.sub(r"resolvers docker\n(    .*\n)+", "", text).replace("resolvers docker", "")
        text = text.replace("maxconn 20000", "maxconn 1000")  # of open files there may be few
        text = text.replace("bind :8000", f"bind 127.0.0.1:{self._door_port}")
        text = text.replace("bind :1884", f"bind 127.0.0.1:{self.listener_port}")
        listeners = "".join(
            f"    server {role} 127.0.0.1:{self._listeners[role]} "
            f"check port {server.url.rpartition(':')[2]}\n"
            for role, server in self.roles.items()
            if role.startswith("gateway")
        )
        template = "    server-template gateway 16 gateway:1883 check port 8000\n"
        assert template in text
        text = text.replace(template, listeners)
        for name in ("gateway", "api"):
            servers = "".join(
                f"    server {role} {server.url.removeprefix('http://')}\n"
                for role, server in self.roles.items()
                if role.startswith(name)
            )
            text, found = re.subn(rf"    server-template {name} \d+ {name}:8000\n", servers, text)
            assert found == 1
        folder = self._folder / "door"
        folder.mkdir()
        (folder / "haproxy.cfg").write_text(text, "utf-8")
        return haproxy(folder / "haproxy.cfg", self._door_port)
