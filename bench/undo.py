"""Undo of an import of a million rows, half of which overwrote stored readings.

Prints its time and rate, what a preview costs, and that the means are those of before.

    python bench/undo.py [--rows 1000000] [--days 30]
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from pipewatcher.model.readings import Batch, ImportBlock
from pipewatcher.model.time import DAY, MINUTE, SECOND
from pipewatcher.readings.duckdb import DuckDBStore

SENSORS = 2_000
NAMES = [f"EQ-{n}" for n in range(SENSORS)]
END = 1_790_000_040 * SECOND
BLOCK = 100_000
IMPORT = 1


def batch(times: np.ndarray, codes: np.ndarray, origin: str, block: int | None = None) -> Batch:
    return Batch(
        equipment_ids=NAMES,
        codes=codes.astype(np.uint32),
        event_times=times,
        values=np.round(np.sin(times / 1e9) * 50 + (block is not None), 2),
        origins=[origin],
        block=None if block is None else ImportBlock(import_id=IMPORT, block=block),
    )


async def fill(store: DuckDBStore, days: int) -> int:
    """A reading of every sensor each 15 minutes."""
    position = 0
    for day in range(days):
        minutes = END - (days - day) * DAY + np.arange(0, 1_440, 15) * MINUTE
        position += 1
        times, codes = np.repeat(minutes, SENSORS), np.tile(np.arange(SENSORS), len(minutes))
        await store.append([batch(times, codes, "http:bench")], {0: position})
        await store.settle()
    return position


async def add_import(store: DuckDBStore, position: int, rows: int, days: int) -> None:
    """Every other row at an instant that is stored, the others between two."""
    steps = rows // SENSORS
    instants = END - days * DAY + (np.arange(steps) * (days * 96 * 2 // steps or 1)) * 450 * SECOND
    times, codes = np.repeat(instants, SENSORS), np.tile(np.arange(SENSORS), steps)
    for number, start in enumerate(range(0, len(times), BLOCK)):
        part = slice(start, start + BLOCK)
        block = batch(times[part], codes[part], f"import:{IMPORT}", number)
        await store.append([block], {0: position + number + 1})
    await store.settle()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(rows: int, days: int, folder: Path) -> None:
    store = DuckDBStore(folder / "readings.duckdb")
    await store.open()
    position = await fill(store, days)
    before = await store.averages(END - days * DAY, END)
    began = time.perf_counter()
    await add_import(store, position, rows, days)
    imported = time.perf_counter() - began
    stored = (await store.stats()).readings
    print(f"{stored:,} readings stored; {rows:,} rows imported in {imported:.1f} s")
    began = time.perf_counter()
    preview = await store.preview_undo(IMPORT)
    print(
        f"preview: {preview.removed:,} would go, {preview.restored:,} come back; "
        f"{time.perf_counter() - began:.2f} s"
    )
    memory = peak_mb()
    began = time.perf_counter()
    undone = await store.undo(IMPORT)
    took = time.perf_counter() - began
    print(
        f"undone: {undone.removed:,} went, {undone.restored:,} came back in {took:.1f} s: "
        f"{rows / took:,.0f} rows/s, {took / imported:.2f} x the import; "
        f"peak memory {memory:,.0f} -> {peak_mb():,.0f} MB"
    )
    after = await store.averages(END - days * DAY, END)
    means = {row.equipment_id: row.mean for row in before}
    assert all(abs(row.mean - means[row.equipment_id]) < 1e-9 for row in after)
    assert [row.count for row in after] == [row.count for row in before]
    await store.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--days", type=int, default=30)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(given.rows, given.days, Path(scratch)))
