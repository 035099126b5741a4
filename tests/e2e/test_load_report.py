"""The load report's own command, in miniature: few connections, fractions of a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 12


def load_report(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "bench/load"), *arguments],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.wrk
def test_one_command_loads_the_system_audits_it_and_writes_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    few = ["--setup", "embedded", "--connections", str(CONNECTIONS), "--seconds", "0.3"]
    few += ["--soak", "0.5", "--storm", str(CONNECTIONS), "--rows", "1000", "--audit-all"]
    done = load_report(*few, "--out", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    [setup] = json.loads((folder / "figures.json").read_text())["setups"]
    loops = {(phase["kind"], phase["mode"]) for phase in setup["phases"]}
    ledgers = {(kind, mode) for kind in ("single", "batch", "mqtt") for mode in ("closed", "open")}
    assert loops == ledgers | {("single", "wrk"), ("batch", "wrk"), ("mqtt", "storm")}
    for phase in setup["phases"]:
        assert phase["established"] >= CONNECTIONS, phase["name"]
        assert phase["audit"]["acknowledged"] > 0, phase["name"]
        assert phase["audit"]["lost"] == 0, phase["name"]
    assert setup["storm"]["back"] == CONNECTIONS
    assert setup["beside"]["import"]["accepted"] == 1_000
    assert setup["balance"]["difference"] == 0
    audited = setup["audit"]
    assert audited["sensors"] == CONNECTIONS
    assert audited["acknowledged"] == audited["stored"] > 0
    report = (folder / "README.md").read_text()
    assert "0 lost, 0 doubled" in report
    pictures = list(folder.glob("*.svg"))
    assert {path.name for path in pictures} == {
        line.rpartition("(")[2].rstrip(")") for line in report.splitlines() if line[:2] == "!["
    }
    for path in [*pictures, folder / "index.html"]:
        ET.fromstring(path.read_text().partition("<!doctype html>")[2] or path.read_text())


def test_it_names_what_is_missing_before_it_starts_anything(tmp_path: Path) -> None:
    done = load_report("--setup", "embedded", "--out", str(tmp_path), PATH="/nowhere")
    assert done.returncode == 2
    assert "wrk" in done.stderr
    assert not list(tmp_path.iterdir())
