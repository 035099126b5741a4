"""Prometheus's API over readings: Grafana's requests as its source makes them, and promtool."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials import made
from pipewatcher.client import Client
from server import AUTH, TOKEN, Server
from servers.promtool import promtool

pytestmark = pytest.mark.e2e

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STAMP = int(NOON.timestamp())
HOURS = 6
EACH_S = 20
API = "/prometheus/api/v1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Three sensors each 20 s for six hours, EQ-3 only in every other hour."""
    with Server(tmp_path_factory.mktemp("prometheus") / "data") as running:
        with Client(running.url, token=TOKEN, batch_readings=10_000) as client:
            client.write_all(
                (f"EQ-{n}", n * 100 + (s // EACH_S) % 7, NOON + timedelta(seconds=s))
                for s in range(0, HOURS * 3_600, EACH_S)
                for n in (1, 2, 3)
                if n < 3 or s // 3_600 % 2
            )
        for n, unit in ((1, "bar"), (2, "bar"), (3, "°C")):
            changes = {"unit": unit, "location": "North"}
            path = f"{running.url}/api/v1/sensors/EQ-{n}"
            until = time.monotonic() + 60
            # A sensor is registered a moment after its first reading is acknowledged.
            while httpx.patch(path, json=changes, headers=AUTH, timeout=60).status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.1)
        yield running


def by_form(server: Server, path: str, **fields: Any) -> httpx.Response:
    """As Grafana's back end asks: a form, unless it is told to use GET."""
    return httpx.post(f"{server.url}{API}{path}", data=fields, headers=AUTH, timeout=60)


def by_get(server: Server, path: str, **parameters: Any) -> httpx.Response:
    return httpx.get(f"{server.url}{API}{path}", params=parameters, headers=AUTH, timeout=60)


def data(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "success"
    return body["data"]


def chart(server: Server, name: str, bucket: str) -> list[dict[str, Any]]:
    asked = {
        "equipmentId": name,
        "start": NOON.isoformat(),
        "end": (NOON + timedelta(hours=HOURS)).isoformat(),
        "bucket": bucket,
    }
    answer = httpx.get(f"{server.url}/api/v1/series", params=asked, headers=AUTH, timeout=60)
    buckets: list[dict[str, Any]] = answer.json()["items"][0]["buckets"]
    return buckets


def test_save_and_test_of_grafana_succeeds(server: Server) -> None:
    """Its health check asks for 1+1 at the instant 4, then what it speaks to."""
    assert data(by_form(server, "/query", query="1+1", time="4")) == {
        "resultType": "scalar",
        "result": [4.0, "2"],
    }
    assert data(by_get(server, "/status/buildinfo"))["version"]
    [told] = data(by_get(server, "/metadata", limit=40_000))["pipewatcher_reading"]
    assert told["type"] == "gauge"


@pytest.mark.parametrize("width_s", [60, 900, 3_600])
def test_a_panel_shows_the_buckets_of_our_own_chart_to_the_last_bit(
    server: Server, width_s: int
) -> None:
    """`$__interval` as Grafana writes it out; start and end are multiples of the step."""
    width = f"{width_s // 60}m"
    for function, name in (("avg", "mean"), ("min", "min"), ("max", "max"), ("count", "count")):
        found = data(
            by_form(
                server,
                "/query_range",
                query=f'{function}_over_time(pipewatcher_reading{{equipmentId=~"EQ-1|EQ-3"}}[{width}])',
                start=str(STAMP),
                end=str(STAMP + HOURS * 3_600),
                step=str(width_s),
            )
        )
        assert found["resultType"] == "matrix"
        for line in found["result"]:
            assert line["metric"]["location"] == "North"
            shown = {at: float(value) for at, value in line["values"]}
            # A bucket's point stands at its end.
            assert shown == {
                datetime.fromisoformat(bucket["start"]).timestamp() + width_s: bucket[name]
                for bucket in chart(server, line["metric"]["equipmentId"], f"{width_s}s")
            }
        assert len(found["result"]) == 2


def test_a_table_shows_the_means_of_our_own_page(server: Server) -> None:
    until = NOON + timedelta(hours=HOURS)
    found = data(
        by_form(
            server,
            "/query",
            query="avg_over_time(pipewatcher_reading[6h])",
            time=f"{until.timestamp()}",
        )
    )
    assert found["resultType"] == "vector"
    shown = {row["metric"]["equipmentId"]: float(row["value"][1]) for row in found["result"]}
    asked = {"window": "6h", "until": until.isoformat()}
    answer = httpx.get(f"{server.url}/api/v1/averages", params=asked, headers=AUTH, timeout=60)
    assert shown == {item["equipmentId"]: item["mean"] for item in answer.json()["items"]}
    assert len(shown) == 3


def test_a_gap_is_a_gap_and_a_value_stands_no_longer_than_it_may(server: Server) -> None:
    fields = {"start": STAMP, "end": STAMP + 2 * 3_600, "step": 60}
    query = 'pipewatcher_reading{equipmentId="EQ-3"}'
    [line] = data(by_form(server, "/query_range", query=query, **fields))["result"]
    assert line["metric"]["__name__"] == "pipewatcher_reading"
    times = [at for at, _ in line["values"]]
    # Its first hour is empty; 7,180 s is its last reading and stands for a minute at least.
    assert times == [STAMP + s for s in range(3_600, 2 * 3_600 + 1, 60)]
    by_unit = data(by_form(server, "/query_range", query=f"avg by (unit) ({query})", **fields))
    assert [line["metric"] for line in by_unit["result"]] == [{"unit": "°C"}]


def test_the_query_builder_finds_metric_labels_and_values(server: Server) -> None:
    window = {"start": STAMP, "end": STAMP + 60}
    assert data(by_get(server, "/label/__name__/values", limit=40_000, **window)) == [
        "pipewatcher_reading"
    ]
    names = ["__name__", "equipmentId", "location", "unit"]
    match = {"match[]": '{__name__="pipewatcher_reading"}'}
    assert data(by_form(server, "/labels", limit=40_000, **window)) == names
    assert data(by_get(server, "/labels", **match, **window)) == names
    asked = {"match[]": 'pipewatcher_reading{unit="bar"}'}
    assert data(by_get(server, "/label/equipmentId/values", **asked)) == ["EQ-1", "EQ-2"]
    assert data(by_get(server, "/label/equipmentId/values", limit=1)) == ["EQ-1"]
    assert data(by_get(server, "/label/nothing/values")) == []
    [first] = data(by_form(server, "/series", limit=1, **asked))
    assert (first["equipmentId"], first["unit"]) == ("EQ-1", "bar")
    several = {"match[]": ['{unit="°C"}', '{equipmentId="EQ-1"}']}
    assert len(data(by_get(server, "/series", **several))) == 2


def test_why_a_query_has_no_answer_is_said_as_grafana_shows_it(server: Server) -> None:
    for path, fields, status, why in [
        ("/query", {"query": "rate(pipewatcher_reading[5m])"}, 400, "`rate` is not offered"),
        ("/query", {"time": 1}, 400, "query is missing"),
        ("/query", {"query": "1", "time": "yesterday"}, 400, "time must be"),
        ("/query", {"query": "1", "time": "9" * 15}, 400, "time is too far"),
        ("/query_range", {"query": "1", "start": 1, "end": 2, "step": 0}, 400, "longer than zero"),
        ("/query_range", {"query": "1", "start": 2, "end": 1, "step": 1}, 400, "before start"),
        ("/query_range", {"query": "1", "start": 1, "end": 1e6, "step": 1}, 422, "11000 points"),
        ("/series", {"match[]": "1+1"}, 400, "match[] must be a selector"),
        ("/series", {"limit": "x"}, 400, "limit must be"),
    ]:
        for ask in (by_form, by_get):
            answer = ask(server, path, **fields)
            assert answer.status_code == status, (path, fields, answer.text)
            body = answer.json()
            assert body["status"] == "error"
            assert body["errorType"] == ("bad_data" if status == 400 else "execution")
            assert why in body["error"]
    long = by_get(server, f"/label/{'a' * 201}/values")
    assert (long.status_code, long.json()["status"]) == (422, "error")
    url = f"{server.url}{API}/query"
    huge = httpx.post(url, data={"query": "1" * 70_000}, headers=AUTH, timeout=60)
    assert huge.status_code == 413
    json = httpx.post(url, json={"query": "1"}, headers=AUTH, timeout=60)
    assert (json.status_code, json.json()["errorType"]) == (400, "bad_data")


def test_only_who_may_read_is_answered_by_bearer_or_basic(server: Server) -> None:
    viewer = made(server, name="grafana", role="viewer")["token"]
    device = made(server, name="edge", role="device")["token"]
    for token, status in ((viewer, 200), (device, 403), (f"{viewer}0", 401)):
        basic = base64.b64encode(f"grafana:{token}".encode()).decode()
        for shown in (f"Bearer {token}", f"Basic {basic}"):
            answer = httpx.get(
                f"{server.url}{API}/query",
                params={"query": "1"},
                headers={"authorization": shown},
                timeout=60,
            )
            assert answer.status_code == status
            assert token not in answer.text
    basic = base64.b64encode(f"x:{viewer}".encode()).decode()
    elsewhere = httpx.get(
        f"{server.url}/api/v1/sensors", headers={"authorization": f"Basic {basic}"}, timeout=60
    )
    assert elsewhere.status_code == 401


@pytest.mark.promtool
def test_prometheus_own_client_reads_it(server: Server, tmp_path: Path) -> None:
    address = server.url.replace("//", f"//any:{TOKEN}@") + "/prometheus"
    at = f"{(NOON + timedelta(hours=HOURS)).isoformat()}"
    query = "max by (unit) (max_over_time(pipewatcher_reading[6h]))"
    told = promtool("query", "instant", f"--time={at}", address, query)
    assert sorted(line.split(" @")[0] for line in told.splitlines()) == [
        '{unit="bar"} => 206',
        '{unit="°C"} => 306',
    ]
    ranged = promtool(
        "query", "range", f"--start={STAMP}", f"--end={STAMP + 3_600}", "--step=30m", address,
        'count_over_time({equipmentId="EQ-1"}[30m])',
    )  # fmt: skip
    assert f"90 @[{STAMP + 1_800}]\n90 @[{STAMP + 3_600}]" in ranged
    series = promtool("query", "series", '--match={unit="bar"}', address)
    assert len(series.splitlines()) == 2
    assert promtool("query", "labels", address, "unit").split() == ["bar", "°C"]
