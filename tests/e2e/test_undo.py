"""Imports undone on a real server: what is said before, what is there after, and `kill -9`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from server import Server
from workload import import_comes_to

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
HEADER = "equipmentId,timestamp,value\n"
CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("undo") / "data") as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


def rows(count: int, sensor: str, value: float) -> str:
    return "".join(
        f"{sensor}-{n % 50},2026-01-{1 + n // 86_400:02}T{n // 3_600 % 24:02}:{n // 60 % 60:02}:"
        f"{n % 60:02}Z,{value}\n"
        for n in range(count)
    )


async def upload(api: httpx.AsyncClient, text: str) -> int:
    answer = await api.post("/api/v1/imports", content=text.encode(), headers=CSV)
    assert answer.status_code == 202, answer.text
    import_id: int = answer.json()["id"]
    return import_id


async def count_and_mean(api: httpx.AsyncClient, sensor: str) -> tuple[int, set[float]]:
    query = {"window": "365d", "q": sensor, "until": "2026-06-01T00:00:00Z"}
    items = (await api.get("/api/v1/averages", params=query)).json()["items"]
    return sum(i["count"] for i in items), {i["mean"] for i in items if i["count"]}


async def test_the_story_of_an_import_that_is_regretted(api: httpx.AsyncClient) -> None:
    first = await upload(api, HEADER + rows(1_000, "A", 1.0))
    await import_comes_to(api, first, "done")
    second = await upload(api, HEADER + rows(1_500, "A", 2.0))
    assert (await import_comes_to(api, second, "done"))["undoable"] is True
    path = f"/api/v1/imports/{second}"
    preview = (await api.get(f"{path}/undo")).json()
    assert (preview["removed"], preview["restored"], preview["changed"]) == (500, 1_000, 1_000)
    assert (preview["sensors"], len(preview["items"])) == (50, 50)
    assert preview["items"][0]["removed"] + preview["items"][0]["restored"] == 30
    query = {"equipmentId": "A-7", "timestamp": "2026-01-01T00:00:07Z"}
    told = (await api.get("/api/v1/readings/history", params=query)).json()
    writes = [(i["value"], i["importId"], i["line"], i["stands"]) for i in told["items"]]
    assert writes == [(2.0, second, 9, True), (1.0, first, 9, False)]
    assert all(item["accepted"] for item in told["items"])
    assert (await api.delete(path)).json()["state"] in {"undoing", "undone"}
    job = await import_comes_to(api, second, "undone")
    assert job["undone"] == {"removed": 500, "restored": 1_000}
    assert job["undoable"] is False
    assert await count_and_mean(api, "A-") == (1_000, {1.0})
    for refused in (await api.delete(path), await api.get(f"{path}/undo")):
        assert refused.status_code == 409
        assert refused.json()["code"] == "conflict"


async def test_the_story_of_a_file_that_is_looked_at_first(api: httpx.AsyncClient) -> None:
    live = {"equipmentId": "D-1", "timestamp": "2026-01-01T00:00:01Z", "value": 5.0}
    assert (await api.post("/api/v1/readings", json=live)).status_code == 204
    answer = await api.post(
        "/api/v1/imports?dry_run=true", content=(HEADER + rows(200, "D", 1.0)).encode(), headers=CSV
    )
    path = f"/api/v1/imports/{answer.json()['id']}"
    job = await import_comes_to(api, answer.json()["id"], "done")
    assert (job["dryRun"], job["undoable"], job["receipt"]["new"]) == (True, False, 199)
    forecast = (await api.get(f"{path}/dry-run")).json()
    assert (forecast["liveOverwritten"], forecast["newSensors"]) == (1, 49)
    [row] = forecast["liveRows"]
    assert (row["equipmentId"], row["stored"], row["value"]) == ("D-1", 5.0, 1.0)
    assert await count_and_mean(api, "D-") == (1, {5.0})
    assert (await api.get(f"{path}/undo")).status_code == 409
    applied = await api.post(f"{path}/apply")
    assert (applied.status_code, applied.json()["dryRun"]) == (202, False)
    job = await import_comes_to(api, answer.json()["id"], "done")
    assert job["receipt"]["corrected"] == 1
    assert await count_and_mean(api, "D-") == (200, {1.0})
    assert (await api.post(f"{path}/apply")).status_code == 409
    assert (await api.get("/api/v1/imports/999999/dry-run")).status_code == 404
    await api.delete(path)
    await import_comes_to(api, answer.json()["id"], "undone")
    assert await count_and_mean(api, "D-") == (1, {5.0})


async def test_a_dry_run_tells_the_gaps_that_it_closes_and_what_that_makes_of_coverage(
    api: httpx.AsyncClient,
) -> None:
    def minutes(*spans: range) -> bytes:
        told = (f"G-1,2026-01-05T00:{m:02}:00Z,{m}\n" for span in spans for m in span)
        return (HEADER + "".join(told)).encode()

    path = "/api/v1/imports"
    whole = await upload(api, minutes(range(21), range(30, 41), range(50, 60)).decode())
    await import_comes_to(api, whole, "done")
    lost = minutes(range(20, 31), range(44, 46))
    answer = await api.post(f"{path}?dry_run=true", content=lost, headers=CSV)
    await import_comes_to(api, answer.json()["id"], "done")
    told = (await api.get(f"{path}/{answer.json()['id']}/dry-run")).json()
    assert (told["gapsClosed"], told["gapsPartlyFilled"]) == (1, 1)
    [closed] = told["closedGaps"]
    assert (closed["start"][11:16], closed["end"][11:16], closed["expected"]) == (
        "00:20", "00:30", 9,
    )  # fmt: skip
    [change] = told["changes"]
    # The file spans 00:20 to 00:45 and a microsecond; ten of its minutes, then five, were missing.
    assert change["coverageBefore"] == pytest.approx(1 - 15 / 25, abs=1e-6)
    assert change["coverageAfter"] == pytest.approx(1 - 4 / 25, abs=1e-6)
    assert change["timeWeightedMeanBefore"] != change["timeWeightedMeanAfter"]
    gaps = (await api.get("/api/v1/gaps", params={"equipmentId": "G-1"})).json()["items"]
    assert closed["id"] in {gap["id"] for gap in gaps if gap["state"] == "open"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"equipmentId": "A-7", "timestamp": "yesterday"}, 422),
        ({"equipmentId": "A-7", "timestamp": "2026-01-01T00:00:07"}, 422),
        ({"equipmentId": "A-7"}, 422),
        ({"timestamp": "2026-01-01T00:00:07Z"}, 422),
        ({"equipmentId": "A-7", "timestamp": "2020-01-01T00:00:07Z"}, 404),
        ({"equipmentId": "nobody", "timestamp": "2026-01-01T00:00:07Z"}, 404),
    ],
)
async def test_a_history_that_cannot_be_told_is_refused(
    api: httpx.AsyncClient, query: dict[str, str], status: int
) -> None:
    answer = await api.get("/api/v1/readings/history", params=query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    missing = await api.get("/api/v1/imports/999999/undo")
    assert missing.status_code == 404


async def test_kill_9_in_an_undo_leaves_it_done_not_begun_or_going_on(tmp_path: Path) -> None:
    rng = random.Random(9)
    server = Server(tmp_path / "data")
    kept = lost = None
    for _ in range(4):
        server.start()
        async with server.client() as api:
            if kept is None:
                kept = await upload(api, HEADER + rows(50_000, "K", 1.0))
                await import_comes_to(api, kept, "done")
            if lost is not None:
                await import_comes_to(api, lost, "undone")
                assert await count_and_mean(api, "K-") == (50_000, {1.0})
            lost = await upload(api, HEADER + rows(300_000, "K", 2.0))
            await import_comes_to(api, lost, "done")
            assert await count_and_mean(api, "K-") == (300_000, {2.0})
            assert (await api.delete(f"/api/v1/imports/{lost}")).status_code == 200
            await asyncio.sleep(rng.uniform(0.0, 0.5))
            server.kill()
    with server:
        async with server.client() as api:
            assert lost is not None
            job = await import_comes_to(api, lost, "undone")
            assert job["undone"] == {"removed": 250_000, "restored": 50_000}
            assert await count_and_mean(api, "K-") == (50_000, {1.0})


async def test_kill_9_in_an_import_that_is_undone_once_it_has_gone_on(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    async with server.client() as api:
        live = {"equipmentId": "L-1", "timestamp": "2026-01-01T00:00:01Z", "value": 5.0}
        assert (await api.post("/api/v1/readings", json=live)).status_code == 204
        job = await upload(api, HEADER + rows(400_000, "L", 2.0))
        await asyncio.sleep(0.3)
        server.kill()
    with server:
        async with server.client() as api:
            await import_comes_to(api, job, "done")
            await api.delete(f"/api/v1/imports/{job}")
            await import_comes_to(api, job, "undone")
            assert await count_and_mean(api, "L-") == (1, {5.0})
