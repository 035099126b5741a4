"""Opens a data folder again after `kill -9`: 86.4 million readings and a full commit log.

The folder has a month of 2,000 sensors at one reading a minute, and as much that was acknowledged
and never stored as `PIPEWATCHER_BACKLOG_MAX_MB` allows by default. The server is started on it and
killed in the midst of storing that, several times; each time until its doors take readings is told.

    python bench/reopen.py [--days 30] [--kills 5] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import httpx
import numpy as np
from psutil import Process

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from readings import END, NAMES, SENSORS, clock, fill

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import MINUTE
from pipewatcher.readings.duckdb import DuckDBStore
from server import AUTH, Server

MIB = 2**20
FULL_BYTES = 1_000 * MIB
"""Of 1,024 MiB, above which doors answer 503."""
GROUP_READINGS = 50_000
STORING_S = (1.0, 3.0, 6.0, 10.0, 15.0)
"""Of the first kill, the second, ...: how long the server stores before it."""
BAR_S = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--kills", type=int, default=len(STORING_S))
    parser.add_argument(
        "--folder",
        type=Path,
        help="Kept, and opened again as it is when it is there; a temporary one by default.",
    )
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (told.folder or Path(scratch)) / "data"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "commit-log.sqlite").exists():
            taken = asyncio.run(_stored(folder, told.days))
            loader = get_context("spawn").Process(target=_acknowledge, args=(folder, taken))
            loader.start()
            loader.join()
        slowest = _kills(folder, told.kills)
    return 0 if slowest < BAR_S else 1


async def _stored(folder: Path, days: int) -> int:
    """The store's position."""
    clock.now = END
    store = DuckDBStore(folder / "readings.duckdb", clock=clock)
    await store.open()
    began = time.perf_counter()
    position = (await store.position()).get(0, 0) or await fill(store, days)
    readings = SENSORS * 1_440 * days
    print(f"{readings:,} readings stored in {time.perf_counter() - began:.0f} s", flush=True)
    await store.close()
    return position


def _acknowledge(folder: Path, taken: int) -> None:
    """As a process that is killed right after its last acknowledgement."""
    asyncio.run(_fill_commit_log(folder / "commit-log.sqlite", taken))
    os.kill(os.getpid(), 9)


async def _fill_commit_log(path: Path, taken: int) -> None:
    log = SQLiteCommitLog(path)
    await log.open()
    for entry in range(taken):
        await log.append_reading(NAMES[0], END + entry, 1.0, "http:bench")
    rng = np.random.default_rng(3)
    began, group = time.perf_counter(), 0
    while log.backlog().bytes < FULL_BYTES:
        codes = (np.arange(GROUP_READINGS) % SENSORS).astype(np.uint32)
        minutes = np.arange(GROUP_READINGS) // SENSORS + group * (GROUP_READINGS // SENSORS)
        await log.append(
            Batch(
                equipment_ids=NAMES,
                codes=codes,
                event_times=END + minutes * MINUTE + codes,
                values=np.round(rng.normal(100, 1, GROUP_READINGS), 2),
                origins=["http:bench"],
            )
        )
        group += 1
    waiting = log.backlog()
    print(
        f"{waiting.readings:,} readings, {waiting.bytes / MIB:,.0f} MiB acknowledged and not "
        f"stored, in {time.perf_counter() - began:.0f} s; WAL of "
        f"{path.with_name(path.name + '-wal').stat().st_size / MIB:,.0f} MiB",
        flush=True,
    )


def _kills(folder: Path, kills: int) -> float:
    """The longest time until a reading was acknowledged, in seconds."""
    slowest = 0.0
    server = Server(folder)
    try:
        for storing_s in (*STORING_S[:kills], None):
            began = time.perf_counter()
            server.start()
            ready_s, cpu_s = time.perf_counter() - began, sum(Process(server.pid).cpu_times()[:2])
            taken_s = _until(began, server, "POST", "/api/v1/readings", 204)
            status = httpx.get(f"{server.url}/api/v1/status", headers=AUTH, timeout=60).json()
            print(
                f"ready {ready_s:.2f} s after its start, of which {cpu_s:.2f} s at work; a reading "
                f"acknowledged after {taken_s:.2f} s; {status['lag']['readings']:,} readings wait",
                flush=True,
            )
            slowest = max(slowest, taken_s)
            if storing_s is not None:
                time.sleep(storing_s)
                server.kill()
        stored_s = _until(began, server, "GET", "/api/v1/averages?window=30d", 200)
        print(f"all of it stored and asked for {stored_s:.0f} s after the start")
    finally:
        if server.runs:
            server.kill()
    return slowest


def _until(began: float, server: Server, method: str, path: str, status: int) -> float:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = {"equipmentId": NAMES[0], "timestamp": now, "value": 1.0} if method == "POST" else None
    while True:
        url = server.url + path
        if httpx.request(method, url, json=body, headers=AUTH, timeout=60).status_code == status:
            return time.perf_counter() - began
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
