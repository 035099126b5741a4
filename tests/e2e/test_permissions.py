"""Every route of OpenAPI, asked as nobody, with every kind of bad credential and as every role.

A new route fails here until it has a line in the table of `pipewatcher.identity.roles`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials import Credentials, all_credentials, bearer, made, until_refused
from pipewatcher.identity.roles import ADMINISTER, OPERATE, PERMISSIONS, READ, ROLES, WRITE_READINGS
from server import AUTH, Server

pytestmark = pytest.mark.e2e

METHODS = {"get", "post", "put", "patch", "delete"}
OPEN_PAGES = ["/", "/docs", "/openapi.json"]
REFUSED = {401, 403}
CLIENT = httpx.Client(timeout=20)
"""Making one takes longer than most answers."""


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Credentials]:
    with Server(tmp_path_factory.mktemp("permissions") / "data") as server:
        yield all_credentials(server)


def routes(server: Server) -> list[str]:
    document = httpx.get(f"{server.url}/openapi.json").json()
    return [
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations.keys() & METHODS
    ]


def ask(server: Server, route: str, headers: dict[str, str]) -> int:
    """Bodies are left out and ids do not exist: only whether one may is asked for."""
    method, path = route.split(" ")
    path = re.sub(r"\{[^}]*\}", "987654321", path)
    with CLIENT.stream(method, server.url + path, headers=headers) as answer:
        CLIENT.cookies.clear()
        return answer.status_code


def test_every_route_has_a_line_in_the_table_of_permissions(credentials: Credentials) -> None:
    there = set(routes(credentials.server))
    missing = sorted(there - PERMISSIONS.keys())
    assert not missing, (
        f"nobody may use {missing}: give each a line in _TABLE of pipewatcher/identity/roles.py"
    )
    assert sorted(PERMISSIONS.keys() - there) == []


def test_no_route_but_the_open_ones_takes_a_bad_credential(credentials: Credentials) -> None:
    for route in routes(credentials.server):
        for kind, headers in credentials.bad.items():
            status = ask(credentials.server, route, headers)
            if PERMISSIONS[route] is None:
                assert status not in REFUSED or route == "POST /api/v1/session", (route, kind)
            else:
                assert status == 401, (route, kind)


def test_each_role_may_what_the_table_says_and_nothing_else(credentials: Credentials) -> None:
    for route in routes(credentials.server):
        roles = PERMISSIONS[route]
        if roles is None:
            continue
        for role in ROLES:
            status = ask(credentials.server, route, credentials.good[role])
            if role in roles:
                assert status not in REFUSED, (route, role)
                assert status < 500, (route, role)
            else:
                assert status == 403, (route, role)


def test_a_session_may_what_its_role_may_but_never_sends_readings(
    credentials: Credentials,
) -> None:
    for route in sorted(routes(credentials.server)):
        roles = PERMISSIONS[route]
        if roles is None or route == "DELETE /api/v1/session":
            continue
        for role, cookie in credentials.cookies.items():
            status = ask(credentials.server, route, {"cookie": cookie})
            if roles == WRITE_READINGS:
                assert status == 401, role
            elif role in roles:
                assert status not in REFUSED, (route, role)
            else:
                assert status == 403, (route, role)


def test_the_page_itself_is_open_and_holds_nothing(credentials: Credentials) -> None:
    for path in OPEN_PAGES:
        assert httpx.get(credentials.server.url + path).status_code == 200, path


def test_a_role_that_may_more_may_all_that_the_one_below_may() -> None:
    assert READ >= OPERATE >= ADMINISTER


def test_a_wrong_method_or_a_path_that_is_not_there_tells_nothing(
    credentials: Credentials,
) -> None:
    for route, status in {
        "PUT /api/v1/tokens": 405,
        "GET /api/v1/nothing": 404,
        "POST /api/v1/tokens/1": 405,
    }.items():
        assert ask(credentials.server, route, {}) == status, route


def readings(server: Server, headers: dict[str, str], body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/api/v1/readings", json=body, headers=headers)


def a_reading(equipment_id: str) -> dict[str, Any]:
    return {"equipmentId": equipment_id, "timestamp": "2026-01-01T00:00:00Z", "value": 1.5}


@pytest.mark.parametrize("many", [1, 100])
def test_a_token_writes_its_own_sensors_and_no_other(credentials: Credentials, many: int) -> None:
    server = credentials.server
    headers = bearer(
        made(
            server,
            name=f"scoped-{many}",
            role="device",
            writesPrefix="A-",
            equipmentIds=["B-1", "C-1"],
        )
    )
    for mine in ("A-", "A-7", "B-1", "C-1"):
        assert readings(server, headers, a_reading(mine)).status_code == 204
    for other in ("B-2", "a-7", "XA-", "B-11"):
        refused = readings(server, headers, a_reading(other))
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    mixed = [a_reading(f"A-{n}") for n in range(many)] + [a_reading("B-2")]
    receipt = readings(server, headers, mixed)
    assert receipt.status_code == 207
    assert (receipt.json()["accepted"], receipt.json()["rejected"]) == (many, 1)
    [error] = receipt.json()["errors"]
    assert (error["index"], error["code"]) == (many, "not_allowed")
    assert readings(server, headers, [a_reading("B-2")]).status_code == 422


def test_a_token_over_its_rate_is_told_when_to_come_back(credentials: Credentials) -> None:
    server = credentials.server
    headers = bearer(made(server, name="slow", role="device", requestsPerSecond=2))
    answers = [readings(server, headers, a_reading("R-1")) for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code != 204]
    assert refused
    assert {answer.status_code for answer in refused} == {429}
    assert refused[0].json()["code"] == "rate_exceeded"
    time.sleep(int(refused[0].headers["retry-after"]))
    assert readings(server, headers, a_reading("R-1")).status_code == 204
    others = [readings(server, AUTH, a_reading("R-1")) for _ in range(5)]
    assert {answer.status_code for answer in others} == {204}


def test_a_rotated_token_goes_on_for_its_overlap_and_its_use_is_seen(
    credentials: Credentials,
) -> None:
    server = credentials.server
    before = made(server, name="rotating", role="device")
    url = f"{server.url}/api/v1/tokens"
    after = httpx.post(
        f"{url}/{before['id']}/rotate", json={"overlapSeconds": 5}, headers=AUTH
    ).json()
    for token in (before, after):
        assert readings(server, bearer(token), a_reading("T-1")).status_code == 204
    items = httpx.get(url, headers=AUTH).json()["items"]
    [shown] = [item for item in items if item["name"] == "rotating"]
    assert shown["lastUsed"] is not None
    assert "token" not in shown
    assert after["token"] not in httpx.get(url, headers=AUTH).text
    until_refused(server, bearer(before))
    assert readings(server, bearer(before), a_reading("T-1")).status_code == 401
    assert readings(server, bearer(after), a_reading("T-1")).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "", "role": "device"},
        {"name": "a b", "role": "device"},
        {"name": "x" * 65, "role": "device"},
        {"name": "x", "role": "root"},
        {"name": "x", "role": "device", "unknown": 1},
        {"name": "x", "role": "device", "expires": "tomorrow"},
        {"name": "x", "role": "device", "expires": "2020-01-01T00:00:00Z"},
        {"name": "x", "role": "device", "requestsPerSecond": 0},
        {"name": "x", "role": "device", "equipmentIds": []},
        {"name": "x", "role": "device", "equipmentIds": ["a b"]},
        {"name": "x", "role": "viewer", "writesPrefix": "EQ-"},
    ],
)
def test_a_token_that_makes_no_sense_is_refused_by_name(
    credentials: Credentials, body: dict[str, Any]
) -> None:
    answer = httpx.post(f"{credentials.server.url}/api/v1/tokens", json=body, headers=AUTH)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_a_name_is_given_once(credentials: Credentials) -> None:
    made(credentials.server, name="twice", role="device")
    url = f"{credentials.server.url}/api/v1/tokens"
    again = httpx.post(url, json={"name": "twice", "role": "viewer"}, headers=AUTH)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_session_ends_with_the_token_that_it_was_opened_with(
    tmp_path: Path, credentials: Credentials
) -> None:
    server = credentials.server
    token = made(server, name="wall", role="viewer")
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/api/v1/session", json={"token": token["token"]})
        assert browser.get("/api/v1/averages").status_code == 200
        httpx.delete(f"{server.url}/api/v1/tokens/{token['id']}", headers=AUTH)
        assert browser.get("/api/v1/averages").status_code == 401


def test_every_change_is_recorded_searched_exported_and_verified(credentials: Credentials) -> None:
    server = credentials.server
    with httpx.Client(base_url=server.url, headers=AUTH) as admin:
        token = made(server, name="watched", role="device")
        admin.delete(f"/api/v1/tokens/{token['id']}")
        page = admin.get("/api/v1/audit", params={"q": "token:WATCHED"}).json()
        revoked, created = page["items"]
        assert (created["action"], revoked["action"]) == ("token.create", "token.revoke")
        assert created["actor"] == "admin"
        assert created["by"] == "token"
        assert created["address"] == "127.0.0.1"
        assert (created["before"], created["after"]["role"]) == (None, "device")
        assert (revoked["before"]["role"], revoked["after"]) == ("device", None)
        assert token["token"] not in admin.get("/api/v1/audit?limit=1000").text
        csv = admin.get("/api/v1/audit", params={"q": "watched"}, headers={"accept": "text/csv"})
        assert csv.headers["content-type"].startswith("text/csv")
        assert len(csv.text.splitlines()) == 3
        verified = admin.get("/api/v1/audit/verify").json()
        assert verified["brokenAt"] is None
        newest = admin.get("/api/v1/audit?limit=1").json()
        assert (verified["entries"], verified["head"]) == (
            newest["items"][0]["id"],
            newest["items"][0]["sha256"],
        )
        older = admin.get(f"/api/v1/audit?limit=1&cursor={newest['nextCursor']}").json()
        assert older["items"][0]["id"] == newest["items"][0]["id"] - 1
