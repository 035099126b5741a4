"""What is moved inside the store while questions run is in each answer once."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from pipewatcher.model.readings import Batch
from pipewatcher.model.time import DAY, HOUR, SECOND
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.recluster import Recluster
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET

SENSORS = 100
READINGS = 600_000
"""More than DuckDB's row group, in one day."""
LONG_AGO = 20_000 * DAY
REWRITES = 20


@pytest.mark.slow
def test_questions_beside_reclustering_see_each_reading_once(tmp_path: Path) -> None:
    asyncio.run(_ask_while_reclustered(tmp_path))


async def _ask_while_reclustered(folder: Path) -> None:
    store = DuckDBStore(folder / "readings.duckdb", clock=lambda: (LONG_AGO + HOUR) / SECOND)
    await store.open()
    try:
        await store.append([_a_day()], {0: 1})
        await store.settle()
        store._clock = lambda: (LONG_AGO + 30 * DAY) / SECOND
        await asyncio.to_thread(_recluster_under_questions, store)
    finally:
        await store.close()


def _a_day() -> Batch:
    codes = np.tile(np.arange(SENSORS, dtype=np.uint32), READINGS // SENSORS)
    return Batch(
        equipment_ids=[f"EQ-{n}" for n in range(SENSORS)],
        codes=codes,
        event_times=LONG_AGO + np.arange(READINGS) // SENSORS * SECOND,
        values=codes.astype(float),
        origins=["http:a"],
    )


def _recluster_under_questions(store: DuckDBStore) -> None:
    ended = threading.Event()
    seen: set[tuple[int, ...]] = set()

    def ask() -> None:
        while not ended.is_set():
            seen.add(store._snapshot(_counts))

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        _recluster_again_and_again(store)
    finally:
        ended.set()
        for asker in askers:
            asker.join()
    assert seen == {(READINGS // SENSORS, READINGS // SENSORS)}


def _counts(cursor: Cursor) -> tuple[int, ...]:
    """Fewest and most readings of a sensor; in two statements, as questions have several."""
    one(cursor, "SELECT min(event_time) FROM raw")
    counts = "SELECT count(*) AS n FROM raw GROUP BY sensor"
    return one(cursor, f"SELECT min(n), max(n) FROM ({counts})")


def _recluster_again_and_again(store: DuckDBStore) -> None:
    for _ in range(REWRITES):
        with store._fold_lock:
            cursor = store._cursor()
            day = (LONG_AGO + EPOCH_OFFSET) // DAY
            cursor.execute("INSERT INTO unclustered VALUES (?, ?)", [day, READINGS])
            now = int(store._clock() * SECOND)
            assert Recluster().step(cursor, now, store._questions)
