"""A data folder of an older format opens, with everything that today's answers need."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from contract.readings_suite import NOON, assert_answers_equal, batches_of, windows_around
from oracle import Oracle, Write
from pipewatcher.errors import DataFolderTooNew
from pipewatcher.model.time import DAY, MINUTE
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql import cadences

TO_FORMAT_1 = """
DROP TABLE cadence; DROP TABLE gap; DROP TABLE mended;
ALTER TABLE rollup DROP inner_held; ALTER TABLE rollup DROP inner_integral;
ALTER TABLE rollup DROP prev_time; ALTER TABLE rollup DROP prev_value;
ALTER TABLE rollup DROP held; ALTER TABLE rollup DROP integral;
ALTER TABLE latest DROP first_time; UPDATE meta SET format = 1;
"""


async def _store(path: Path) -> DuckDBStore:
    store = DuckDBStore(path, memory_mb=256)
    await store.open()
    return store


async def test_a_file_of_format_1_learns_cadences_and_lists_its_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cadences, "ROWS_PER_STEP", 500)
    oracle = Oracle()
    writes = [
        Write(f"EQ-{sensor}", NOON - 2 * DAY + n * 7 * MINUTE, float(n % 13), "http:a")
        for sensor in range(4)
        for n in range(400)
        if n // 50 != 2 + sensor
    ]
    writes += [Write("EQ-rare", NOON - 3 * DAY, 1.0, "http:a")]
    oracle.write(writes)
    path = tmp_path / "readings.duckdb"
    store = await _store(path)
    await store.append(batches_of(writes), {0: 1})
    await store.close()
    with duckdb.connect(str(path)) as file:
        for statement in TO_FORMAT_1.strip().split(";"):
            file.execute(statement)
    store = await _store(path)
    try:
        learned = {name: c.learned for name, c in (await store.cadences()).items()}
        assert learned == {f"EQ-{n}": 5 * MINUTE for n in range(4)}
        await assert_answers_equal(store, oracle, windows_around(NOON))
        late = [Write("EQ-1", NOON - 2 * DAY + 160 * 7 * MINUTE, 2.0, "import:1")]
        oracle.write(late)
        await store.append(batches_of(late), {0: 2})
        await store.settle()
        await assert_answers_equal(store, oracle, windows_around(NOON))
    finally:
        await store.close()


async def test_a_file_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "readings.duckdb"
    await (await _store(path)).close()
    with duckdb.connect(str(path)) as file:
        file.execute("UPDATE meta SET format = 99")
    with pytest.raises(DataFolderTooNew):
        await _store(path)
