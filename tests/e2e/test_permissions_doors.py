"""The doors that OpenAPI does not list, with every kind of credential: MQTT, live events, files."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import pipewatcher
from credentials import Credentials, all_credentials, made
from mqtt_harness import Raw, connect, publish, reading
from pipewatcher.identity.roles import PERMISSIONS, ROLES, WRITE_READINGS
from server import Server

pytestmark = pytest.mark.e2e

PAGE = Path(pipewatcher.__file__).parent / "page"
BAD_USER_NAME_OR_PASSWORD = {4: 4, 5: 0x86}
NOT_AUTHORIZED = {4: 5, 5: 0x87}
ACCEPTED = 0


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Credentials]:
    with Server(tmp_path_factory.mktemp("doors") / "data") as server:
        yield all_credentials(server)


def token_of(headers: dict[str, str]) -> str | None:
    """What a device would show as its password; None for no user name and password at all."""
    header = headers.get("authorization", "")
    return header.partition(" ")[2] or headers.get("cookie") or None


def connack(server: Server, level: int, token: str | None) -> int:
    """The reason code that a CONNECT is answered with; and nothing is taken after a refusal."""
    raw = Raw(socket.create_connection(("127.0.0.1", server.mqtt_port), 30))
    try:
        raw.send(connect(level, token=token), publish(reading("EQ-MQTT"), level=level))
        kind, body = raw.packet()
        assert kind == 0x20
        if body[1] != ACCEPTED:
            assert raw.rest() == []
        return body[1]
    finally:
        raw.close()


@pytest.mark.parametrize("level", [4, 5])
def test_mqtt_lets_in_who_may_write_readings_and_nobody_else(
    credentials: Credentials, level: int
) -> None:
    server = credentials.server
    for kind, headers in credentials.bad.items():
        code = connack(server, level, token_of(headers))
        assert code == BAD_USER_NAME_OR_PASSWORD[level], kind
    for role in ROLES:
        code = connack(server, level, token_of(credentials.good[role]))
        assert code == (ACCEPTED if role in WRITE_READINGS else NOT_AUTHORIZED[level]), role
    for role, cookie in credentials.cookies.items():
        code = connack(server, level, cookie.partition("=")[2])
        assert code == BAD_USER_NAME_OR_PASSWORD[level], f"a session of {role} is no token"


def test_live_events_are_for_who_may_read(credentials: Credentials) -> None:
    roles = PERMISSIONS["GET /api/v1/live"]
    assert roles is not None
    asked = [(kind, headers, 401) for kind, headers in credentials.bad.items()]
    asked += [(r, credentials.good[r], 200 if r in roles else 403) for r in ROLES]
    asked += [(r, {"cookie": cookie}, 200) for r, cookie in credentials.cookies.items()]
    for who, headers, expected in asked:
        with httpx.stream("GET", f"{credentials.server.url}/api/v1/live", headers=headers) as live:
            assert live.status_code == expected, who
            if expected == 200:
                assert live.headers["content-type"].startswith("text/event-stream")


def test_every_file_of_the_page_is_the_same_for_everybody(credentials: Credentials) -> None:
    everybody = [
        *credentials.bad.values(),
        *credentials.good.values(),
        *({"cookie": cookie} for cookie in credentials.cookies.values()),
    ]
    files = [f"/{path.relative_to(PAGE)}" for path in PAGE.rglob("*.*") if path.is_file()]
    with httpx.Client(base_url=credentials.server.url, timeout=30) as client:
        for path in [*files[:: max(1, len(files) // 20)], "/", "/docs", "/openapi.json"]:
            seen = set()
            for headers in everybody:
                client.cookies.clear()
                answer = client.get(path, headers=headers)
                seen.add((answer.status_code, answer.content))
            assert len(seen) == 1, path
            assert seen.pop()[0] == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/../wiring/doors.py",
        "/%2e%2e/wiring/doors.py",
        "/..%2fwiring/doors.py",
        "/%2e%2e%2f%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/_next/../../settings.py",
        "//etc/passwd",
        "/%00",
        "/.sources%00.html",
        "/" + "a/" * 2_000,
        "/" + "a" * 2_000,
    ],
)
def test_no_file_beside_the_page_is_served(credentials: Credentials, path: str) -> None:
    host, _, port = credentials.server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 30) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert int(answer.split(b" ", 2)[1]) == 404, answer[:200]


def test_over_mqtt_too_a_token_writes_its_own_sensors_and_no_other(
    credentials: Credentials,
) -> None:
    token = made(credentials.server, name="scoped", role="device", writesPrefix="A-")["token"]
    raw = Raw(socket.create_connection(("127.0.0.1", credentials.server.mqtt_port), 30))
    try:
        raw.send(connect(5, token=token))
        assert raw.packet()[1][1] == ACCEPTED
        for equipment_id, reason in (("A-1", None), ("B-1", 0x87)):
            raw.send(publish(reading(equipment_id)))
            kind, body = raw.packet()
            assert kind == 0x40
            assert (body[2] if len(body) > 2 else None) == reason, equipment_id
    finally:
        raw.close()


def test_nothing_is_echoed_to_who_traces(credentials: Credentials) -> None:
    for path in ("/", "/api/v1/session", "/api/v1/readings"):
        url = credentials.server.url + path
        answer = httpx.request("TRACE", url, headers={"x-secret": "echo me"})
        assert answer.status_code == 405, path
        assert "echo me" not in answer.text
