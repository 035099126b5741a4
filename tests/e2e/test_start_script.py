"""`./start.sh` on a fresh clone: a new user gets by the README alone to his first reading, CSV and
chart; and again without a network."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

TOP = Path(__file__).parents[2]
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
NO_NETWORK = dict.fromkeys(PROXIES, "http://127.0.0.1:9")
MADE = (
    *(".git", ".venv", ".build", ".*_cache", "pipewatcher-data"),
    *("node_modules", ".next", "out", "next-env.d.ts", "docs-assets", "page"),
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The sources as they are now, and nothing that was made from them."""
    folder = tmp_path / "a fresh clone"
    shutil.copytree(TOP, folder, ignore=shutil.ignore_patterns(*MADE))
    return folder


@contextmanager
def started(clone: Path, cwd: Path, **environment: str) -> Iterator[list[str]]:
    """Yields what `start.sh` wrote once the server is ready; stops it as a terminal would."""
    ports = {"PIPEWATCHER_HTTP_PORT": str(free_port()), "PIPEWATCHER_MQTT_PORT": str(free_port())}
    log = clone / "start.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [clone / "start.sh"],
            cwd=cwd,
            env={**os.environ, **environment, **ports},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{ports['PIPEWATCHER_HTTP_PORT']}/readyz"
        wait_until_ready(process, address, log)
        yield log.read_text("utf-8").splitlines()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up = time.monotonic() + 300
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < give_up:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    pytest.fail(f"not ready, exit status {process.poll()}:\n{log.read_text('utf-8')}")


class NewUser:
    """Has the README and what `start.sh` wrote, and nothing else."""

    def __init__(self, clone: Path, lines: list[str]) -> None:
        said = "\n".join(lines)
        found = [
            re.search(pattern, said)
            for pattern in (
                r"PipeWatcher is at (\S+)",
                r"First admin.*: (\S+)",
                r"Admin token.*: (\S+)",
                r"MQTT: listening on \S+:(\d+)",
            )
        ]
        self.url, self._link, self._token, self._mqtt_port = (one[1] for one in found if one)
        self._clone = clone
        self._began = time.monotonic()
        self._token_of_api = {"authorization": f"Bearer {self._token}"}

    def sends_readings(self) -> None:
        """The commands of the README as they stand, but for what is his own."""
        readme = (self._clone / "README.md").read_text("utf-8")
        [block] = re.findall(r"## Send readings\n\n```sh\n(.*?)```", readme, re.DOTALL)
        script = (
            block.replace("pw_…", self._token)
            .replace("http://localhost:8000", self.url)
            .replace("-p 1883", f"-p {self._mqtt_port}")
            .replace("curl ", "curl --fail -sS ")
        )
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._clone,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert re.findall(r"^HTTP/1.1 (\d+)", done.stdout, re.MULTILINE) == ["204", "204", "202"]
        self._is_at("first readings, by HTTP, MQTT, line protocol and CSV")

    def sees_them_stored(self) -> None:
        """All are the same reading of the same sensor: once, by whatever door."""
        with httpx.Client(base_url=self.url, headers=self._token_of_api, trust_env=False) as api:
            until = time.monotonic() + 60
            while api.get("/api/v1/imports").json()["items"][0]["state"] != "done":
                assert time.monotonic() < until
                time.sleep(0.1)
            asked = {
                "equipmentId": "EQ-12495",
                "start": "2023-02-15T00:00:00Z",
                "end": "2023-02-16T00:00:00Z",
            }
            [reading] = api.get("/api/v1/readings", params=asked).json()["items"]
            assert (reading["timestamp"], reading["value"]) == ("2023-02-15T06:30:00.000Z", 78.42)
            now = datetime.now(UTC).isoformat()
            fresh = {"equipmentId": "EQ-12495", "value": 80.58, "timestamp": now}
            assert api.post("/api/v1/readings", json=fresh).status_code == 204
        self._is_at("first CSV stored")

    def sees_a_chart(self, chromium: Path) -> None:
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=chromium) as browser,
        ):
            page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
            self._joins(page)
            self._is_at("signed in")
            page.get_by_role("link", name="EQ-12495").first.click()
            chart = page.get_by_label("Chart", exact=True)
            expect(chart.locator("canvas")).to_be_visible(timeout=30_000)
            expect(page.locator("main")).to_contain_text("80.58")
        self._is_at("first chart")

    def _joins(self, page: Page) -> None:
        page.goto(self._link)
        page.get_by_label("Name").fill("ana")
        page.get_by_label("New password").fill("several words in a row")
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=30_000)

    def _is_at(self, place: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s after the start: {place}")


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.browser
@pytest.mark.mosquitto
def test_a_fresh_clone_serves_a_new_user_by_the_readme_alone_and_later_starts_anywhere_offline(
    clone: Path, chromium: Path, tmp_path: Path
) -> None:
    began = time.monotonic()
    with started(clone, clone) as lines:
        print(f"started after {time.monotonic() - began:.1f} s")
        made = {line.removesuffix(" …") for line in lines if line.endswith("…")}
        assert {"Installing the page's packages", "Building the page"} < made
        assert any(line.startswith("Making .venv") for line in made)
        user = NewUser(clone, lines)
        user.sends_readings()
        user.sees_them_stored()
        user.sees_a_chart(chromium)
    assert (clone / "pipewatcher-data").is_dir()

    moved = clone.rename(tmp_path / "moved")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with started(moved, elsewhere, **NO_NETWORK) as lines:
        made = [line for line in lines if line.endswith("…")]
        assert made == []
    assert list(elsewhere.iterdir()) == []
