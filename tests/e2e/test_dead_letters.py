"""Dead letters of a real server: read, mended, sent again, thrown away."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contract.registry_dead_letters_suite import a_letter
from pipewatcher.model.readings import DeadLetter
from pipewatcher.registry.sqlite import SQLiteRegistry
from server import Server
from servers.influxdb import InfluxDB

pytestmark = pytest.mark.e2e
NOON = "2026-01-31T12:00:00Z"
URL = "/api/v1/dead-letters"


def reading(equipment_id: str, value: object = 21.5) -> dict[str, object]:
    return {"equipmentId": equipment_id, "value": value, "timestamp": NOON}


def of_payload(payload: object, **changes: object) -> DeadLetter:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    changes = {"topic": "plant/readings", **changes}
    return a_letter("why", payload=body, payload_bytes=len(body), **changes)


LETTERS = {
    "broken": of_payload(b'{"equipmentId": "D-1", "value": 1'),
    "cut": msgspec.structs.replace(of_payload([reading("D-2")]), payload_bytes=90_000),
    "bytes": of_payload(b"\xff\xfe", door="mqtt-broker"),
    "partly": of_payload([reading("D-3"), reading("D-3", "x"), reading("D-4"), reading("D-4", 0)]),
    "topic": of_payload(
        b'{"value": 7, "timestamp": "%b"}' % NOON.encode(), topic="plant/D 5/value"
    ),
    "good": of_payload(reading("D-6"), door="store", topic=""),
    "gone": of_payload(b"x"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("letters") / "data"

    async def bury() -> None:
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        await registry.add_dead_letters(list(LETTERS.values()))
        await registry.close()

    asyncio.run(bury())
    with Server(folder) as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


def url(name: str) -> str:
    return f"{URL}/{list(LETTERS).index(name) + 1}"


async def stored(api: httpx.AsyncClient, equipment_id: str) -> list[tuple[float, str]]:
    answer = await api.get(
        "/api/v1/readings",
        params={
            "equipmentId": equipment_id,
            "start": "2026-01-01T00:00:00Z",
            "end": NOON[:-1] + ".001Z",
        },
    )
    return [(item["value"], item["origin"]) for item in answer.json()["items"]]


async def test_letters_are_listed_by_page_door_and_text(api: httpx.AsyncClient) -> None:
    first = (await api.get(URL, params={"limit": 3})).json()
    second = (await api.get(URL, params={"limit": 100, "cursor": first["nextCursor"]})).json()
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), second["nextCursor"]) == (first["total"], None)
    broker = (await api.get(URL, params={"door": "mqtt-broker"})).json()
    assert [base64.b64decode(item["payloadBase64"]) for item in broker["items"]] == [b"\xff\xfe"]
    assert broker["items"][0]["payload"] is None
    named = (await api.get(URL, params={"q": "D 5"})).json()
    assert [item["topic"] for item in named["items"]] == ["plant/D 5/value"]


async def test_a_mended_letter_is_stored_once_and_goes(api: httpx.AsyncClient) -> None:
    refused = await api.post(f"{url('broken')}/replay")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "malformed"
    stays = (await api.get(url("broken"))).json()
    assert "not JSON" in stays["reason"]
    wrong = await api.put(url("broken"), json={"payload": json.dumps(reading("D-1", None))})
    assert wrong.json()["errors"][0]["field"] == "value"
    mended = await api.put(url("broken"), json={"payload": json.dumps(reading("D-1"))})
    assert (mended.json()["errors"], mended.json()["editedBy"]) == ([], "admin")
    assert await stored(api, "D-1") == []
    assert (await api.post(f"{url('broken')}/replay")).json() == {
        "received": 1,
        "accepted": 1,
        "rejected": 0,
        "errors": [],
    }
    assert await stored(api, "D-1") == [(21.5, "replay:admin")]
    assert (await api.get(url("broken"))).status_code == 404
    assert (await api.post(f"{url('broken')}/replay")).status_code == 404


async def test_a_cut_payload_is_not_sent_before_it_is_mended(api: httpx.AsyncClient) -> None:
    assert (await api.get(url("cut"))).json()["cut"] is True
    refused = await api.post(f"{url('cut')}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await api.put(url("cut"), json={"payload": json.dumps(reading("D-2"))})).is_success
    assert (await api.post(f"{url('cut')}/replay")).status_code == 200


async def test_of_many_the_good_are_stored_and_the_letter_keeps_the_rest(
    api: httpx.AsyncClient,
) -> None:
    answer = await api.post(f"{url('partly')}/replay")
    assert answer.status_code == 207
    assert {key: answer.json()[key] for key in ("received", "accepted", "rejected")} == {
        "received": 4,
        "accepted": 3,
        "rejected": 1,
    }
    assert answer.json()["errors"][0]["index"] == 1
    left = (await api.get(url("partly"))).json()
    assert json.loads(left["payload"]) == [reading("D-3", "x")]
    assert left["errors"][0]["index"] == 0


async def test_a_topic_is_mended_too(api: httpx.AsyncClient) -> None:
    letter = (await api.get(url("topic"))).json()
    body = {"payload": letter["payload"], "topic": "plant/D-5/value"}
    assert (await api.put(url("topic"), json=body)).json()["errors"] == []
    assert (await api.post(f"{url('topic')}/replay")).status_code == 200
    assert await stored(api, "D-5") == [(7.0, "replay:admin")]


async def test_a_letter_is_thrown_away(api: httpx.AsyncClient) -> None:
    assert (await api.delete(url("gone"))).status_code == 204
    assert (await api.delete(url("gone"))).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"payload": "x", "payloadBase64": "eA=="}, 422),
        ({"payloadBase64": "*"}, 422),
        ({"payload": 5}, 422),
        ({"payload": "x", "door": "mqtt"}, 422),
        ({"payload": "x", "topic": "t" * 1_025}, 422),
        ({"payload": "x" * 65_537}, 413),
        ({"payload": "x" * 600_000}, 413),
        (b'{"payload": "\\ud800"}', 422),
        (b"{", 400),
    ],
)
async def test_an_edit_that_is_none_is_refused(
    api: httpx.AsyncClient, body: Any, status: int
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await api.put(
        url("good"), content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("params", [{"door": "x"}, {"limit": 0}, {"limit": 101}, {"cursor": "x"}])
async def test_a_wrong_question_is_refused(api: httpx.AsyncClient, params: Any) -> None:
    assert (await api.get(URL, params=params)).status_code == 422


@pytest.mark.influxdb
async def test_what_the_store_refuses_is_a_letter_that_can_be_mended(tmp_path: Path) -> None:
    with InfluxDB(tmp_path / "influxdb") as influxdb:
        url = influxdb.url("letters")
        with Server(tmp_path / "data", readings=url) as server:
            async with server.client() as api:
                # InfluxDB's time begins in 1677.
                old = {**reading("S-1"), "timestamp": "1600-01-01T00:00:00.123456Z"}
                assert (await api.post("/api/v1/readings", json=old)).status_code == 204
                until = time.monotonic() + 30
                while not (letters := (await api.get(URL)).json()["items"]):
                    assert time.monotonic() < until
                    await asyncio.sleep(0.1)
                (letter,) = letters
                assert (letter["door"], letter["client"]) == ("store", "http:admin")
                assert json.loads(letter["payload"]) == old
                mended = json.dumps(reading("S-1"))
                await api.put(f"{URL}/{letter['id']}", json={"payload": mended})
                assert (await api.post(f"{URL}/{letter['id']}/replay")).status_code == 200
                assert await stored(api, "S-1") == [(21.5, "replay:admin")]
                assert (await api.get(URL)).json()["total"] == 0


async def test_status_and_metrics_count_the_letters(api: httpx.AsyncClient) -> None:
    assert set((await api.get("/api/v1/status")).json()["deadLetters"]) == {
        "kept",
        "bytes",
        "dropped",
    }
    metrics = (await api.get("/metrics")).text
    assert "pipewatcher_dead_letters_dropped_total 0.0" in metrics
