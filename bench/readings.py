"""The readings store at plant size: 2,000 sensors x 1/min x 30 days = 86.4 million readings.

A day more than the longest window is stored, so that a window's start cuts an hour.

Prints the rate of filling, bytes per reading, the means of all sensors over each window from the
rollups against the same means from the raw readings alone, and the same while readings come in.

    python bench/readings.py [--days 30] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from pipewatcher.model.readings import Batch
from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND
from pipewatcher.readings.duckdb import DuckDBStore

SENSORS = 2_000
NAMES = [f"EQ-{10_000 + n}" for n in range(SENSORS)]
END = 1_790_000_040 * SECOND
LIVE_PER_S = 20_000
LIVE_SECONDS = 30


def history(day: int, days: int, rng: np.random.Generator) -> list[Batch]:
    """A day in six batches, every sensor each minute at its own second."""
    batches = []
    start = END - (days - day) * DAY
    phases = (np.arange(SENSORS) * 7_919 % 60_000) * 1_000
    levels = 10 + (np.arange(SENSORS) * 37 % 900)
    for part in range(6):
        minutes = np.arange(part * 240, (part + 1) * 240)
        times = (start + minutes[:, None] * MINUTE + phases[None, :]).ravel()
        swing = np.sin(minutes / 200)[:, None] * levels[None, :] * 0.05
        noise = rng.normal(0, 0.003, (240, SENSORS)) * levels
        batches.append(
            Batch(
                equipment_ids=NAMES,
                codes=np.tile(np.arange(SENSORS, dtype=np.uint32), 240),
                event_times=times,
                values=np.round(levels + swing + noise, 2).ravel(),
                origins=["http:bench"],
            )
        )
    return batches


class Clock:
    """Follows the readings, so that weeks become cold as they would in a plant."""

    now: int = 0

    def __call__(self) -> float:
        return self.now / SECOND


clock = Clock()


async def fill(store: DuckDBStore, days: int) -> int:
    rng = np.random.default_rng(1)
    position = 0
    for day in range(days):
        for batch in history(day, days, rng):
            position += 1
            await store.append([batch], {0: position})
            await store.settle()
        clock.now = END - (days - day - 1) * DAY
        while store._tidy_once():
            pass
    return position


async def timed(store: DuckDBStore, window: int, runs: int, end: int = END) -> list[float]:
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        answer = await store.averages(end - window, end)
        took.append((time.perf_counter() - began) * 1e3)
        assert len(answer) == SENSORS
        await asyncio.sleep(0.05)
    return took


def raw_means(store: DuckDBStore, window: int) -> float:
    cursor = store._cursor()
    began = time.perf_counter()
    cursor.execute(
        "SELECT sensor, count(*), avg(value), min(value), max(value) FROM raw "
        "WHERE event_time >= ? AND event_time < ? GROUP BY sensor",
        [END - window, END],
    ).fetchall()
    return (time.perf_counter() - began) * 1e3


async def live(store: DuckDBStore, position: int, since: int, late_each: int) -> int:
    """20,000 readings/s, drained every 50 ms, for half a minute; one in so many is an hour late."""
    per_drain = LIVE_PER_S // 20
    rng = np.random.default_rng(2)
    began = time.perf_counter()
    for step in range(LIVE_SECONDS * 20):
        position += 1
        codes = (np.arange(per_drain) + step * per_drain) % SENSORS
        late = np.where(np.arange(per_drain) % late_each == late_each - 1, HOUR, 0)
        await store.append(
            [
                Batch(
                    equipment_ids=NAMES,
                    codes=codes.astype(np.uint32),
                    event_times=since + 50_000 * step + np.arange(per_drain) * 50 - late,
                    values=np.round(rng.normal(100, 1, per_drain), 2),
                    origins=["http:bench"],
                )
            ],
            {0: position},
        )
        await asyncio.sleep(max(0, began + (step + 1) * 0.05 - time.perf_counter()))
    return position


def p(took: list[float], percent: int) -> float:
    return sorted(took)[min(len(took) - 1, len(took) * percent // 100)]


async def main(days: int, folder: Path) -> None:
    path = folder / "readings.duckdb"
    readings = SENSORS * 1_440 * (days + 1)
    store = DuckDBStore(path, clock=clock)
    await store.open()
    position = (await store.position()).get(0, 0)
    if position == 0:
        began = time.perf_counter()
        position = await fill(store, days + 1)
        took = time.perf_counter() - began
        print(f"filled {readings:,} readings: {readings / took:,.0f} readings/s")
    await store.close()
    began = time.perf_counter()
    clock.now = END
    store = DuckDBStore(path, clock=clock)
    await store.open()
    print(f"opened in {time.perf_counter() - began:.2f} s")
    sizes = "SELECT block_size, used_blocks FROM pragma_database_size()"
    [(block, used)] = store._cursor().execute(sizes).fetchall()
    print(
        f"bytes per reading: {block * used / readings:.2f} in use, "
        f"{path.stat().st_size / readings:.2f} with the free room in the file"
    )
    for name, window in (("24h", DAY), ("48h", 2 * DAY), ("7d", 7 * DAY), ("30d", 30 * DAY)):
        took = await timed(store, window, 9)
        raw = await asyncio.to_thread(lambda w=window: raw_means(store, w))
        print(
            f"means of {SENSORS} sensors, {name}: median {statistics.median(took):.0f} ms, "
            f"max {max(took):.0f} ms; raw scan {raw:.0f} ms: {raw / statistics.median(took):.1f} x"
        )
    (since,) = store._cursor().execute("SELECT max(last_time) FROM latest").fetchone() or (END,)
    for name, late_each in (("", 10**9), (", one in 100 an hour late", 100)):
        since += 2 * MINUTE
        before = await store.stats()
        feeding = asyncio.create_task(live(store, position, since, late_each))
        took = []
        while not feeding.done():
            for window in (DAY, 30 * DAY):
                took += await timed(store, window, 1, since + LIVE_SECONDS * SECOND)
        position = await feeding
        stats = await store.stats()
        folds, seconds = stats.folds - before.folds, stats.fold_seconds - before.fold_seconds
        print(
            f"beside {LIVE_PER_S:,} readings/s{name}: median {statistics.median(took):.0f} ms, "
            f"p99 {p(took, 99):.0f} ms; {folds} folds, {1e3 * seconds / max(folds, 1):.0f} ms each"
        )
    await store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--days", type=int, default=30)
    arguments.add_argument("--folder", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(given.days, given.folder or Path(scratch)))
