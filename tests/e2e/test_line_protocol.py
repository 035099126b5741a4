"""InfluxDB's official clients, and requests as Telegraf makes them, on a real server."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import influxdb
import influxdb_client
import pytest
from influxdb.exceptions import InfluxDBClientError
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from credentials import made
from server import AUTH, TOKEN, Server

pytestmark = pytest.mark.e2e

NOON = "2026-01-31T12:00:00.000Z"
STAMP = int(datetime.fromisoformat(NOON).timestamp())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("lines") / "data") as running:
        yield running


def stored(server: Server, equipment_id: str) -> list[tuple[str, float, str]]:
    asked = {
        "equipmentId": equipment_id,
        "start": "2026-01-01T00:00:00Z",
        "end": "2027-06-01T00:00:00Z",
    }
    answer = httpx.get(f"{server.url}/api/v1/readings", params=asked, headers=AUTH)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    return [(item["timestamp"], item["value"], item["origin"]) for item in items]


def write(
    server: Server, lines: str | bytes, path: str = "/write?precision=s", **headers: str
) -> httpx.Response:
    shown = {"authorization": f"Token {TOKEN}"} | headers
    return httpx.post(f"{server.url}{path}", content=lines, headers=shown)


def test_the_client_of_influxdb_1_writes_and_pings(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    client = influxdb.InfluxDBClient("127.0.0.1", port, "any", TOKEN, "plant")
    assert client.ping() == "PipeWatcher"
    tags = {"equipmentId": "V1-1"}
    points = [
        {"measurement": "pump", "tags": tags, "time": NOON, "fields": {"value": 1.5, "rpm": 900}},
        {"measurement": "level", "tags": {"tank": "T1"}, "time": NOON, "fields": {"m": 2}},
    ]
    assert client.write_points(points, time_precision="ms")
    assert [reading[1] for reading in stored(server, "V1-1")] == [1.5]
    assert [reading[1] for reading in stored(server, "V1-1:rpm")] == [900.0]
    assert stored(server, "level:tank=T1:m") == [(NOON, 2.0, "line-protocol:admin")]
    client.close()


def test_the_client_of_influxdb_2_writes_and_is_told_what_was_refused(server: Server) -> None:
    with influxdb_client.InfluxDBClient(server.url, TOKEN, org="-", enable_gzip=True) as client:
        assert client.ping()
        api = client.write_api(write_options=SYNCHRONOUS)
        when = datetime.fromisoformat(NOON)
        good = influxdb_client.Point("pump").tag("equipmentId", "V2-1").field("value", 7).time(when)
        api.write("plant", record=[good])
        assert stored(server, "V2-1") == [(NOON, 7.0, "line-protocol:admin")]
        bad = influxdb_client.Point("pump").tag("equipmentId", "V2-2").field("value", "x")
        with pytest.raises(ApiException) as refused:
            api.write("plant", record=[good, bad])
        assert refused.value.status == 400
        assert "partial write: 1 of 2 readings were refused; line 2, value" in str(refused.value)


def test_a_wrong_token_is_refused_to_both_clients(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    client = influxdb.InfluxDBClient("127.0.0.1", port, "any", "pw_wrong", "plant")
    with pytest.raises(InfluxDBClientError) as refused:
        client.write_points(["pump value=1"], protocol="line")
    assert refused.value.code == 401
    client.close()
    with influxdb_client.InfluxDBClient(server.url, "pw_wrong", org="-") as newer:
        api = newer.write_api(write_options=SYNCHRONOUS)
        with pytest.raises(ApiException) as denied:
            api.write("plant", record="pump value=1")
        assert denied.value.status == 401


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        ("/write", "Token {}"),
        ("/write", "Bearer {}"),
        ("/api/v2/write", "token any:{}"),
        ("/api/v2/write", "Basic {}"),
        ("/write?u=any&p={}&db=plant", ""),
    ],
)
def test_a_token_counts_wherever_clients_put_it(
    server: Server, path: str, authorization: str
) -> None:
    for token, status in ((TOKEN, 204), (f"{TOKEN}0", 401)):
        encoded = base64.b64encode(f"any:{token}".encode()).decode()
        shown = authorization.format(encoded if "Basic" in authorization else token)
        headers = {"authorization": shown} if shown else {}
        url = server.url + path.format(token)
        answer = httpx.post(url, content=b"who value=1", headers=headers)
        assert answer.status_code == status, answer.text
        assert token not in answer.text
    assert TOKEN not in server.output()


def test_good_lines_are_kept_and_the_others_named(server: Server) -> None:
    answer = write(server, f"a,equipmentId=P-1 value=1 {STAMP}\nb value=x\nc value\n")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "lines_refused")
    assert (body["received"], body["accepted"], body["rejected"]) == (3, 1, 2)
    assert [(one["line"], one["field"]) for one in body["errors"]] == [(2, "value"), (3, "")]
    assert body["error"] == body["message"] == answer.headers["x-influxdb-error"]
    assert body["error"].startswith("partial write: ")
    assert [reading[1] for reading in stored(server, "P-1")] == [1.0]
    none = write(server, "b value=x").json()
    assert none["error"].startswith("unable to parse: ")


def test_a_token_writes_its_own_sensors_and_no_other(server: Server) -> None:
    token = made(server, name="edge", role="device", writesPrefix="A-")["token"]
    lines = f"x,equipmentId=A-1 value=1,rpm=2 {STAMP}\nx,equipmentId=B-1 value=1 {STAMP}"
    answer = write(server, lines, authorization=f"Token {token}")
    assert answer.status_code == 400
    assert [(e["line"], e["code"]) for e in answer.json()["errors"]] == [(2, "not_allowed")]
    assert stored(server, "A-1")[0][2] == "line-protocol:edge"
    assert stored(server, "A-1:rpm")
    viewer = made(server, name="reader", role="viewer")["token"]
    assert write(server, lines, authorization=f"Token {viewer}").status_code == 403


def test_gzip_precision_and_the_limits_are_those_of_the_other_doors(server: Server) -> None:
    lines = "".join(f"z,equipmentId=Z-{n} value={n} {STAMP * 1000}\n" for n in range(20_000))
    body = gzip.compress(lines.encode())
    path = "/api/v2/write?precision=ms"
    assert write(server, body, path, **{"content-encoding": "gzip"}).status_code == 204
    assert [reading[:2] for reading in stored(server, "Z-19999")] == [(NOON, 19999.0)]
    assert write(server, body, path).status_code == 400
    assert write(server, b"x", path, **{"content-encoding": "br"}).status_code == 415
    assert write(server, b"x", path, **{"content-encoding": "gzip"}).status_code == 400
    assert write(server, b"x value=1", "/write?precision=d").status_code == 400
    assert write(server, b" " * (16 * 2**20 + 1)).status_code == 413
    assert write(server, b"").status_code == 204


def test_a_line_without_a_timestamp_is_of_now_and_says_so(server: Server) -> None:
    before = time.time()
    assert write(server, "now,equipmentId=NOW-1 value=1").status_code == 204
    [(timestamp, _, origin)] = stored(server, "NOW-1")
    assert before - 1 <= datetime.fromisoformat(timestamp).timestamp() <= time.time() + 1
    assert origin == "line-protocol:admin+received-time"


def test_ping_answers_anybody_and_tells_nothing(server: Server) -> None:
    for method in ("GET", "HEAD"):
        answer = httpx.request(method, f"{server.url}/ping")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["x-influxdb-version"] == "PipeWatcher"


def test_the_door_has_its_line_in_the_balance_and_survives_a_kill(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        for n in range(50):
            line = f"k,equipmentId=K-{n} value={n} {STAMP}"
            assert write(server, line).status_code == 204
        server.kill()
        server.start()
        [door] = [one for one in balance(server)["doors"] if one["door"] == "line-protocol"]
        assert door["stored"] == 50
        assert balance(server)["difference"] == 0
        assert [reading[1] for reading in stored(server, "K-49")] == [49.0]


def balance(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/api/v1/status", headers=AUTH).json()["balance"]
    return found
