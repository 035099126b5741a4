"""The HTTP door beside its yardsticks: `python bench/http_door.py [--rounds 3] [--seconds 5]`.

Needs wrk (`deploy/dev/install-test-servers.sh` or the system's package) and 10,000 free file
descriptors twice over. Every figure is the median of the rounds; ratios count, not the figures.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TOKEN = "pw_bench-token-of-some-length"


@dataclass
class Run:
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    answered: int
    committed: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not start")


def run(kind: str, connections: int, seconds: int, script: str, *args: str) -> Run:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, str(HERE / "http_servers.py"), kind, str(port), folder],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent / "src")},
        )
        try:
            wait_for(port)
            wrk = [shutil.which("wrk") or "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
            wrk += ["--timeout", "20s", "-s", str(HERE / script), f"http://127.0.0.1:{port}"]
            found = subprocess.run(
                [*wrk, "--", TOKEN, *args], capture_output=True, text=True, check=True
            ).stdout
        finally:
            server.send_signal(signal.SIGTERM)
            said, _ = server.communicate(timeout=60)
    result = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+) (\d+)", found)
    committed = re.search(r"COMMITTED (\d+)", said)
    assert result is not None, found
    assert committed is not None, said
    return Run(
        float(result[1]),
        float(result[2]),
        float(result[3]),
        int(result[4]),
        int(result[5]),
        int(committed[1]),
    )


def report(name: str, runs: list[Run], readings: int = 1) -> float:
    median = statistics.median(one.requests_per_s for one in runs) * readings
    p99 = statistics.median(one.p99_ms for one in runs)
    errors = sum(one.errors for one in runs)
    lost = sum(max(0, one.answered * readings - one.committed) for one in runs)
    print(f"{name:34} {median:10,.0f} readings/s  p99 {p99:8.1f} ms  errors {errors}", end="")
    print("" if "null" in name else f"  answered but not committed {lost}")
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for connections in (64, 10_000):
        print(f"one reading a request, {connections:,} connections")
        runs: dict[str, list[Run]] = {}
        for _ in range(given.rounds):
            for kind in ("null", "null-asgi", "door", "door-tokens", "asgi", "fastapi"):
                one = run(kind, connections, given.seconds, "single_readings.lua")
                runs.setdefault(kind, []).append(one)
        medians = {kind: report(f"  {kind}", found) for kind, found in runs.items()}
        for kind in ("fastapi", "null-asgi", "null"):
            print(f"    door / {kind}: {medians['door'] / medians[kind]:.2f}")
        print(f"    door-tokens / door: {medians['door-tokens'] / medians['door']:.2f}")
    print("batches of 1,000, 16 connections")
    for form in ("json", "ndjson"):
        found = [
            run("door", 16, given.seconds, "batches.lua", "1000", form) for _ in range(given.rounds)
        ]
        report(f"  door, {form}", found, 1_000)


if __name__ == "__main__":
    main()
