"""Readings through a real Mosquitto: what the broker still held is stored once, come what may."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest

from server import Server
from servers.mosquitto import DEVICE, PIPEWATCHER, SHIPPED, Mosquitto
from servers.process import free_port
from waiting import eventually

pytestmark = [pytest.mark.mosquitto, pytest.mark.e2e]
NOON = "2026-01-31T12:00:00Z"
START = 1_700_000_000
TOPIC = f"plant/{DEVICE}/readings"


class Publisher:
    """A device on the broker, which sends until each reading has the broker's acknowledgement."""

    def __init__(self, broker: Mosquitto, *, version: int = paho.MQTTv5) -> None:
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="device", protocol=version,
            **({} if version == paho.MQTTv5 else {"clean_session": False}),
        )  # fmt: skip
        self._acknowledged: set[int] = set()
        self._client.on_publish = lambda _c, _u, mid, _r, _p: self._acknowledged.add(mid)
        self._client.username_pw_set(DEVICE, broker.passwords[DEVICE])
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        options = {"clean_start": False} if version == paho.MQTTv5 else {}
        self._client.connect("127.0.0.1", broker.port, **options)
        self._client.loop_start()

    def send(self, payload: object, *, topic: str = TOPIC, qos: int = 1, **options: Any) -> int:
        """The message's id. Without a connection it goes as soon as there is one."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self._client.publish(topic, body, qos, **options).mid

    def sent(self, payload: object, **options: Any) -> None:
        """Returns when the broker has acknowledged it; at QoS 0, when it is on its way."""
        mid = self.send(payload, **options)
        end = time.monotonic() + 20
        while not self.acknowledged([mid]):
            assert time.monotonic() < end, "the broker does not answer"
            time.sleep(0.01)

    def acknowledged(self, mids: Sequence[int]) -> bool:
        return self._acknowledged.issuperset(mids)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def server(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("historian") / "data"
    with Server(folder, mqtt_broker=broker.url(), mqtt_received_time="true") as server:
        yield server


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Publisher]:
    with closing(Publisher(broker)) as device:
        yield device


@pytest.fixture
async def api(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


def reading(equipment_id: str, n: int = 0, value: object = None) -> dict[str, object]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + n))
    return {"equipmentId": equipment_id, "value": n if value is None else value, "timestamp": stamp}


async def readings(api: httpx.AsyncClient, equipment_id: str) -> list[dict[str, Any]]:
    window = {"start": "2023-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z", "limit": 10_000}
    params = {"equipmentId": equipment_id, **window}
    found: list[dict[str, Any]] = []
    while True:
        answer = (await api.get("/api/v1/readings", params=params)).json()
        found += answer["items"]
        if not answer.get("nextCursor"):
            return found
        params["cursor"] = answer["nextCursor"]


async def status(api: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get("/api/v1/status")).json()
    return found


async def all_stored(api: httpx.AsyncClient, equipment_id: str, count: int) -> None:
    """Each of the readings 0 to count is there once, with its value."""

    async def enough() -> bool:
        return len(await readings(api, equipment_id)) >= count

    await eventually(enough)
    assert [item["value"] for item in await readings(api, equipment_id)] == list(range(count))


async def test_every_kind_of_payload_comes_through(
    api: httpx.AsyncClient, device: Publisher
) -> None:
    device.sent(reading("B-1"))
    device.sent([reading("B-2", n) for n in range(3)], qos=2)
    device.sent("\n".join(json.dumps(reading("B-3", n)) for n in range(3)).encode())
    device.sent({"value": 7, "timestamp": NOON}, topic=f"plant/{DEVICE}/value")
    device.sent(8.5, topic=f"plant/{DEVICE}/value", qos=0)
    for name, count in (("B-1", 1), ("B-2", 3), ("B-3", 3)):
        await all_stored(api, name, count)

    async def both() -> bool:
        return len(await readings(api, DEVICE)) == 2

    await eventually(both)
    sent, received = await readings(api, DEVICE)
    assert (sent["value"], sent["origin"]) == (7, "mqtt-broker:127.0.0.1")
    assert (received["value"], received["origin"]) == (8.5, "mqtt-broker:127.0.0.1+received-time")


BAD = {
    "utf-8": b"\xff\xfe",
    "nested": b"[" * 1_000_000,
    "broken": b'{"equipmentId": "X-1", ',
    "empty array": b"[]",
    "nan": json.dumps({**reading("X-1"), "value": float("nan")}).encode(),
    "text": json.dumps({**reading("X-1"), "value": "1"}).encode(),
    "no offset": json.dumps({**reading("X-1"), "timestamp": "2026-01-31T12:00:00"}).encode(),
    "future": json.dumps({**reading("X-1"), "timestamp": "2999-01-31T12:00:00Z"}).encode(),
    "twice": b'{"equipmentId":"X-1","value":1,"value":2,"timestamp":"2026-01-31T12:00:00Z"}',
    "no id": json.dumps({"value": 1, "timestamp": NOON}).encode(),
    "spaces": json.dumps({**reading("X-1"), "equipmentId": "X 1"}).encode(),
}


async def test_each_bad_payload_is_a_dead_letter_that_is_stored_once_it_is_mended(
    api: httpx.AsyncClient, device: Publisher
) -> None:
    before = (await status(api))["brokers"][0]
    for payload in BAD.values():
        device.sent(payload)
    device.sent(b"", topic=f"plant/{DEVICE}/value")

    async def buried() -> bool:
        now = (await status(api))["brokers"][0]
        return bool(now["deadLetters"] == before["deadLetters"] + len(BAD) + 1)

    await eventually(buried)
    answer = await api.get("/api/v1/dead-letters", params={"door": "mqtt-broker", "limit": 100})
    letters = answer.json()["items"]
    assert len(letters) == len(BAD) + 1
    assert all(letter["reason"] and letter["errors"] for letter in letters)
    assert {letter["topic"] for letter in letters} == {TOPIC, f"plant/{DEVICE}/value"}
    assert [letter["payloadBytes"] for letter in letters if letter["cut"]] == [1_000_000]
    assert await readings(api, "X-1") == []
    by_payload = {letter["payload"]: letter for letter in letters}
    nan = by_payload[BAD["nan"].decode()]
    url = f"/api/v1/dead-letters/{nan['id']}"
    assert (await api.post(f"{url}/replay")).status_code == 422
    mended = nan["payload"].replace("NaN", "5")
    assert (await api.put(url, json={"payload": mended})).json()["errors"] == []
    assert (await api.post(f"{url}/replay")).status_code == 200
    (stored,) = await readings(api, "X-1")
    assert (stored["value"], stored["origin"]) == (5, "replay:admin")


async def test_the_good_of_a_payload_are_stored_and_only_the_bad_are_buried(
    api: httpx.AsyncClient, device: Publisher
) -> None:
    device.sent([reading("G-1", n, "bad" if n == 2 else n) for n in range(4)])

    async def stored() -> bool:
        return [item["value"] for item in await readings(api, "G-1")] == [0, 1, 3]

    await eventually(stored)
    newest = (await api.get("/api/v1/dead-letters", params={"limit": 1})).json()["items"][0]
    assert json.loads(newest["payload"]) == [reading("G-1", 2, "bad")]


async def test_mosquitto_pub_is_understood(
    api: httpx.AsyncClient, broker: Mosquitto, server: Server
) -> None:
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-u", DEVICE]
    command += ["-P", broker.passwords[DEVICE], "-q", "1", "-t", TOPIC]
    for version in ("mqttv311", "mqttv5"):
        message = json.dumps(reading(f"M-{version}"))
        await asyncio.to_thread(
            subprocess.run, [*command, "-V", version, "-m", message], check=True
        )
        await all_stored(api, f"M-{version}", 1)
    metrics = (await api.get("/metrics")).text
    name = f"127.0.0.1:{broker.port}/plant/#"
    assert f'pipewatcher_mqtt_broker_connected{{broker="{name}"}} 1.0' in metrics
    log = server.folder.with_name("data.log").read_text()
    assert broker.passwords[PIPEWATCHER] not in log + metrics


async def test_a_retained_message_is_not_taken_again_at_each_connection(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, closing(Publisher(broker)) as device:
        device.sent(reading("R-1"), retain=True)
        with Server(tmp_path / "data", mqtt_broker=broker.url()) as server:
            async with server.client() as api:
                device.sent(reading("R-2"))
                await all_stored(api, "R-2", 1)
                assert await readings(api, "R-1") == []


def test_nobody_gets_in_without_a_password_and_nobody_writes_as_another(
    broker: Mosquitto, tmp_path: Path
) -> None:
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-m", "1", "-q", "1"]
    for sign_in in ([], ["-u", DEVICE, "-P", "wrong"], ["-u", DEVICE]):
        refused = [*command, "-t", TOPIC, *sign_in]
        assert subprocess.run(refused, check=False, capture_output=True).returncode
    told = subprocess.run(
        [*command, "-V", "mqttv5", "-d", "-t", "plant/other/value", "-u", DEVICE,
         "-P", broker.passwords[DEVICE]],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "RC:135" in told.stdout  # not authorized
    made = tmp_path / "made" / "passwords"
    script = [SHIPPED / "make-passwords.sh", made]
    first, again, renewed = (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for command in (
            [*script, "a.b", "axb"],
            [*script, "a.b"],
            [script[0], "--renew", made, "a.b"],
        )
    )
    assert [line.split()[0] for line in first.splitlines()] == ["a.b", "axb"]
    assert (again, renewed in first, len(made.read_text().splitlines())) == ("", False, 2)
    assert made.stat().st_mode & 0o777 == 0o600


async def load(device: Publisher, name: str, count: int, qos: Sequence[int] = (1, 2)) -> None:
    """QoS 1 and 2 by turns. Ends when the broker has acknowledged all."""
    mids = []
    for n in range(count):
        mids.append(device.send(reading(name, n), qos=qos[n % len(qos)]))
        if n % 50 == 0:
            await asyncio.sleep(0.01)

    async def acknowledged() -> bool:
        return device.acknowledged(mids)

    await eventually(acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
async def test_what_the_broker_held_is_stored_once_when_pipewatcher_is_killed(
    tmp_path: Path, version: int
) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        server = Server(tmp_path / "data", mqtt_broker=broker.url()).start()
        try:
            with closing(Publisher(broker, version=version)) as device:
                sending = asyncio.create_task(load(device, "K-1", 6_000))
                bad = [f"bad {n}" for n in range(30)]
                for kill in range(3):
                    await asyncio.sleep(0.5)
                    for text in bad[10 * kill : 10 * (kill + 1)]:
                        device.send(text.encode())
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
                await sending
            async with server.client() as api:
                await all_stored(api, "K-1", 6_000)

                async def all_buried() -> bool:
                    answer = await api.get("/api/v1/dead-letters", params={"limit": 100})
                    return {letter["payload"] for letter in answer.json()["items"]} == set(bad)

                await eventually(all_buried)
        finally:
            server.stop()


@pytest.mark.slow
async def test_the_broker_may_stop_and_start_under_load(tmp_path: Path) -> None:
    # At QoS 1: of what Mosquitto 2.0.11 acknowledged at QoS 2, it keeps nothing over a stop.
    broker = Mosquitto(tmp_path / "broker")
    with broker, Server(tmp_path / "data", mqtt_broker=broker.url()) as server:
        with closing(Publisher(broker)) as device:
            sending = asyncio.create_task(load(device, "S-1", 4_000, qos=[1]))
            for _ in range(2):
                await asyncio.sleep(0.4)
                await asyncio.to_thread(broker.stop)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(broker.start)
            await sending
        async with server.client() as api:
            await all_stored(api, "S-1", 4_000)
            assert (await status(api))["brokers"][0]["losses"] >= 2


@pytest.mark.slow
async def test_an_away_broker_is_said_and_comes_back_by_itself(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with broker, Server(tmp_path / "data", mqtt_broker=broker.url()) as server:
        async with server.client() as api:
            broker.kill()

            async def away() -> bool:
                return (await api.get("/readyz")).json()["status"] == "mqtt_broker_away"

            await eventually(away)
            found = (await status(api))["brokers"][0]
            assert (found["connected"], found["problem"] is None) == (False, False)
            # HTTP goes on meanwhile.
            answer = await api.post("/api/v1/readings", json=reading("H-1"))
            assert answer.status_code == 204
            await asyncio.to_thread(broker.start)

            async def back() -> bool:
                return (await api.get("/readyz")).status_code == 200

            await eventually(back, 90)


@pytest.mark.slow
async def test_two_gateways_share_a_subscription_and_each_message_goes_to_one(
    tmp_path: Path,
) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        url = broker.url("$share/pipewatcher/plant/#")
        with (
            Server(tmp_path / "a", mqtt_broker=url) as one,
            Server(tmp_path / "b", mqtt_broker=url) as two,
            closing(Publisher(broker)) as device,
        ):
            await load(device, "W-1", 1_000)
            async with one.client() as first, two.client() as second:

                async def all_there() -> bool:
                    found = [await readings(api, "W-1") for api in (first, second)]
                    return sum(map(len, found)) >= 1_000

                await eventually(all_there)
                found = [await readings(api, "W-1") for api in (first, second)]
                values = sorted(item["value"] for part in found for item in part)
                assert values == list(range(1_000))
                assert all(len(part) > 100 for part in found)


def doctor(tmp_path: Path, url: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "pipewatcher", "doctor", "--data-dir", str(tmp_path / "data")],
        env={**os.environ, "PIPEWATCHER_MQTT_BROKER": url, "PIPEWATCHER_HTTP_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout


@pytest.mark.slow
def test_doctor_says_what_is_wrong_with_a_broker(
    broker: Mosquitto, certificate: Path, tmp_path: Path
) -> None:
    assert "lets us in and subscribe" in doctor(tmp_path, broker.url())
    wrong = doctor(tmp_path, broker.url(password="wrong-password"))
    assert "does not let this user in" in wrong
    assert "wrong-password" not in wrong
    assert "no MQTT broker answers" in doctor(tmp_path, f"mqtt://127.0.0.1:{free_port()}/x")
    with Mosquitto(tmp_path / "tls", certificate=certificate) as secure:
        assert "is not trusted" in doctor(tmp_path, secure.url(tls=True))
        trusted = f"{secure.url(tls=True)}?ca={certificate}"
        assert "lets us in and subscribe" in doctor(tmp_path, trusted)
        no_tls = secure.url().replace("mqtt://", "mqtts://")
        assert "hangs up at once" in doctor(tmp_path, no_tls)
        not_plain = secure.url(tls=True).replace("mqtts://", "mqtt://")
        assert "It may want mqtts://" in doctor(tmp_path, not_plain)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed, for 127.0.0.1: certificate and key in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.mark.slow
async def test_readings_come_over_tls(certificate: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", certificate=certificate) as broker:
        url = f"{broker.url(tls=True)}?ca={certificate}"
        with Server(tmp_path / "data", mqtt_broker=url) as server:
            async with server.client() as api:
                with closing(Publisher(broker)) as device:
                    device.sent(reading("T-1"))
                await all_stored(api, "T-1", 1)
