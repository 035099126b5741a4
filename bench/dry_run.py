"""A dry run on one core: a file read, checked and compared with what is stored.

Half of the rows meet stored readings. Beside it the same file read and checked alone.

    python bench/dry_run.py [--rows 2000000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from pipewatcher.model.readings import Batch
from pipewatcher.model.time import MINUTE, SECOND
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.sources.csv_reader import CsvReader
from pipewatcher.sources.csv_rows import RowRules
from pipewatcher.validate import EventTimeBounds

SENSORS = 2_000
NAMES = [f"EQ-{n}" for n in range(SENSORS)]
START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = RowRules(bounds=EventTimeBounds(latest=2**62))


def write_file(path: Path, minutes: int) -> None:
    with path.open("w") as file:
        file.write("equipmentId,timestamp,value\n")
        for minute in range(minutes):
            stamp = (START + timedelta(minutes=minute)).isoformat(timespec="milliseconds")
            file.writelines(f"EQ-{n},{stamp},{(n * 37 + minute) % 9_973 / 100:.2f}\n"
                            for n in range(SENSORS))  # fmt: skip


async def fill(store: DuckDBStore, minutes: int) -> None:
    """Every other minute of the file, and as many again before it."""
    first = int(START.timestamp()) * SECOND
    for position, minute in enumerate(range(-minutes, minutes, 2), start=1):
        batch = Batch(
            equipment_ids=NAMES,
            codes=np.arange(SENSORS, dtype=np.uint32),
            event_times=np.full(SENSORS, first + minute * MINUTE),
            values=np.round((np.arange(SENSORS) * 37 + minute) % 9_973 / 100, 2),
            origins=["http:bench"],
        )
        await store.append([batch], {0: position})
        if position % 200 == 0:
            await store.settle()
    await store.settle()


async def dry_run(store: DuckDBStore, path: Path) -> tuple[int, float, float]:
    rows = 0
    began = time.perf_counter()
    rehearsal = store.rehearse(keep_stored=False)
    with path.open("rb") as file:
        for block in CsvReader(file, RULES):
            rows += block.accepted
            await rehearsal.add(block.batch("import:1"))
    staged = time.perf_counter() - began
    forecast = await rehearsal.forecast({})
    took = time.perf_counter() - began
    await rehearsal.close()
    print(f"{forecast.counts.new:,} new, {forecast.counts.identical:,} identical, "
          f"{forecast.counts.corrected:,} corrected")  # fmt: skip
    return rows, staged, took


def read_alone(path: Path) -> float:
    began = time.perf_counter()
    with path.open("rb") as file:
        for _ in CsvReader(file, RULES):
            pass
    return time.perf_counter() - began


async def main(rows: int) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    minutes = rows // SENSORS
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "x.csv"
        write_file(path, minutes)
        store = DuckDBStore(Path(scratch) / "readings.duckdb")
        await store.open()
        await fill(store, minutes)
        rows, staged, took = await dry_run(store, path)
        print(f"{rows:,} rows against {(await store.stats()).readings:,} stored, one core: "
              f"{took:.1f} s ({staged:.1f} s of it reading and staging): "
              f"{rows / took:,.0f} rows/s")  # fmt: skip
        alone = read_alone(path)
        print(f"read and checked alone: {rows / alone:,.0f} rows/s: {took / alone:.1f} x the time")
        await store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=2_000_000)
    asyncio.run(main(arguments.parse_args().rows))
