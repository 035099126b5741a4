"""What the pages tell people to run is run; what they work out by hand is what a server says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server import AUTH, TOKEN, Server

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parents[2] / "docs"
RUN = ["sending-data.md", "python-client.md", "grafana.md", "vendor-csv.md"]
"""And so the Portuguese ones: tests/unit/test_docs.py holds their code to be the same."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("docs") / "data") as running:
        yield running


def blocks() -> Iterator[tuple[str, str, str]]:
    for page in RUN:
        text = (DOCS / page).read_text("utf-8")
        for language, block in re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL):
            yield page, language, block


@pytest.mark.parametrize(("page", "language", "block"), list(blocks()))
def test_each_block_of_code_runs_as_it_stands(
    server: Server, tmp_path: Path, page: str, language: str, block: str
) -> None:
    block = block.replace("http://localhost:8000", server.url)
    if language == "sh":
        command = ["bash", "-euo", "pipefail", "-c", block.replace("curl ", "curl --fail -sS ")]
    else:
        command = [sys.executable, "-c", f"TOKEN = {TOKEN!r}\n{block}"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (page, done.stdout, done.stderr)
    assert re.search(r"^HTTP/1.1 2", done.stdout) or language == "python"


def test_both_means_are_what_they_are_by_hand(server: Server) -> None:
    page = (DOCS / "concepts.md").read_text("utf-8")
    hours = re.search(r"^\| time \|(.*)\|$", page, re.MULTILINE)
    values = re.search(r"^\| value \|(.*)\|$", page, re.MULTILINE)
    assert hours is not None
    assert values is not None
    readings = [
        {
            "equipmentId": "BY-HAND",
            "timestamp": f"2026-01-31T{hour.strip()}:00Z",
            "value": float(value),
        }
        for hour, value in zip(hours[1].split("|"), values[1].split("|"), strict=True)
        if hour.strip()
    ]
    asked = {"window": "12m", "until": "2026-01-31T10:12:00Z", "q": "BY-HAND"}
    with httpx.Client(base_url=server.url, headers=AUTH, timeout=60) as api:
        assert api.post("/api/v1/readings", json=readings).json()["accepted"] == 6
        until = time.monotonic() + 60
        sensor = "/api/v1/sensors/BY-HAND"
        while api.patch(sensor, json={"cadenceSeconds": 60}).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        while True:
            [item] = api.get("/api/v1/averages", params=asked).json()["items"]
            if item["longestGapSeconds"] is not None or time.monotonic() > until:
                break
            time.sleep(0.1)
    said = {
        "mean": r"200 / 5 = \*\*([\d.]+)\*\*",
        "timeWeightedMean": r"15,600 / 420 = \*\*([\d.]+)\*\*",
    }
    for name, told in said.items():
        found = re.search(told, page)
        assert found is not None
        assert item[name] == pytest.approx(float(found[1]), abs=0.005)
    coverage = re.search(r"4 / 12 = \*\*([\d.]+) %", page)
    assert coverage is not None
    assert item["coverage"] * 100 == pytest.approx(float(coverage[1]), abs=0.05)
    assert (item["count"], item["expected"], item["longestGapSeconds"]) == (5, 12, 480)
