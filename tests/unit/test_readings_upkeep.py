"""Upkeep waits for a calm moment, but not for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from pipewatcher.model.readings import Batch
from pipewatcher.model.time import DAY, HOUR, SECOND
from pipewatcher.readings import duckdb as adapter
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql.cursor import one

LONG_AGO = 20_000 * DAY
NEVER_CALM = -1
LOOKS = 20


@pytest.mark.parametrize(
    ("calm_rows", "put_off_s", "tidied"),
    [(NEVER_CALM, 3_600.0, False), (NEVER_CALM, 0.0, True), (100, 3_600.0, True)],
)
def test_upkeep_waits_while_readings_stream(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calm_rows: int,
    put_off_s: float,
    tidied: bool,
) -> None:
    monkeypatch.setattr(adapter, "CALM_ROWS", calm_rows)
    monkeypatch.setattr(adapter, "UPKEEP_PUT_OFF_S", put_off_s)
    monkeypatch.setattr(adapter, "UPKEEP_INTERVAL_S", 0.0)
    monkeypatch.setattr(adapter, "FOLD_INTERVAL_S", 0.001)
    assert asyncio.run(_is_tidied(tmp_path)) is tidied


async def _is_tidied(folder: Path) -> bool:
    looks = 0
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Counted(DuckDBStore):
        def _learn_once(self) -> bool:
            nonlocal looks
            looks += 1
            if looks == LOOKS:
                loop.call_soon_threadsafe(looked.set)
            return super()._learn_once()

    store = Counted(folder / "readings.duckdb", clock=lambda: (LONG_AGO + 3 * DAY) / SECOND)
    await store.open()
    try:
        count = 10
        await store.append(
            [
                Batch(
                    equipment_ids=["EQ-1"],
                    codes=np.zeros(count, np.uint32),
                    event_times=LONG_AGO + np.arange(count) * HOUR,
                    values=np.ones(count),
                    origins=["http:a"],
                )
            ],
            {0: 1},
        )
        await store.settle()
        looks = 0
        await looked.wait()
        return bool(
            await store._ask(lambda cursor: one(cursor, "SELECT count(*) FROM rolled_day")[0])
        )
    finally:
        await store.close()
