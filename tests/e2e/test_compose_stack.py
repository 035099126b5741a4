"""The stack of compose.yaml, started as processes: what comes in at its door is answered there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import httpx
import paho.mqtt.client as paho
import pytest

from compose_stack import DEVICE, ComposeStack
from waiting import eventually
from workload import ask, import_comes_to, instant, reading

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.kafka,
    pytest.mark.influxdb,
    pytest.mark.mongodb,
    pytest.mark.haproxy,
    pytest.mark.mosquitto,
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    with ComposeStack(tmp_path_factory.mktemp("compose"), gateway=2) as stack:
        yield stack


def at_the_door(stack: ComposeStack, token: str | None = None) -> httpx.AsyncClient:
    token = token or stack.secret("admin-token")
    return httpx.AsyncClient(
        base_url=stack.door, headers={"authorization": f"Bearer {token}"}, timeout=60
    )


async def test_a_reading_sent_to_the_door_is_stored_and_its_sensor_found(
    stack: ComposeStack,
) -> None:
    async with at_the_door(stack) as door:
        for n in range(10):
            sent = await door.post("/api/v1/readings", json=reading(("EQ-1", instant(n)), n))
            assert sent.status_code == 204, sent.text
        query = {"equipmentId": "EQ-1", "start": instant(0), "end": instant(10)}
        page = await ask(door, "/api/v1/readings", query)
        assert [item["value"] for item in page["items"]] == list(range(10))

        async def are_found() -> bool:
            return bool((await ask(door, "/api/v1/sensors", {}))["items"])

        await eventually(are_found)
        assert (await door.get("/openapi.json")).status_code == 200


@pytest.mark.parametrize("name", ["mosquitto", "listener"])
async def test_readings_by_mqtt_are_stored_once(stack: ComposeStack, name: str) -> None:
    """Two gateways share what Mosquitto has; a connection to the listener goes to one of them."""
    if name == "mosquitto":
        port, password, origin = stack.mqtt_port, stack.device_password, "mqtt-broker:127.0.0.1"
    else:
        port, password, origin = stack.listener_port, stack.secret("admin-token"), "mqtt:admin"
    device = paho.Client(paho.CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
    device.username_pw_set(DEVICE, password)
    device.connect("127.0.0.1", port)
    device.loop_start()
    for n in range(20):
        body = json.dumps(reading((f"BY-{name}", instant(n)), n))
        device.publish(f"plant/{DEVICE}/readings", body, qos=1).wait_for_publish(20)
    device.disconnect()
    device.loop_stop()
    query = {"equipmentId": f"BY-{name}", "start": instant(0), "end": instant(20)}
    async with at_the_door(stack) as door, asyncio.timeout(60):
        while True:
            items = (await ask(door, "/api/v1/readings", query))["items"]
            if len(items) == 20:
                break
            await asyncio.sleep(0.2)
    assert [item["value"] for item in items] == list(range(20))
    assert {item["origin"] for item in items} == {origin}


def test_mosquitto_lets_nobody_in_without_the_password(stack: ComposeStack) -> None:
    refused: list[str] = []
    stranger = paho.Client(paho.CallbackAPIVersion.VERSION2, "stranger", protocol=paho.MQTTv5)
    stranger.on_connect = lambda _c, _u, _f, reason, _p: refused.append(str(reason))
    stranger.username_pw_set(DEVICE, "guessed")
    stranger.connect("127.0.0.1", stack.mqtt_port)
    until = time.monotonic() + 20
    while not refused and time.monotonic() < until:
        stranger.loop(0.1)
    assert refused == ["Not authorized"]


async def test_a_csv_goes_through_the_door(stack: ComposeStack) -> None:
    async with at_the_door(stack) as door:
        sent = await door.post(
            "/api/v1/imports",
            content=f"equipmentId,timestamp,value\nCSV-1,{instant(0)},7\n",
            headers={"content-type": "text/csv"},
        )
        assert sent.status_code == 202, sent.text
        await import_comes_to(door, sent.json()["id"], "done")


async def test_without_the_token_nothing_is_taken_or_shown(stack: ComposeStack) -> None:
    async with at_the_door(stack, "not-the-token-0123456789") as door:
        body = reading(("EQ-1", instant(0)), 1)
        assert (await door.post("/api/v1/readings", json=body)).status_code == 401
        assert (await door.get("/api/v1/averages")).status_code == 401


async def test_a_gateway_that_dies_is_not_missed_and_without_any_the_door_says_when_to_come_back(
    stack: ComposeStack,
) -> None:
    gateways = [server for name, server in stack.roles.items() if name.startswith("gateway")]
    body = reading(("EQ-2", instant(0)), 1)
    async with at_the_door(stack) as door:
        gateways[0].kill()
        for _ in range(20):
            sent = await door.post("/api/v1/readings", json=body)
            assert sent.status_code == 204, sent.text
        await asyncio.to_thread(gateways[1].stop)
        refused = await door.post("/api/v1/readings", json=body)
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["code"] == "busy"
        for gateway in gateways:
            await asyncio.to_thread(gateway.start)


def test_one_copy_on_one_host_is_said_loudly_and_no_secret_is(stack: ComposeStack) -> None:
    said = "".join(role.output() for role in stack.roles.values())
    assert "NOT SAFE FOR PRODUCTION" in said
    passwords = ("kafka-password", "influxdb-password", "mongodb-password", "admin-token")
    broker = stack.secret("mosquitto-users").splitlines()[0].partition(":")[2]
    for secret in (broker, *map(stack.secret, passwords)):
        assert secret not in said
