"""A CSV file from upload to answer: the real server, its rate and its memory.

Beside it the same file by Python's csv module into a list, and by DuckDB's own reader, so that the
figures are ratios of one run.

    python bench/csv_import.py [--rows 5000000]
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx

TOKEN = "bench-admin-token-0123456789"
SENSORS = 2_000


def write_file(path: Path, rows: int) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=rows // SENSORS + 1)
    with path.open("w") as file:
        file.write("equipmentId,timestamp,value\n")
        for minute in range(rows // SENSORS):
            stamp = (start + timedelta(minutes=minute)).isoformat(timespec="milliseconds")
            file.writelines(
                f"EQ-{10_000 + n},{stamp},{(n * 37 + minute) % 9_973 / 100:.2f}\n"
                for n in range(SENSORS)
            )


def memory_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def ours(path: Path, folder: Path) -> tuple[float, float, float]:
    """Rows/s from the first byte sent to the finished receipt; MB before, MB at most."""
    environment = {
        **os.environ,
        "PIPEWATCHER_DATA_DIR": str(folder),
        "PIPEWATCHER_HTTP_PORT": "0",
        "PIPEWATCHER_ADMIN_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "pipewatcher", "serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = process.stdout.readline().decode().rpartition(":")[2].strip()
        api = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=600,
        )
        while api.get("/readyz").status_code != 200:
            time.sleep(0.05)
        before = memory_mb(process.pid, "VmRSS")
        began = time.perf_counter()
        with path.open("rb") as file:
            started = api.post(
                "/api/v1/imports", content=file, headers={"content-type": "text/csv"}
            ).json()
        spooled = time.perf_counter() - began
        job = started
        while job["state"] in {"queued", "running"}:
            time.sleep(0.1)
            job = api.get(f"/api/v1/imports/{started['id']}").json()
        took = time.perf_counter() - began
        peak = memory_mb(process.pid, "VmHWM")
        receipt = job["receipt"]
        print(f"spooled and synced in {spooled:.1f} s; {job['state']}: {receipt['new']:,} new")
        api.close()
        process.terminate()
    return receipt["accepted"] / took, before, peak


def python_csv(path: Path) -> float:
    began = time.perf_counter()
    rows = 0
    with path.open() as file:
        for row in csv.DictReader(file):
            datetime.fromisoformat(row["timestamp"])
            float(row["value"])
            rows += 1
    return rows / (time.perf_counter() - began)


def duckdb_csv(path: Path, folder: Path) -> float:
    began = time.perf_counter()
    with duckdb.connect(str(folder / "peer.duckdb")) as peer:
        peer.execute("SET threads = 1")
        peer.execute("CREATE TABLE t AS SELECT * FROM read_csv(?)", [str(path)])
        (rows,) = peer.execute("SELECT count(*) FROM t").fetchone() or (0,)
    return rows / (time.perf_counter() - began)


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path = folder / "x.csv"
        write_file(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size / 2**20:,.0f} MiB")
        rate, before, peak = ours(path, folder / "data")
        print(f"pipewatcher, upload to answer: {rate:,.0f} rows/s; {before:.0f} MB, {peak:.0f} MB")
        peer = duckdb_csv(path, folder)
        print(f"DuckDB read_csv, typed, one thread: {peer:,.0f} rows/s: {rate / peer:.2f} x")
        plain = python_csv(path)
        print(f"csv.DictReader with conversions: {plain:,.0f} rows/s: {rate / plain:.1f} x")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=5_000_000)
    main(arguments.parse_args().rows)
