"""The bell and the live events of a real server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server

pytestmark = pytest.mark.e2e
CSV = {"content-type": "text/csv"}
ROW = b"equipmentId,timestamp,value\nEQ-1,2026-01-01T00:00:00Z,1\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("live") / "data") as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, str, Any]]:
    """(id, kind, data)"""
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            event[name] = value
        elif "data" in event:
            yield event["id"], event["event"], json.loads(event["data"])
            event = {}


async def until(found: AsyncIterator[tuple[str, str, Any]], event: str, /, **like: Any) -> Any:
    async with asyncio.timeout(30):
        async for event_id, came, data in found:
            if came == event and all(data.get(name) == value for name, value in like.items()):
                return event_id, data
    raise AssertionError(f"no {event}")


async def test_an_import_is_told_live_and_by_the_bell_until_it_is_read(
    api: httpx.AsyncClient,
) -> None:
    async with api.stream("GET", "/api/v1/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = events(answer)
        await asyncio.sleep(1.5)
        import_id = (await api.post("/api/v1/imports", content=ROW, headers=CSV)).json()["id"]
        last, told = await until(found, "notification", kind="import_done")
        assert (told["importId"], told["detail"]) == (import_id, "upload.csv")
        _, job = await until(found, "import", id=import_id, state="done")
        assert job["receipt"]["new"] == 1
    bad = (await api.post("/api/v1/imports", content=b"%PDF-1.7", headers=CSV)).json()["id"]
    resumed = {"last-event-id": last}
    async with api.stream("GET", "/api/v1/live", headers=resumed) as answer:
        _, told = await until(events(answer), "notification", kind="import_failed")
        assert told["importId"] == bad
    page = (await api.get("/api/v1/notifications")).json()
    kinds = [item["kind"] for item in page["items"]]
    assert {"import_done", "import_failed", "new_sensor"} <= set(kinds)
    assert page["unread"] == len(kinds)
    newest = page["items"][0]["id"]
    answer = await api.put("/api/v1/notifications/read", json={"upTo": newest})
    assert answer.json() == {"unread": 0}
    page = (await api.get("/api/v1/notifications")).json()
    assert not any(item["unread"] for item in page["items"])


async def test_a_gap_that_a_file_closed_is_told_live(api: httpx.AsyncClient) -> None:
    minutes = [f"GAP-1,2026-01-05T00:{minute:02}:00Z,1\n" for minute in range(60)]
    head = "equipmentId,timestamp,value\n"
    whole = "".join([head, *minutes[:30], *minutes[40:]])
    lost = "".join([head, *minutes[30:40]])
    async with api.stream("GET", "/api/v1/live") as answer:
        found = events(answer)
        await asyncio.sleep(1.5)
        for text in (whole, lost):
            started = await api.post("/api/v1/imports", content=text.encode(), headers=CSV)
            _, job = await until(found, "import", id=started.json()["id"], state="done")
        assert (job["gapsClosed"], job["gapsPartlyFilled"], job["gapsUntouched"]) == (1, 0, 0)
        _, told = await until(found, "notification", kind="gap_closed")
    assert (told["importId"], told["equipmentId"]) == (job["id"], "GAP-1")
    assert (told["count"], told["detail"]) == (1, "upload.csv")


async def test_readings_are_told_thinned(api: httpx.AsyncClient) -> None:
    async with api.stream("GET", "/api/v1/live") as answer:
        found = events(answer)
        await asyncio.sleep(3)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        reading = {"equipmentId": "LIVE-1", "timestamp": now, "value": 4.5}
        assert (await api.post("/api/v1/readings", json=reading)).status_code == 204
        _, told = await until(found, "reading")
        [item] = told["items"]
        assert (item["equipmentId"], item["value"], item["state"]) == ("LIVE-1", 4.5, "ok")


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"{}", 422), (b'{"upTo": -1}', 422), (b'{"upTo": "1"}', 422), (b"[]", 422)],
)
async def test_what_cannot_be_read_is_refused(
    api: httpx.AsyncClient, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"}
    answer = await api.put("/api/v1/notifications/read", content=body, headers=headers)
    assert answer.status_code == status


async def test_a_server_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    async with server.client() as api, api.stream("GET", "/api/v1/live") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - began < 15
