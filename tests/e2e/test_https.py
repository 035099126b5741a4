"""TLS on our own port, proxies that are believed, names that are ours."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from certificates import self_signed
from server import AUTH, TOKEN, Server
from servers.process import free_port

pytestmark = pytest.mark.e2e

READING = {"equipmentId": "EQ-1", "timestamp": "2026-01-01T00:00:00Z", "value": 1.5}
SIGN_IN = {"token": TOKEN}


class TlsServer:
    """Speaks plainly and by TLS."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.certificate, self.key = self_signed(folder)
        self.tls_port = free_port()
        self.url = f"https://127.0.0.1:{self.tls_port}"
        self.plain = Server(
            folder / "data",
            tls_cert_file=self.certificate,
            tls_key_file=self.key,
            http_port=free_port(),
            https_port=self.tls_port,
            mqtt_tls_port="off",
            **settings,
        )

    def client(self, **options: Any) -> httpx.Client:
        context = ssl.create_default_context(cafile=self.certificate)
        return httpx.Client(base_url=self.url, verify=context, timeout=60, **options)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    house = TlsServer(tmp_path_factory.mktemp("https"))
    with house.plain:
        yield house


def test_all_that_is_served_plainly_is_served_by_tls(house: TlsServer) -> None:
    with house.client(headers=AUTH) as client:
        assert client.post("/api/v1/readings", json=READING).status_code == 204
        many = [READING] * 20_000
        assert client.post("/api/v1/readings", json=many).json()["accepted"] == 20_000
        page = client.get("/")
        assert page.status_code == 200
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        assert client.get("/api/v1/averages").status_code == 200
        # Refused before it was read to its end: the answer arrives all the same.
        refused = client.post(
            "/api/v1/readings",
            content=b"x" * 20_000_000,
            headers={"content-type": "application/json"},
        )
        assert refused.status_code == 413
    assert "strict-transport-security" not in httpx.get(f"{house.plain.url}/healthz").headers


def test_cookies_are_bound_to_this_host_and_to_tls(house: TlsServer) -> None:
    with house.client() as browser:
        signed_in = browser.post("/api/v1/session", json=SIGN_IN)
        assert signed_in.status_code == 204
        cookie = signed_in.headers["set-cookie"]
        assert cookie.startswith("__Host-pw_session=")
        for part in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
            assert part in cookie
        assert "Domain" not in cookie
        assert browser.get("/api/v1/session").json()["role"] == "admin"
        secret = browser.cookies["__Host-pw_session"]
        # Under the name that it would have without TLS it counts for nothing.
        plainly = {"cookie": f"pw_session={secret}"}
        with house.client(headers=plainly) as other:
            assert other.get("/api/v1/session").status_code == 401


@pytest.mark.browser
def test_a_browser_signs_in_by_tls_and_is_led_there(house: TlsServer, chromium: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        context = browser.new_context(ignore_https_errors=True, locale="en-US")
        page = context.new_page()
        page.goto(f"{house.plain.url}/gaps?state=open")
        expect(page).to_have_url(f"{house.url}/gaps?state=open")
        page.get_by_role("button", name="Use a token instead").click()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("button", name="Account").first).to_be_visible()
        [cookie] = context.cookies()
        assert cookie["name"] == "__Host-pw_session"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        browser.close()


@pytest.mark.slow
def test_a_renewed_certificate_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    house = TlsServer(tmp_path, http_host="127.0.0.1")
    with house.plain:
        first = ssl.get_server_certificate(("127.0.0.1", house.tls_port))
        kept = httpx.Limits(keepalive_expiry=None)
        with house.client(headers=AUTH, limits=kept) as before:
            assert before.get("/api/v1/session").status_code == 200
            self_signed(tmp_path)
            until = time.monotonic() + 60
            while ssl.get_server_certificate(("127.0.0.1", house.tls_port)) == first:
                assert time.monotonic() < until
                time.sleep(0.2)
            assert before.get("/api/v1/session").status_code == 200, "open connections go on"
        with house.client(headers=AUTH) as after:
            assert after.get("/api/v1/session").status_code == 200


def test_old_versions_of_tls_and_plain_words_are_refused(house: TlsServer) -> None:
    old = ssl.create_default_context(cafile=house.certificate)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", house.tls_port)) as raw,
        old.wrap_socket(raw, server_hostname="127.0.0.1") as spoken,
    ):
        assert spoken.version() == "TLSv1.2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", house.tls_port)) as raw,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(raw, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", house.tls_port), 20) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in raw.recv(1_000)
    with house.client() as client:
        assert client.get("/healthz").status_code == 200


def test_without_a_plain_port_there_is_only_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    port = free_port()
    command = [sys.executable, "-m", "pipewatcher", "serve"]
    environment = {
        **os.environ,
        "PIPEWATCHER_DATA_DIR": str(tmp_path / "data"),
        "PIPEWATCHER_HTTP_PORT": "off",
        "PIPEWATCHER_HTTPS_PORT": str(port),
        "PIPEWATCHER_MQTT_PORT": "off",
        "PIPEWATCHER_MQTT_TLS_PORT": "off",
    }
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "PIPEWATCHER_TLS_CERT_FILE" in refused.stderr
    environment |= {
        "PIPEWATCHER_TLS_CERT_FILE": str(certificate),
        "PIPEWATCHER_TLS_KEY_FILE": str(key),
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert f"https://localhost:{port}" in process.stdout.readline()
        link = process.stdout.readline()
        assert f"https://localhost:{port}/welcome#" in link
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_proxy_is_believed_only_when_it_is_named(tmp_path: Path) -> None:
    told = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
    for named, address, cookie in (
        ("127.0.0.0/8, ::1", "203.0.113.7", "__Host-pw_session="),
        ("10.0.0.1", "127.0.0.1", "pw_session="),
    ):
        with Server(tmp_path / named[:4] / "data", trusted_proxies=named) as server:
            url = f"{server.url}/api/v1/session"
            answer = httpx.post(url, json=SIGN_IN, headers=told)
            assert answer.headers["set-cookie"].startswith(cookie)
            [entry] = httpx.get(f"{server.url}/api/v1/audit?q=session.begin", headers=AUTH).json()[
                "items"
            ]
            assert entry["address"] == address
            # Who asks the proxy cannot put another address before his own.
            lied = {**told, "x-forwarded-for": "198.51.100.9, 203.0.113.7"}
            httpx.post(url, json=SIGN_IN, headers=lied)
            newest = httpx.get(f"{server.url}/api/v1/audit?limit=1", headers=AUTH).json()["items"]
            assert newest[0]["address"] == address


def test_a_browser_that_asks_by_a_foreign_name_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path / "data", allowed_hosts="historian.plant.example") as server:
        port = server.url.rpartition(":")[2]
        for path in ("/", "/api/v1/session", "/healthz"):
            for host in ("evil.example", f"evil.example:{port}"):
                refused = httpx.get(server.url + path, headers={"host": host})
                assert (refused.status_code, refused.json()["code"]) == (421, "unknown_host")
        for host in (f"historian.plant.example:{port}", f"192.168.7.20:{port}", "historian"):
            assert httpx.get(server.url, headers={"host": host}).status_code == 200
        # A device shows its token and may call us what it likes.
        named = {"host": "pw.evil.example", **AUTH}
        sent = httpx.post(f"{server.url}/api/v1/readings", json=READING, headers=named)
        assert sent.status_code == 204
        assert httpx.get(f"{server.url}/metrics", headers=named).status_code == 200
