"""The MQTT listener of the real process, spoken to by clients that others wrote."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gmqtt
import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from certificates import self_signed
from server import AUTH, TOKEN, Server
from servers.process import free_port
from workload import instant, stored_of

KILLS = int(os.environ.get("PIPEWATCHER_TEST_KILLS", "8"))
WAIT_S = 30.0
TOPIC = "plant/readings"
VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("mqtt") / "data") as server:
        yield server


def status(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/api/v1/status", headers=AUTH).json()
    return found


def payload(sensor: str, number: int) -> bytes:
    return json.dumps(
        {"equipmentId": sensor, "value": number, "timestamp": instant(number)}
    ).encode()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def check_stored(server: Server, sensor: str, numbers: range) -> None:
    async with server.client() as api:
        assert await stored_of(api, sensor) == {instant(n): float(n) for n in numbers}


async def stored_in_time(server: Server, sensor: str, count: int) -> None:
    """For clients that do not say when they have their answers."""
    deadline = time.monotonic() + WAIT_S
    async with server.client() as api:
        while len(await stored_of(api, sensor)) < count:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


class Paho:
    """A client that keeps what it was told of each message, by number."""

    def __init__(self, port: int, version: str, client_id: str, token: str = TOKEN) -> None:
        self.codes: dict[int, ReasonCode] = {}
        self.reasons: dict[int, str] = {}
        self.ended: list[ReasonCode] = []
        self._numbers: dict[int, int] = {}
        self._told: dict[int, tuple[ReasonCode, str]] = {}
        self._lock = threading.Lock()
        clean = {"clean_session": False} if version == "3.1.1" else {}
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=VERSIONS[version], **clean
        )
        self.client.username_pw_set("any name", token)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_publish = self._on_publish
        self.client.on_disconnect = self._on_disconnect
        self.client.connect_async("127.0.0.1", port, keepalive=30)
        self.client.loop_start()
        until(self.client.is_connected)

    def send(self, number: int, body: bytes, qos: int, topic: str = TOPIC) -> None:
        mid = self.client.publish(topic, body, qos).mid
        with self._lock:
            self._numbers[mid] = number
            self._match(mid)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_publish(
        self, client: paho.Client, _: Any, mid: int, code: ReasonCode, properties: Properties
    ) -> None:
        with self._lock:
            self._told[mid] = (code, getattr(properties, "ReasonString", ""))
            self._match(mid)

    def _match(self, mid: int) -> None:
        """The answer may come before `publish` has returned."""
        if mid in self._numbers and mid in self._told:
            number = self._numbers.pop(mid)
            self.codes[number], self.reasons[number] = self._told.pop(mid)

    def _on_disconnect(
        self, client: paho.Client, _: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        self.ended.append(code)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_paho_sends_is_stored_and_acknowledged(
    server: Server, version: str, qos: int
) -> None:
    sensor = f"PAHO-{version}-{qos}"
    client = Paho(server.mqtt_port, version, sensor)
    for number in range(300):
        client.send(number, payload(sensor, number), qos)
    until(lambda: len(client.codes) == 300)
    assert {code.value for code in client.codes.values()} == {0}
    client.close()
    until(lambda: status(server)["lag"]["readings"] == 0)
    await check_stored(server, sensor, range(300))


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_gmqtt_sends_is_stored(server: Server, version: str, qos: int) -> None:
    sensor = f"GMQTT-{version}-{qos}"
    client = gmqtt.Client(sensor)
    client.set_auth_credentials("any name", TOKEN)
    known = gmqtt.constants.MQTTv50 if version == "5" else gmqtt.constants.MQTTv311
    await client.connect("127.0.0.1", server.mqtt_port, version=known)
    for number in range(100):
        client.publish(TOPIC, payload(sensor, number), qos=qos)
    await stored_in_time(server, sensor, 100)
    await client.disconnect()
    await check_stored(server, sensor, range(100))


@pytest.mark.mosquitto
@pytest.mark.parametrize("qos", ["0", "1", "2"])
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_what_mosquitto_pub_sends_is_stored(server: Server, version: str, qos: str) -> None:
    sensor = f"MOSQUITTO-{version}-{qos}"
    lines = b"".join(payload(sensor, number) + b"\n" for number in range(200))
    said = mosquitto_pub(server.mqtt_port, version, "-q", qos, "-l", given=lines)
    assert said.returncode == 0, said.stderr
    await stored_in_time(server, sensor, 200)
    await check_stored(server, sensor, range(200))


@pytest.mark.mosquitto
def test_mosquitto_pub_is_told_why_it_is_refused(server: Server) -> None:
    port = server.mqtt_port
    for version in ("mqttv311", "mqttv5"):
        said = mosquitto_pub(port, version, "-m", "1", token="pw_wrong")
        assert b"bad user name or password" in said.stderr.lower()
    said = mosquitto_pub(port, "mqttv31", "-m", "1")
    assert b"unacceptable protocol version" in said.stderr
    said = mosquitto_pub(port, "mqttv5", "-q", "1", "-m", '{"value":1}')
    assert b"Payload format invalid" in said.stdout + said.stderr


def mosquitto_pub(
    port: int, version: str, *arguments: str, token: str = TOKEN, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = shutil.which("mosquitto_pub")
    assert command, "no mosquitto_pub: deploy/dev/install-test-servers.sh installs it"
    given_port = ["-h", "127.0.0.1", "-p", str(port), "-u", "any", "-P", token, "-t", TOPIC]
    return subprocess.run(
        [command, *given_port, "-V", version, "-d", *arguments],
        input=given,
        capture_output=True,
        check=False,
        timeout=WAIT_S,
    )


def test_paho_is_told_what_is_wrong_or_it_is_a_dead_letter(server: Server) -> None:
    port = server.mqtt_port
    bad = [b"{", b'{"equipmentId": "X", "value": 1, "timestamp": "2026-01-31T12:00:00"}']
    new, old = Paho(port, "5", "new"), Paho(port, "3.1.1", "old")
    for client in (new, old):
        for number, body in enumerate(bad):
            client.send(number, body, qos=1 + number)
        until(lambda client=client: len(client.codes) == len(bad))  # type: ignore[misc]
    assert new.codes[0].value == 0x99
    # paho goes on after a PUBREC that says no, and tells what the PUBCOMP says.
    assert new.codes[1].value == 0x92
    assert new.reasons[0].startswith("not JSON")
    assert {code.value for code in old.codes.values()} == {0}
    letters: list[Any] = []

    def kept() -> bool:
        page = httpx.get(f"{server.url}/api/v1/dead-letters", headers=AUTH).json()
        letters[:] = [item for item in page["items"] if item["client"] == "old"]
        return len(letters) == 2

    until(kept)
    assert {letter["topic"] for letter in letters} == {TOPIC}
    assert any("has no offset" in letter["reason"] for letter in letters)
    new.close()
    old.close()


def test_figures_and_readiness_name_the_listener(server: Server) -> None:
    client = Paho(server.mqtt_port, "5", "figures")
    client.send(0, payload("FIGURES", 0), qos=1)
    until(lambda: 0 in client.codes)
    found = status(server)["mqtt"]
    assert found["connections"] >= 1
    assert found["messagesByQos"][1] >= 1
    metrics = httpx.get(f"{server.url}/metrics", headers=AUTH).text
    assert 'pipewatcher_mqtt_messages_total{qos="1"}' in metrics
    assert "pipewatcher_mqtt_connections " in metrics
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    client.close()


def test_a_port_that_is_taken_is_a_warning_and_http_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Server(tmp_path / "data", mqtt_port=port) as server:
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            assert status(server)["mqtt"]["port"] is None
    assert f"MQTT: cannot listen on 127.0.0.1:{port}" in (tmp_path / "data.log").read_text()


def test_the_listener_can_be_off(tmp_path: Path) -> None:
    with Server(tmp_path / "data", mqtt_port="off", mqtt_tls_port="off") as server:
        assert status(server)["mqtt"] is None


def test_tls_is_spoken_and_a_new_certificate_is_taken_up_without_a_restart(
    tmp_path: Path,
) -> None:
    certificate, key = self_signed(tmp_path)
    with Server(
        tmp_path / "data",
        https_port="off",
        mqtt_tls_port=0,
        tls_cert_file=certificate,
        tls_key_file=key,
    ) as server:
        port = status(server)["mqtt"]["tlsPort"]
        client = paho.Client(CallbackAPIVersion.VERSION2, "secure", protocol=VERSIONS["5"])
        client.username_pw_set("any name", TOKEN)
        client.tls_set(str(certificate))
        client.connect("localhost", port)
        client.loop_start()
        client.publish(TOPIC, payload("TLS", 0), qos=1).wait_for_publish(WAIT_S)
        first = ssl.get_server_certificate(("127.0.0.1", port))
        self_signed(tmp_path)
        until(lambda: ssl.get_server_certificate(("127.0.0.1", port)) != first)
        assert ssl.get_server_certificate(("127.0.0.1", port)) == certificate.read_text()
        key.write_text("broken")
        client.publish(TOPIC, payload("TLS", 1), qos=1).wait_for_publish(WAIT_S)
        client.disconnect()
        client.loop_stop()
        with pytest.raises(ssl.SSLError):
            ssl.get_server_certificate(("127.0.0.1", server.mqtt_port), timeout=5)


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    """Each client keeps what has no answer yet and sends it again, as MQTT wants it: so in the end
    every reading is stored, once."""
    rng = random.Random(20260101)
    server = Server(tmp_path / "data", mqtt_port=free_port())
    loads: list[Load] = []
    for kill in range(KILLS):
        server.start()
        if not loads:
            port = server.mqtt_port
            loads = [Load(port, version, qos) for version in VERSIONS for qos in (1, 2)]
        # Not in the middle of the reconnect: each kill meets messages on their way.
        before = [len(load.client.codes) for load in loads]
        for load, count in zip(loads, before, strict=True):
            until(lambda load=load, count=count: len(load.client.codes) > count)  # type: ignore[misc]
        await asyncio.sleep(rng.uniform(0.1, 0.8))
        if kill < KILLS - 1:
            server.kill()
    for load in loads:
        load.stop()
    assert sum(load.sent for load in loads) > KILLS * 100
    for load in loads:
        until(lambda load=load: len(load.client.codes) == load.sent)  # type: ignore[misc]
        assert {code.value for code in load.client.codes.values()} == {0}
        load.client.close()
        await check_stored(server, load.sensor, range(load.sent))
    assert server.stop() == 0


class Load:
    """Sends as fast as answers come, 20 messages on the way, until it is stopped."""

    def __init__(self, port: int, version: str, qos: int) -> None:
        self.sensor = f"KILL-{version}-{qos}"
        self.client = Paho(port, version, self.sensor)
        self.sent = 0
        self._qos = qos
        self._stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            if self.sent - len(self.client.codes) < 20:
                self.client.send(self.sent, payload(self.sensor, self.sent), self._qos)
                self.sent += 1
            else:
                time.sleep(0.002)
