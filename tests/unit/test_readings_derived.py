"""Whoever changes `raw` in their own transaction brings everything up to date with one call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from contract.readings_suite import NOON, assert_answers_equal, batches_of, windows_around
from oracle import Oracle, Write
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import DAY, HOUR, MINUTE
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql.derived import recompute


def test_readings_taken_out_and_changed_leave_what_a_store_that_never_saw_them_has(
    tmp_path: Path,
) -> None:
    asyncio.run(_take_out(tmp_path))


async def _take_out(folder: Path) -> None:
    oracle = Oracle()
    writes = [
        Write(f"EQ-{sensor}", NOON - 2 * DAY + n * 7 * MINUTE, float(n % 13), "http:a")
        for sensor in range(3)
        for n in range(400)
    ]
    gone = [w for n, w in enumerate(writes) if n % 5 == 0 or w.event_time > NOON - HOUR]
    gone += [w for w in writes if w.equipment_id == "EQ-2"]
    store = DuckDBStore(folder / "readings.duckdb", memory_mb=256)
    await store.open()
    try:
        await store.append(batches_of(writes), {0: 1})
        await store.settle()
        cursor = store._cursor()
        cursor.execute("BEGIN")
        cursor.execute("CREATE TEMP TABLE changed (sensor INTEGER, event_time BIGINT)")
        for write in gone:
            code = store._known().sensor_codes[write.equipment_id]
            cursor.execute("INSERT INTO changed VALUES (?, ?)", [code, write.event_time])
        cursor.execute(
            "DELETE FROM raw USING changed AS c "
            "WHERE raw.sensor = c.sensor AND raw.event_time = c.event_time"
        )
        recompute(cursor, "changed")
        cursor.execute("COMMIT")
        oracle.write(w for w in writes if w not in gone)
        await assert_answers_equal(store, oracle, windows_around(NOON))
        assert (await store.stats()).readings == len(oracle.stored)
    finally:
        await store.close()


def test_a_fold_that_makes_very_many_rollups_anew_makes_them_all(tmp_path: Path) -> None:
    """More than a row group of DuckDB's in one transaction, and then a few."""
    asyncio.run(_renew_many(tmp_path))


async def _renew_many(folder: Path) -> None:
    sensors, hours = 300, 500
    store = DuckDBStore(folder / "readings.duckdb")
    await store.open()
    try:
        for position, minute in enumerate((10, 5), start=1):
            origin, first = ("http:a", 0) if position == 1 else ("import:1", 50)
            times = NOON - HOUR * np.repeat(np.arange(first, hours), sensors) + minute * MINUTE
            codes = np.tile(np.arange(sensors, dtype=np.uint32), len(times) // sensors)
            batch = Batch(
                equipment_ids=[f"EQ-{n}" for n in range(sensors)],
                codes=codes[::-1],
                event_times=times[::-1].astype(np.int64),
                values=codes.astype(float),
                origins=[origin],
            )
            await store.append([batch], {0: position})
            await store.settle()
            assert _readings_in(store, "rollup", "sum(count)") == _readings_in(store, "raw")
        await store.undo(1)
        assert _readings_in(store, "rollup", "sum(count)") == sensors * hours
        assert _readings_in(store, "raw") == sensors * hours
    finally:
        await store.close()


def _readings_in(store: DuckDBStore, table: str, what: str = "count(*)") -> int:
    [(found,)] = store._cursor().execute(f"SELECT {what} FROM {table}").fetchall()
    return int(found)
