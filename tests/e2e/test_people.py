"""People at a real server: the first link, cookies, other sites, limits, and the flood."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from server import AUTH, TOKEN, Server

pytestmark = pytest.mark.e2e
PASSWORD = "several words in a row"
SESSION = "/api/v1/session"


def invited(server: Server, role: str = "admin") -> str:
    answer = httpx.post(f"{server.url}/api/v1/users/invitations", json={"role": role}, headers=AUTH)
    assert answer.status_code == 201
    path: str = answer.json()["path"]
    assert path.startswith("/welcome#pwi_")
    return path.partition("#")[2]


@contextmanager
def joined(server: Server, name: str, role: str = "admin") -> Iterator[httpx.Client]:
    body = {"invitation": invited(server, role), "name": name, "password": PASSWORD}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        answer = client.post("/api/v1/users/invitations/accept", json=body)
        assert answer.status_code == 204, answer.text
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("people") / "data") as server:
        yield server


def test_the_first_start_prints_a_link_that_lets_the_first_admin_in(tmp_path: Path) -> None:
    known = {k: v for k, v in os.environ.items() if not k.startswith("PIPEWATCHER_")}
    settings = {"DATA_DIR": str(tmp_path), "HTTP_PORT": "0", "MQTT_PORT": "off"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipewatcher", "serve"],
        env={**known, **{f"PIPEWATCHER_{name}": text for name, text in settings.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        link = re.search(r"(http://\S+)/welcome#(pwi_\w+)", "".join(lines))
        token = re.search(r"Admin token .*: (pw_\w+)", "".join(lines))
        assert link is not None
        assert token is not None
        for _ in range(100):
            try:
                httpx.get(f"{link[1]}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        body = {"invitation": link[2], "name": "anna", "password": PASSWORD}
        with httpx.Client(base_url=link[1]) as browser:
            accept = "/api/v1/users/invitations/accept"
            assert browser.post(accept, json=body).status_code == 204
            assert browser.get(SESSION).json()["role"] == "admin"
            assert browser.post(accept, json={**body, "name": "eve"}).status_code == 404
        bearer = {"authorization": f"Bearer {token[1]}"}
        assert httpx.get(f"{link[1]}{SESSION}", headers=bearer).status_code == 200
    finally:
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(server: Server) -> None:
    with joined(server, "cookies") as client:
        answer = client.post(SESSION, json={"name": "COOKIES", "password": PASSWORD})
        for cookie in answer.headers.get_list("set-cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert "Path=/" in cookie
            assert "Domain" not in cookie
        for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
                        {"origin": "https://evil.example"}):  # fmt: skip
            forged = client.delete(SESSION, headers=headers)
            assert forged.status_code == 403
            login = {"name": "cookies", "password": PASSWORD}
            assert client.post(SESSION, json=login, headers=headers).status_code == 403
        assert client.get(SESSION).status_code == 200


def test_roles_of_people_hold_and_what_an_admin_does_counts_within_a_second(
    server: Server,
) -> None:
    with joined(server, "boss") as boss, joined(server, "vic", "viewer") as vic:
        assert vic.get("/api/v1/users").status_code == 403
        page = boss.get("/api/v1/users").json()
        ids = {item["name"]: item["id"] for item in page["items"]}
        assert "password" not in str(page)
        user = f"/api/v1/users/{ids['vic']}"
        assert boss.patch(user, json={"role": "operator"}).json()["role"] == "operator"
        time.sleep(0.6)
        assert vic.get(SESSION).json()["role"] == "operator"
        assert boss.patch(user, json={"disabled": True}).status_code == 200
        time.sleep(0.6)
        assert vic.get(SESSION).status_code == 401
        refused = vic.post(SESSION, json={"name": "vic", "password": PASSWORD})
        assert refused.status_code == 401
        mine = f"/api/v1/users/{ids['boss']}"
        assert boss.delete(mine).status_code == 409
        assert boss.patch(mine, json={"role": "viewer"}).status_code == 409
        assert boss.delete(user).status_code == 204
        assert boss.delete(user).status_code == 404
        actions = [e["action"] for e in boss.get("/api/v1/audit?q=vic").json()["items"]]
        assert actions[:3] == ["person.remove", "person.change", "person.change"]


def test_own_sessions_are_listed_and_ended_and_a_new_password_ends_the_others(
    server: Server,
) -> None:
    with joined(server, "sam") as here, httpx.Client(base_url=server.url) as there:
        login = {"name": "sam", "password": PASSWORD}
        assert there.post(SESSION, json=login).status_code == 204
        items = here.get(f"{SESSION}/all").json()["items"]
        assert sorted(item["present"] for item in items) == [False, True]
        [other] = [item for item in items if not item["present"]]
        assert here.delete(f"{SESSION}/all/{other['id']}").status_code == 204
        assert there.get(SESSION).status_code == 401
        there.post(SESSION, json=login)
        for present, new, status in [
            ("wrong", "another row of words", 422),
            (PASSWORD, "password1234", 422),
            (PASSWORD, "another row of words", 204),
        ]:
            body = {"present": present, "new": new}
            assert here.put(f"{SESSION}/password", json=body).status_code == status
        assert here.get(SESSION).status_code == 200
        assert there.get(SESSION).status_code == 401
    for path in ("all", "password", "factor"):
        method = {"all": "GET", "password": "PUT", "factor": "POST"}[path]
        answer = httpx.request(
            method, f"{server.url}{SESSION}/{path}", headers=AUTH,
            json={"present": "a", "new": "b"} if path == "password" else None,
        )  # fmt: skip
        assert answer.status_code == 409


@pytest.mark.slow
async def test_a_flood_of_sign_ins_neither_starves_readings_nor_keeps_the_real_user_out(
    server: Server,
) -> None:
    """From the same address, at the same name: what it costs is bounded, and who has signed in
    here before goes past it."""
    with joined(server, "target") as browser:
        marks = dict(browser.cookies)
    stop = asyncio.Event()
    statuses: dict[int, int] = {}

    async def attack(n: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            k = 0
            while not stop.is_set():
                k += 1
                name = "target" if k % 2 else f"guess-{n}-{k}"
                answer = await client.post(SESSION, json={"name": name, "password": "wrong"})
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1

    attackers = [asyncio.create_task(attack(n)) for n in range(40)]
    try:
        await asyncio.sleep(2)
        async with server.client() as sender:
            for n in range(50):
                reading = {"equipmentId": "F-1", "timestamp": "2026-01-01T00:00:00Z", "value": n}
                answer = await sender.post("/api/v1/readings", json=reading)
                assert answer.status_code == 204
        known = httpx.AsyncClient(
            base_url=server.url, timeout=60, cookies={"pw_known": marks["pw_known"]}
        )
        async with known as real:
            answer = await real.post(SESSION, json={"name": "target", "password": PASSWORD})
            assert answer.status_code == 204
    finally:
        stop.set()
        await asyncio.gather(*attackers)
    assert statuses.keys() <= {401, 429, 503}
    assert statuses[401] < sum(statuses.values())


def test_what_the_first_start_makes_stands_in_the_audit(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"PIPEWATCHER_DISK_FREE_MIN_MB": "0"}) as server:
        told = server._process.stdout.readline() + server._process.stdout.readline()  # type: ignore[union-attr]
        token = told.decode().rpartition(": ")[2].strip()
        headers = {"authorization": f"Bearer {token}"}
        entries = httpx.get(f"{server.url}/api/v1/audit", headers=headers).json()["items"]
        assert [(one["actor"], one["action"]) for one in entries] == [
            ("first start", "person.invite"),
            ("first start", "token.create"),
        ]
        assert token not in str(entries)


def test_refusals_are_logged_with_where_they_came_from_but_not_with_what_was_shown(
    server: Server,
) -> None:
    httpx.post(
        f"{server.url}/api/v1/session", json={"name": "mistyped secret", "password": "x y z"}
    )
    httpx.get(f"{server.url}/api/v1/users", headers={"authorization": "Bearer pw_nonsense"})
    log = server.output()
    assert "POST /api/v1/session from 127.0.0.1 was refused: unauthorized" in log
    assert "GET /api/v1/users from 127.0.0.1 was refused: unauthorized" in log
    for shown in ("mistyped secret", "x y z", "pw_nonsense"):
        assert shown not in log


def test_a_sign_in_ends_the_session_that_its_browser_had(server: Server) -> None:
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/api/v1/session", json={"token": TOKEN})
        before = {"cookie": f"pw_session={browser.cookies['pw_session']}"}
        assert httpx.get(f"{server.url}/api/v1/session", headers=before).status_code == 200
        browser.post("/api/v1/session", json={"token": TOKEN})
        assert browser.get("/api/v1/session").status_code == 200
    assert httpx.get(f"{server.url}/api/v1/session", headers=before).status_code == 401
