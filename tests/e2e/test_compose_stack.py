"""The stack of compose.yaml, started as processes: what comes in at its door is answered there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from compose_stack import ComposeStack
from workload import ask, instant, reading

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.kafka,
    pytest.mark.influxdb,
    pytest.mark.mongodb,
    pytest.mark.haproxy,
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
        async with asyncio.timeout(60):
            while not (await ask(door, "/api/v1/sensors", {}))["items"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert (await door.get("/openapi.json")).status_code == 200


async def test_a_csv_goes_through_the_door(stack: ComposeStack) -> None:
    async with at_the_door(stack) as door:
        sent = await door.post(
            "/api/v1/imports",
            content=f"equipmentId,timestamp,value\nCSV-1,{instant(0)},7\n",
            headers={"content-type": "text/csv"},
        )
        assert sent.status_code == 202, sent.text
        async with asyncio.timeout(60):
            path = f"/api/v1/imports/{sent.json()['id']}"
            while (await ask(door, path, {}))["state"] != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.1)


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
    for name in ("kafka-password", "influxdb-password", "mongodb-password", "admin-token"):
        assert stack.secret(name) not in said
