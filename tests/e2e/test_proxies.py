"""The samples of deploy/proxy as they are, in the real proxies, before a real server.

Only what belongs to a machine is put in its place: ports, name and the certificate's files.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from certificates import self_signed
from server import AUTH, TOKEN, Server
from servers import proxies
from servers.process import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.proxies]

SAMPLES = Path(__file__).parents[2] / "deploy/proxy"
NAME = "historian.plant.example"


@dataclass
class Proxied:
    url: str
    certificate: Path
    server: Server
    folder: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.context(), headers=AUTH, timeout=60)


@pytest.fixture(scope="module", params=proxies.NAMES)
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    certificate, key = self_signed(folder)
    http, https = free_port(), free_port()
    url = f"https://localhost:{https}"
    with Server(folder / "data", http_port=free_port(), public_url=url) as server:
        told = {"nginx": "nginx.conf", "caddy": "Caddyfile"}[name]
        text = (SAMPLES / told).read_text("utf-8")
        tls = {"nginx": "/etc/pipewatcher/tls", "caddy": "/etc/caddy/tls"}[name]
        mine = {
            f"{tls}/cert.pem": str(certificate),
            f"{tls}/key.pem": str(key),
            "127.0.0.1:8000": server.url.removeprefix("http://"),
            "listen 80;": f"listen 127.0.0.1:{http};",
            "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
            f"server_name {NAME};": "server_name localhost;",
            f"\n{NAME} {{": f"\n{{\n\tadmin off\n\thttp_port {http}\n}}\n{url} {{",
        }
        for there, here in mine.items():
            text = text.replace(there, here)
        assert not re.search(rf"^[^#\n]*{NAME}", text, re.MULTILINE)
        (folder / "proxy").mkdir()
        config = folder / "proxy" / told.replace("nginx.conf", "pipewatcher.conf")
        config.write_text(text, "utf-8")
        with getattr(proxies, name)(config, https):
            yield Proxied(url, certificate, server, folder / "proxy")


def test_readings_and_line_protocol_come_through(proxied: Proxied) -> None:
    reading = {"equipmentId": "EQ-1", "timestamp": "2026-01-01T00:00:00Z", "value": 1.5}
    with proxied.client() as client:
        assert client.post("/api/v1/readings", json=reading).status_code == 204
        assert client.post("/api/v1/readings", json=[reading] * 50_000).json()["accepted"] == 50_000
        lines = "p,equipmentId=EQ-1 value=2 1769860800"
        query = f"/write?precision=s&u=any&p={TOKEN}"
        sent = httpx.post(proxied.url + query, content=lines, verify=proxied.context())
        assert sent.status_code == 204
        refused = client.post("/api/v1/readings", json={"value": 1})
        assert refused.json()["code"] == "invalid"
    for log in proxied.folder.glob("*.log"):
        assert TOKEN not in log.read_text("utf-8")


def test_a_large_upload_comes_through(proxied: Proxied) -> None:
    rows = "".join(f"UP-{n},2026-01-01T00:00:00Z,{n}\n" for n in range(200_000))
    with proxied.client() as client:
        content = f"equipmentId,timestamp,value\n{rows}".encode()
        sent = client.post("/api/v1/imports", content=content, headers={"content-type": "text/csv"})
        assert sent.status_code == 202, sent.text
        until = time.monotonic() + 120
        while client.get(f"/api/v1/imports/{sent.json()['id']}").json()["state"] != "done":
            assert time.monotonic() < until
            time.sleep(0.1)


def test_cookies_are_those_of_tls_and_the_page_is_there(proxied: Proxied) -> None:
    with httpx.Client(base_url=proxied.url, verify=proxied.context()) as browser:
        signed = browser.post("/api/v1/session", json={"token": TOKEN})
        assert signed.status_code == 204
        assert "__Host-pw_session" in signed.headers["set-cookie"]
        assert "Secure" in signed.headers["set-cookie"]
        assert browser.get("/api/v1/session").json()["role"] == "admin"
        assert browser.get("/docs").status_code == 200


def test_who_asks_is_the_client_whatever_he_says(proxied: Proxied) -> None:
    with proxied.client() as client:
        said = {"x-forwarded-for": "203.0.113.9"}
        made = client.post("/api/v1/tokens", json={"name": "t", "role": "viewer"}, headers=said)
        assert made.status_code == 201
        [entry] = client.get("/api/v1/audit?limit=1").json()["items"]
        assert entry["address"] == "127.0.0.1"


async def test_live_events_are_not_held_back(proxied: Proxied) -> None:
    async with (
        httpx.AsyncClient(
            base_url=proxied.url, verify=proxied.context(), headers=AUTH, timeout=60
        ) as client,
        client.stream("GET", "/api/v1/live") as answer,
        asyncio.timeout(30),
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        csv = {"content-type": "text/csv"}
        content = b"equipmentId,timestamp,value\nEQ-9,2026-01-01T00:00:00Z,1\n"
        await client.post("/api/v1/imports", content=content, headers=csv)
        async for line in answer.aiter_lines():
            if line == "event: import":
                return
    raise AssertionError("no event came")
