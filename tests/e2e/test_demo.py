"""`demo` and `simulate` as a stranger runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from server import TOKEN, Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_demo_has_its_history_lives_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [
        "-m",
        "pipewatcher",
        "demo",
        "--port",
        "0",
        "--sensors",
        "200",
        "--days",
        "31",
        "--interval",
        "1",
    ]
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        url = lines[1].rpartition(" ")[2].replace("localhost", "127.0.0.1")
        headers = {"authorization": f"Bearer {lines[2].rpartition(' ')[2]}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as api:
            until = time.monotonic() + 30
            while True:
                try:
                    page = api.get("/api/v1/averages", params={"window": "30d"}).json()
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            assert page["total"] == 200
            assert all(item["mean"] is not None and item["name"] for item in page["items"])
            assert sum(item["count"] for item in page["items"]) > 200 * 30 * 96 * 0.9
            before = api.get("/api/v1/status").json()["stages"]["committed"]
            while api.get("/api/v1/status").json()["stages"]["committed"] <= before + 300:
                assert time.monotonic() < until
                time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["http", "mqtt"])
def test_a_simulated_plant_loses_nothing_and_tells_what_was_refused(
    tmp_path: Path, way: str
) -> None:
    with Server(tmp_path / "data") as server:
        url = server.url if way == "http" else f"mqtt://127.0.0.1:{server.mqtt_port}"
        options = f"--url {url} --batch 3 --sensors 300 --interval 1 --duration 4 --bad-rate 0.02"
        done = subprocess.run(
            [sys.executable, "-m", "pipewatcher", "simulate", *options.split()],
            env={**os.environ, "PIPEWATCHER_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        headers = {"authorization": f"Bearer {TOKEN}"}
        stages = httpx.get(f"{server.url}/api/v1/status", headers=headers).json()["stages"]
    figures = dict(
        line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│")
    )
    told = {name.strip(): int(value.replace(",", "")) for name, value in figures.items()}
    assert told["acknowledged"] == stages["committed"] > 0
    assert told["refused"] > 0
    assert told["lost"] == 0
    assert told["sent"] == told["acknowledged"] + told["refused"]
