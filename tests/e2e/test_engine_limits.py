"""What InfluxDB cannot tell is said so, never answered as if it were nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from e2e.test_cli import ROWS, run
from pipewatcher.gaps.gap import gap_id_of
from server import Server
from servers.influxdb import InfluxDB

pytestmark = [pytest.mark.e2e, pytest.mark.influxdb]
CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("engine-limits")
    with (
        InfluxDB(folder / "influxdb") as influxdb,
        Server(folder / "data", readings=influxdb.url()) as server,
    ):
        yield server


async def imported(api: httpx.AsyncClient) -> int:
    answer = await api.post("/api/v1/imports", content=ROWS, headers=CSV)
    assert answer.status_code == 202, answer.text
    number: int = answer.json()["id"]
    async with asyncio.timeout(60):
        while True:
            job = (await api.get(f"/api/v1/imports/{number}")).json()
            if job["state"] == "done":
                break
            assert job["state"] in {"queued", "running"}, job
    assert job["receipt"]["accepted"] == 60
    assert job["receipt"]["new"] is None
    assert job["undoable"] is False
    return number


def check_not_possible(answer: httpx.Response) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "not_possible"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "duckdb:" in problem["hint"]


async def test_what_influxdb_cannot_tell_is_refused_with_the_engine_that_can(
    server: Server,
) -> None:
    async with server.client() as api:
        number = await imported(api)
        point = {"equipmentId": "EQ-1", "timestamp": "2026-01-01T00:00:00Z"}
        asked: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", "/api/v1/gaps", {}),
            ("GET", "/api/v1/gaps", {"headers": {"accept": "text/csv"}}),
            ("GET", "/api/v1/gaps/incidents", {}),
            ("PATCH", f"/api/v1/gaps/{gap_id_of('EQ-1', 1)}", {"json": {"state": "accepted"}}),
            ("POST", "/api/v1/gaps/request", {"json": {"source": "GW"}}),
            ("GET", "/api/v1/readings/history", {"params": point}),
            ("GET", f"/api/v1/imports/{number}/gaps", {}),
            ("GET", f"/api/v1/imports/{number}/undo", {}),
            ("DELETE", f"/api/v1/imports/{number}", {}),
            ("POST", "/api/v1/imports?dry_run=true", {"content": ROWS, "headers": CSV}),
        ]
        for method, path, options in asked:
            check_not_possible(await api.request(method, path, **options))
        kept = (await api.get(f"/api/v1/imports/{number}")).json()
        assert kept["state"] == "done"
        assert (await api.get("/api/v1/status")).json()["balance"] is None


async def test_means_are_answered_with_null_for_what_follows_from_cadences(server: Server) -> None:
    async with server.client() as api:
        await imported(api)
        page = (
            await api.get(
                "/api/v1/averages", params={"window": "24h", "until": "2026-01-01T01:00:00Z"}
            )
        ).json()
        [item] = page["items"]
        assert (item["count"], item["mean"], item["min"], item["max"]) == (60, 29.5, 0, 59)
        unknown = ("coverage", "expected", "longestGapSeconds", "timeWeightedMean")
        assert [item[name] for name in unknown] == [None] * 4


@pytest.mark.parametrize("command", [("gaps",), ("gaps", "--csv")])
def test_the_command_says_what_the_engines_cannot_do(
    server: Server, command: tuple[str, ...]
) -> None:
    done = run(server.folder, *command)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "gaps are not known" in done.stderr
    assert "duckdb:" in done.stderr
