"""What the gap ledger costs: filling, importing, means with coverage, and listing its gaps.

Compares with the source tree of a version without the ledger when one is given, in one run:

    git worktree add /tmp/without 6e8be3e
    python bench/trust.py --without /tmp/without/src
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SENSORS = 2_000
NAMES = [f"EQ-{10_000 + n}" for n in range(SENSORS)]
STEPS_PER_DAY = 288
RUNS = 9
GAPS_PER_SENSOR = 100


def batch(steps: np.ndarray, origin: str, start: int, block: int | None = None) -> object:
    """Every sensor at each of these five-minute steps, at its own second."""
    from pipewatcher.model.readings import Batch, ImportBlock
    from pipewatcher.model.time import MINUTE

    phases = (np.arange(SENSORS) * 7_919 % 60_000) * 1_000
    count = len(steps)
    rng = np.random.default_rng(int(steps[0]))
    return Batch(
        equipment_ids=NAMES,
        codes=np.tile(np.arange(SENSORS, dtype=np.uint32), count),
        event_times=(start + steps[:, None] * 5 * MINUTE + phases[None, :]).ravel(),
        values=np.round(100 + rng.normal(0, 1, count * SENSORS), 2),
        origins=[origin],
        block=None if block is None else ImportBlock(import_id=1, block=block),
    )


async def child(days: int, folder: Path) -> None:
    """Measures the version on the path and prints its figures as JSON."""
    from pipewatcher.model.time import DAY
    from pipewatcher.readings.duckdb import DuckDBStore

    end = 1_790_000_000_000_000 // DAY * DAY
    start = end - days * DAY
    store = DuckDBStore(folder / "readings.duckdb", clock=lambda: end / 1e6)
    await store.open()
    position = 0
    figures: dict[str, object] = {}

    async def fill(parts: list[np.ndarray], origin: str) -> float:
        nonlocal position
        began, rows = time.process_time(), 0
        for number, steps in enumerate(parts):
            position += 1
            one = batch(steps, origin, start, number if origin.startswith("import") else None)
            rows += len(one)
            await store.append([one], {0: position})
            await store.settle()
        return rows / (time.process_time() - began)

    all_steps = np.arange(days * STEPS_PER_DAY)
    # A hundred holes of 20 minutes for every sensor: they are what the import brings.
    period = max(8, len(all_steps) // GAPS_PER_SENSOR)
    holes = (all_steps % period >= period - 4) & (all_steps < len(all_steps) - period)
    kept, lost = all_steps[~holes], all_steps[holes]
    day = STEPS_PER_DAY // 4
    figures["live"] = await fill(np.array_split(kept, len(kept) // day), "http:bench")
    for name, window in (("24h", DAY), ("30d", days * DAY)):
        took = []
        for _ in range(RUNS):
            began = time.process_time()
            assert len(await store.averages(end - window - 7, end - 7)) == SENSORS
            took.append(1e3 * (time.process_time() - began))
        figures[f"means {name}"] = statistics.median(took)
    if hasattr(store, "gaps"):
        figures |= await listed(store, end, folder)
    figures["import"] = await fill(np.array_split(lost, len(lost) // day), "import:1")
    if hasattr(store, "gaps"):
        columns, mended = await store.gaps(start, end, end)
        figures["left"], figures["mended"] = len(columns), len(mended)
    await store.close()
    print(json.dumps(figures))


async def listed(store: object, end: int, folder: Path) -> dict[str, object]:
    from pipewatcher.gaps.ledger import GapLedger
    from pipewatcher.registry.sqlite import SQLiteRegistry

    registry = SQLiteRegistry(folder / "registry.sqlite")
    await registry.open()

    async def fresh() -> None: ...

    ledger = GapLedger(store, registry, fresh, lambda: end / 1e6)
    took, incidents = [], []
    for _ in range(RUNS):
        began = time.perf_counter()
        page = await ledger.gaps(limit=100)
        took.append(1e3 * (time.perf_counter() - began))
        began = time.perf_counter()
        total, _ = await ledger.incidents(0, end)
        incidents.append(1e3 * (time.perf_counter() - began))
    await registry.close()
    return {
        "gaps": page.total,
        "list ms": statistics.median(took),
        "incidents": total,
        "incidents ms": statistics.median(incidents),
    }


def measured(source: Path, days: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", folder, "--days", str(days)]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    arguments.add_argument("--days", type=int, default=30)
    arguments.add_argument("--without", type=Path)
    arguments.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child is not None:
        asyncio.run(child(given.days, given.child))
        return
    here = measured(Path(__file__).parent.parent / "src", given.days)
    without = measured(given.without, given.days) if given.without else {}
    for name in ("live", "import"):
        print(f"{name}: {here[name]:,.0f} readings per second of processor time", end="")
        print(f"; {here[name] / without[name]:.2f} x without the ledger" if without else "")
    for name in ("means 24h", "means 30d"):
        print(f"{name}: {here[name]:.0f} ms of processor time", end="")
        print(f"; {here[name] / without[name]:.2f} x the plain mean" if without else "")
    print(
        f"{here['gaps']:,} gaps: 100 of them listed in {here['list ms']:.0f} ms, "
        f"{here['incidents']:,} incidents in {here['incidents ms']:.0f} ms"
    )
    print(f"after the import {here['left']:,} gaps are left, {here['mended']:,} were mended")


if __name__ == "__main__":
    main()
