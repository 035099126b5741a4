"""The API of a real server: who may ask, what is answered, what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import AUTH, TOKEN, Server

pytestmark = pytest.mark.e2e
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("api") / "data") as server:
        rows = [
            {"equipmentId": f"EQ-{n % 3}", "timestamp": ago(minutes=n), "value": n / 4}
            for n in range(60)
        ]
        answer = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH)
        assert answer.json() == {
            "received": 60,
            "accepted": 60,
            "rejected": 0,
            "errors": [],
            "unknownFields": 0,
        }
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat().replace("+00:00", "Z")


async def imported(api: httpx.AsyncClient, import_id: int) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        job: dict[str, Any] = (await api.get(f"/api/v1/imports/{import_id}")).json()
        if job["state"] in {"done", "failed", "cancelled"}:
            return job
    raise AssertionError("the import did not end")


async def test_averages_equal_what_was_sent(api: httpx.AsyncClient) -> None:
    page = (await api.get("/api/v1/averages", params={"window": "24h", "q": "eq-1"})).json()
    [item] = page["items"]
    sent = [n / 4 for n in range(1, 60, 3)]
    assert item["count"] == len(sent)
    assert item["mean"] == pytest.approx(sum(sent) / len(sent))
    assert (item["min"], item["max"]) == (sent[0], sent[-1])
    assert item["lastTimestamp"] == ago(minutes=1).replace("Z", ".000Z")


async def test_averages_are_sorted_and_paged(api: httpx.AsyncClient) -> None:
    query = {"sort": "mean", "order": "desc", "limit": 2, "offset": 1}
    page = (await api.get("/api/v1/averages", params=query)).json()
    means = [item["mean"] for item in page["items"]]
    assert page["total"] >= 3
    assert means == sorted(means, reverse=True)
    assert len(means) == 2


async def test_averages_and_readings_come_as_csv_by_accept(api: httpx.AsyncClient) -> None:
    accept = {"accept": "text/csv"}
    answer = await api.get("/api/v1/averages", headers=accept)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {"EQ-0", "EQ-1", "EQ-2"} <= {row["equipmentId"] for row in rows}
    query = {"equipmentId": "EQ-0", "start": ago(hours=2), "end": ago(hours=-1)}
    answer = await api.get("/api/v1/readings", params=query, headers=accept)
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 20


@pytest.mark.parametrize(
    "query",
    [
        {"window": "x"},
        {"window": "0h"},
        {"window": "99999999d"},
        {"until": "2999-01-01T00:00:00Z"},
        {"until": "2023-01-01T00:00:00"},
        {"sort": "password"},
        {"limit": "20001"},
        {"limit": "-1"},
    ],
)
async def test_a_wrong_question_is_refused_by_name(
    api: httpx.AsyncClient, query: dict[str, str]
) -> None:
    answer = await api.get("/api/v1/averages", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == next(iter(query))


async def test_readings_go_on_behind_a_cursor_without_loss_or_repeat(
    api: httpx.AsyncClient,
) -> None:
    query = {"equipmentId": "EQ-2", "start": ago(hours=2), "end": ago(hours=-1), "limit": "7"}
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/api/v1/readings", params=query | cursor)).json()
        found += [item["timestamp"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert len(found) == 20
    assert found == sorted(set(found))


async def test_a_series_shows_the_spike_beside_the_mean(api: httpx.AsyncClient) -> None:
    spike = {"equipmentId": "SPIKE", "timestamp": ago(minutes=30), "value": 1e6}
    calm = [{**spike, "timestamp": ago(minutes=31 + n), "value": 1} for n in range(9)]
    await api.post("/api/v1/readings", json=[spike, *calm])
    query = {"equipmentId": "SPIKE", "start": ago(days=3), "end": ago(days=-1), "bucket": "1d"}
    page = (await api.get("/api/v1/series", params=query)).json()
    buckets = page["items"][0]["buckets"]
    assert max(bucket["max"] for bucket in buckets) == 1e6
    assert sum(bucket["count"] for bucket in buckets) == 10


async def test_a_sensor_is_edited_and_found_by_its_new_name(api: httpx.AsyncClient) -> None:
    until = time.monotonic() + 10
    while (await api.get("/api/v1/sensors/EQ-0")).status_code == 404:
        assert time.monotonic() < until
    changes = {"name": "P-101 discharge", "unit": "bar", "rangeMin": 0, "rangeMax": 16}
    answer = await api.patch("/api/v1/sensors/EQ-0", json=changes)
    assert answer.status_code == 200, answer.text
    page = (await api.get("/api/v1/averages", params={"q": "DISCHARGE"})).json()
    assert [item["equipmentId"] for item in page["items"]] == ["EQ-0"]
    for wrong in ({"rangeMin": 99}, {"equipmentId": "x"}, {"name": 5}, {"name": "x" * 201}):
        answer = await api.patch("/api/v1/sensors/EQ-0", json=wrong)
        assert answer.status_code == 422, wrong
    assert (await api.patch("/api/v1/sensors/none", json={})).status_code == 404


async def test_notifications_tell_of_each_new_sensor_once_and_go_on_behind_a_cursor(
    api: httpx.AsyncClient,
) -> None:
    sensors: list[dict[str, Any]] = []
    until = time.monotonic() + 60
    while len(sensors) < 3 and time.monotonic() < until:
        sensors = (await api.get("/api/v1/sensors")).json()["items"]
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        where = {"cursor": cursor} if cursor else {}
        page = (await api.get("/api/v1/notifications", params={"limit": 2, **where})).json()
        found += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert {n["equipmentId"]: n["created"] for n in found} == {
        s["equipmentId"]: s["created"] for s in sensors
    }
    ids = [n["id"] for n in found]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == len(sensors) > 2
    assert {n["kind"] for n in found} == {"new_sensor"}


async def test_signing_in_gives_a_cookie_that_other_sites_cannot_use(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as browser:
        wrong = await browser.post("/api/v1/session", json={"token": "wrong"})
        assert wrong.status_code == 401
        answer = await browser.post("/api/v1/session", json={"token": TOKEN})
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        assert (await browser.get("/api/v1/session")).json()["role"] == "admin"
        forged = {"sec-fetch-site": "cross-site"}
        answer = await browser.patch("/api/v1/sensors/EQ-1", json={}, headers=forged)
        assert answer.status_code == 403
        assert (await browser.delete("/api/v1/session")).status_code == 204
        assert (await browser.get("/api/v1/averages")).status_code == 401


async def test_a_csv_upload_is_answered_with_a_receipt_that_balances(
    api: httpx.AsyncClient,
) -> None:
    text = "\ufeffvalue;timestamp;equipmentId;note\r\n" + "".join(
        f'"{n},5";{ago(days=2, minutes=n)};CSV-1;x\r\n' for n in range(50)
    )
    text += f"1,5;2023-02-31T00:00:00Z;CSV-1;x\r\nabc;{ago(days=2)};CSV-1;x\r\n"
    body = gzip.compress(text.encode())
    answer = await api.post("/api/v1/imports", files={"file": ("vendor.csv.gz", body)})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/imports/{answer.json()['id']}"
    job = await imported(api, answer.json()["id"])
    receipt = job["receipt"]
    assert job["fileName"] == "vendor.csv.gz"
    assert job["unknownColumns"] == ["note"]
    assert (receipt["received"], receipt["accepted"], receipt["rejected"]) == (52, 50, 2)
    assert receipt["new"] + receipt["repeated"] == 50
    assert [(e["line"], e["field"]) for e in receipt["errors"]] == [
        (52, "timestamp"),
        (53, "value"),
    ]
    rejected = await api.get(f"/api/v1/imports/{job['id']}/rejected.csv")
    mended = rejected.text.replace("2023-02-31", "2023-02-28").replace("abc", "7")
    headers = {"content-type": "text/csv"}
    answer = await api.post("/api/v1/imports", content=mended, headers=headers)
    again = (await imported(api, answer.json()["id"]))["receipt"]
    assert (again["accepted"], again["rejected"]) == (2, 0)


@pytest.mark.parametrize(
    "body",
    [b"", b"\n\n", b"a,b\n1,2\n", b"%PDF-1.7\n", "equipmentId,timestamp,value\n".encode("utf-16")],
    ids=["empty", "blank", "missing column", "pdf", "utf-16"],
)
async def test_a_file_that_cannot_be_read_fails_with_its_reason(
    api: httpx.AsyncClient, body: bytes
) -> None:
    answer = await api.post("/api/v1/imports", content=body, headers={"content-type": "text/csv"})
    job = await imported(api, answer.json()["id"])
    assert job["state"] == "failed"
    assert job["error"]


@pytest.mark.slow
async def test_an_import_is_cancelled_resumed_and_balances_each_time(
    api: httpx.AsyncClient,
) -> None:
    text = "equipmentId,timestamp,value\n" + "".join(
        f"CANCEL-{n % 7},2026-01-{1 + n // 86_400:02}T{n // 3_600 % 24:02}:{n // 60 % 60:02}:"
        f"{n % 60:02}Z,{n}\n"
        for n in range(1_500_000)
    )
    headers = {"content-type": "text/csv"}
    answer = await api.post("/api/v1/imports", content=text.encode(), headers=headers)
    path = f"/api/v1/imports/{answer.json()['id']}"
    assert (await api.delete(path)).status_code == 200
    job = await imported(api, answer.json()["id"])
    receipt = job["receipt"]
    assert job["state"] == "cancelled"
    assert receipt["received"] == receipt["accepted"] + receipt["rejected"] < 1_500_000
    assert (await api.post(f"{path}/resume")).status_code == 202
    job = await imported(api, answer.json()["id"])
    receipt = job["receipt"]
    assert (job["state"], receipt["accepted"], receipt["new"]) == ("done", 1_500_000, 1_500_000)
    assert (await api.post(f"{path}/resume")).status_code == 409


async def test_an_upload_that_is_not_one_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/imports", content=b"x", headers={"content-type": "image/png"})
    assert answer.status_code == 415
    answer = await api.post("/api/v1/imports", files={"other": b"x"})
    assert answer.status_code == 422
    headers = {"content-type": "text/csv"}
    answer = await api.post("/api/v1/imports?tz=Mars/Base", content=b"x", headers=headers)
    assert answer.status_code == 422
    answer = await api.post("/api/v1/imports?dry_run=perhaps", content=b"x", headers=headers)
    assert answer.status_code == 422
    answer = await api.post("/api/v1/imports?dryRun=true", content=b"x", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "dryRun"


async def test_every_answer_carries_the_security_headers_and_large_ones_are_compressed(
    api: httpx.AsyncClient,
) -> None:
    for path in ("/api/v1/averages", "/api/v1/nothing", "/", "/healthz", "/openapi.json"):
        headers = (await api.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
    answer = await api.get("/api/v1/averages")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "no-store"
    plain = await api.get("/api/v1/averages", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    names = [[item["equipmentId"] for item in one.json()["items"]] for one in (answer, plain)]
    assert names[0] == names[1]


async def test_wrong_tokens_are_slowed_down_and_right_ones_never_counted(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        async with httpx.AsyncClient(base_url=server.url) as browser:

            async def sign_in(token: str) -> int:
                return (await browser.post("/api/v1/session", json={"token": token})).status_code

            assert [await sign_in(TOKEN) for _ in range(12)] == [204] * 12
            assert [await sign_in("wrong") for _ in range(12)] == [401] * 10 + [429] * 2


async def test_metrics_and_status_tell_the_stages(api: httpx.AsyncClient) -> None:
    metrics = (await api.get("/metrics")).text
    assert "pipewatcher_committed_readings_total" in metrics
    for name in ("commit", "query"):
        counted = f'pipewatcher_{name}_seconds_bucket{{le="+Inf"}} '
        [line] = [line for line in metrics.splitlines() if line.startswith(counted)]
        assert float(line.removeprefix(counted)) > 0
    status = (await api.get("/api/v1/status")).json()
    stages = status["stages"]
    assert stages["received"] == stages["accepted"] + stages["rejected"]
    assert status["accepting"] is True
