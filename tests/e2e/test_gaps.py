"""The gap ledger on a real server: listed, requested, mended by a file; and `kill -9`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
HEADER = "equipmentId,timestamp,value\n"
CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("gaps") / "data") as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


def rows(sensor: str, *spans: range) -> str:
    return "".join(
        f"{sensor},2026-01-05T{m // 60:02}:{m % 60:02}:00Z,{m}\n" for span in spans for m in span
    )


async def imported(api: httpx.AsyncClient, text: str) -> dict[str, Any]:
    answer = await api.post("/api/v1/imports", content=(HEADER + text).encode(), headers=CSV)
    async with asyncio.timeout(60):
        while True:
            path = f"/api/v1/imports/{answer.json()['id']}"
            job: dict[str, Any] = (await api.get(path)).json()
            if job["state"] == "done":
                return job
            await asyncio.sleep(0.05)


async def gaps(api: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    query = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-05T20:00:00Z", **query}
    answer = await api.get("/api/v1/gaps", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_gap_is_requested_from_the_vendor_and_closed_by_his_file(
    api: httpx.AsyncClient,
) -> None:
    await imported(api, rows("PT-1", range(60), range(90, 200), range(240, 300)))
    [newer, older, *_] = await gaps(api, equipmentId="PT-1", end="2026-01-05T04:50:00Z")
    assert (older["start"][11:16], older["end"][11:16]) == ("00:59", "01:30")
    assert (older["state"], older["expected"]) == ("open", 30)
    body = {"ids": [older["id"], newer["id"]]}
    asked = await api.post("/api/v1/gaps/request", json=body)
    assert asked.status_code == 200
    assert asked.text.splitlines()[:2] == [
        "equipmentId,start,end,expected",
        "PT-1,2026-01-05T00:59:00.000Z,2026-01-05T01:30:00.000Z,30",
    ]
    page = await api.post("/api/v1/gaps/request", json=body, headers={"accept": "text/html"})
    assert "PT-1" in page.text
    assert "Readings we miss" in page.text
    wanted = {"accept": "application/json", "accept-language": "pt-BR,pt;q=0.9,en;q=0.8"}
    both = (await api.post("/api/v1/gaps/request", json=body, headers=wanted)).json()
    assert both["csv"] == asked.text
    assert "Leituras que nos faltam" in both["page"]
    assert "<td>PT-1</td>" in both["page"]
    job = await imported(api, rows("PT-1", range(60, 90)))
    assert (job["gapsClosed"], job["gapsPartlyFilled"], job["gapsUntouched"]) == (1, 0, 1)
    receipt = (await api.get(f"/api/v1/imports/{job['id']}/gaps")).json()
    assert [gap["id"] for gap in receipt["closed"]] == [older["id"]]
    [filled] = await gaps(api, equipmentId="PT-1", state="filled")
    assert filled["closedBy"] == [f"import:{job['id']}"]
    changed = await api.patch(
        f"/api/v1/gaps/{newer['id']}", json={"state": "accepted", "cause": "gateway"}
    )
    assert (changed.json()["state"], changed.json()["cause"]) == ("accepted", "gateway")
    series = await api.get(
        "/api/v1/series",
        params={
            "equipmentId": "PT-1",
            "start": "2026-01-05T00:00:00Z",
            "end": "2026-01-05T05:00:00Z",
        },
    )
    [item] = series.json()["items"]
    assert [gap["start"][11:16] for gap in item["gaps"]] == ["03:19", "04:59"]
    means = await api.get(
        "/api/v1/averages", params={"window": "5h", "until": "2026-01-05T05:00:00Z", "q": "PT-1"}
    )
    [mean] = means.json()["items"]
    assert mean["coverage"] == pytest.approx(1 - (41 + 1) / 300)
    assert mean["expected"] == 300
    assert mean["timeWeightedMean"] is not None


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/gaps?start=yesterday", None, 422),
        ("GET", "/api/v1/gaps?state=lost", None, 422),
        ("GET", "/api/v1/gaps?cursor=!", None, 422),
        ("GET", "/api/v1/gaps?limit=0", None, 422),
        ("GET", "/api/v1/gaps/incidents?end=x", None, 422),
        ("PATCH", "/api/v1/gaps/x", {"state": "open"}, 404),
        ("PATCH", "/api/v1/gaps/x", {"state": "filled"}, 422),
        ("PATCH", "/api/v1/gaps/x", {"unknown": 1}, 422),
        ("POST", "/api/v1/gaps/request", {"ids": []}, 422),
        ("POST", "/api/v1/gaps/request", {"ids": ["x"]}, 422),
        ("POST", "/api/v1/gaps/request", {"source": "nobody"}, 422),
        ("GET", "/api/v1/imports/999/gaps", None, 404),
    ],
)
async def test_a_wrong_question_is_refused(
    api: httpx.AsyncClient, method: str, path: str, body: object, status: int
) -> None:
    answer = await api.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cadence_that_is_set_is_in_force_after_kill_9(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Server(tmp_path_factory.mktemp("cadence") / "data") as server:
        async with server.client() as api:
            await imported(api, rows("PT-2", range(300)))
        for seconds in (None, 10, 0, 600, 5):
            answered = await _killed_while_setting(server, seconds)
            server.start()
            async with server.client() as api:
                sensor = (await api.get("/api/v1/sensors/PT-2")).json()
                end = "2026-01-05T04:59:00Z"
                found = await gaps(api, equipmentId="PT-2", end=end, limit="1000")
            if answered:
                assert sensor["cadenceSeconds"] == seconds
            assert sensor["learnedCadenceSeconds"] == 60
            assert len(found) == (299 if sensor["cadenceSeconds"] in {5, 10} else 0)


async def _killed_while_setting(server: Server, seconds: int | None) -> bool:
    """Whether it was answered before."""
    async with server.client() as api:
        path = "/api/v1/sensors/PT-2"
        setting = asyncio.create_task(api.patch(path, json={"cadenceSeconds": seconds}))
        await asyncio.sleep(0.01 * ((seconds or 0) % 3))
        server.kill()
        [answer] = await asyncio.gather(setting, return_exceptions=True)
    return isinstance(answer, httpx.Response) and answer.status_code == 200


async def test_a_gap_over_kill_9_is_our_own(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    for part in range(2):
        server.start()
        async with server.client() as api:
            for n in range(12):
                now = datetime.now(UTC).isoformat()
                reading = {"equipmentId": "OWN-1", "timestamp": now, "value": n}
                assert (await api.post("/api/v1/readings", json=reading)).status_code == 204
                await asyncio.sleep(0.5)
            if part == 0:
                path = "/api/v1/sensors/OWN-1"
                assert (await api.patch(path, json={"cadenceSeconds": 2})).status_code == 200
                server.kill()
                await asyncio.sleep(10)
                continue
            items = (await api.get("/api/v1/gaps", params={"equipmentId": "OWN-1"})).json()
            [gap] = items["items"]
            assert (gap["cause"], gap["changedBy"]) == ("downtime", None)
            [line] = (await api.get("/api/v1/gaps/incidents")).json()["items"]
            assert line["cause"] == "downtime"
    server.stop()
