"""Random histories against the brute-force oracle: late, repeated, corrected, imported, out of
order, at the edges of hours and days, with folds, checkpoints and restarts anywhere between."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.readings_suite import (
    NOON,
    assert_answers_equal,
    batches_of,
    near,
    windows_around,
)
from oracle import Oracle, Write
from pipewatcher.model import DAY, HOUR, MINUTE
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql import recluster, undo
from pipewatcher.readings.duckdb_sql.schema import HOUR_OF, ROLLUP_OF_READINGS
from pipewatcher.readings.duckdb_sql.undo import undone

EDGES = [NOON, NOON - HOUR, NOON - DAY // 2, NOON - DAY, NOON - 7 * DAY, NOON - 30 * DAY]
times = st.one_of(
    st.builds(lambda edge, off: edge + off, st.sampled_from(EDGES), st.integers(-2, 2)),
    st.builds(lambda step: NOON - step * 15 * MINUTE, st.integers(-6, 200)),
    st.integers(NOON - 40 * DAY, NOON + HOUR),
)
writes = st.builds(
    Write,
    equipment_id=st.sampled_from(["EQ-1", "EQ-2", "Ω-3"]),
    event_time=times,
    value=st.integers(-4, 4).map(lambda n: n / 4),
    origin=st.sampled_from(["http:admin", "http:gw", "import:1", "import:2"]),
)
keeping = st.builds(
    Write,
    equipment_id=st.sampled_from(["EQ-1", "EQ-2"]),
    event_time=times,
    value=st.integers(-1, 1).map(float),
    origin=st.just("import:3"),
    keep_stored=st.just(True),
)


@dataclass(frozen=True)
class Rehearsed:
    """A file that is only tried out."""

    rows: list[Write]


rehearsed = st.builds(
    lambda rows, keep: Rehearsed(
        [replace(row, origin="import:9", keep_stored=keep) for row in rows]
    ),
    st.lists(writes, min_size=1, max_size=8),
    st.booleans(),
)
steps = st.lists(
    st.one_of(
        st.lists(writes, min_size=1, max_size=12),
        rehearsed,
        st.lists(keeping, min_size=1, max_size=4),
        st.sampled_from(["fold", "restart", "recluster", "undo 1", "undo 2", "undo 3"]),
    ),
    min_size=1,
    max_size=12,
)


@given(history=steps)
def test_answers_equal_brute_force_after_any_history(
    history: list[list[Write] | Rehearsed | str],
) -> None:
    asyncio.run(_live_through(history))


async def _live_through(history: list[list[Write] | Rehearsed | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle()
        store = await _open(Path(folder))
        try:
            for position, step in enumerate(history, start=1):
                if isinstance(step, Rehearsed):
                    await _assert_forecast_is_what_would_come(store, oracle, step.rows)
                elif step == "fold":
                    await store.settle()
                elif step == "restart":
                    await store.close()
                    store = await _open(Path(folder))
                elif step == "recluster":
                    await store.settle()
                    while store._recluster_once():
                        pass
                elif isinstance(step, str):
                    await _assert_undo_does_what_it_said(store, oracle, int(step[-1]))
                else:
                    oracle.write(step)
                    await _append(store, step, position)
            await assert_answers_equal(store, oracle, windows_around(NOON)[1::3], [HOUR])
            await store.settle()
            await assert_answers_equal(store, oracle, windows_around(NOON)[::3], [MINUTE, DAY])
            for import_id in (1, 2, 3):
                counts = await store.import_counts(import_id)
                want = oracle.counts(import_id)
                assert (
                    counts.accepted,
                    counts.new,
                    counts.identical,
                    counts.corrected,
                    counts.repeated,
                    counts.skipped,
                ) == (
                    want.accepted,
                    want.new,
                    want.identical,
                    want.corrected,
                    want.repeated,
                    want.skipped,
                )
            for sensor, event_time in list(oracle.stored)[::4]:
                got = await store.history(sensor, event_time)
                assert [(v.value, v.origin) for v in got] == oracle.history(sensor, event_time)
            _assert_rollups_equal_a_recomputation(store)
            stats = await store.stats()
            assert (stats.readings, stats.unfolded) == (len(oracle.stored), 0)
        finally:
            await store.close()


async def _append(store: DuckDBStore, writes: list[Write], position: int) -> None:
    keeping = any(write.keep_stored for write in writes)
    if keeping:
        await store.settle()
    await store.append(batches_of(writes), {0: position})
    if keeping:
        await store.settle()


async def _assert_forecast_is_what_would_come(
    store: DuckDBStore, oracle: Oracle, rows: list[Write]
) -> None:
    after = copy.deepcopy(oracle)
    after.write(rows)
    rehearsal = store.rehearse(keep_stored=rows[0].keep_stored)
    for batch in batches_of(rows):
        await rehearsal.add(batch)
    forecast = await rehearsal.forecast({})
    await rehearsal.close()
    want = after.counts(9)
    assert forecast.counts == want
    for change in forecast.changes:
        assert forecast.start is not None
        assert forecast.end is not None
        for world, count, mean in (
            (oracle, change.count_before, change.mean_before),
            (after, change.count_after, change.mean_after),
        ):
            average = world.average(change.equipment_id, forecast.start, forecast.end)
            average = average or {"count": 0, "mean": None}
            assert (count, near(mean)) == (average["count"], average["mean"])
    overwritten = [
        key
        for key, write in after.stored.items()
        if key in oracle.stored
        and not oracle.stored[key].origin.startswith("import:")
        and oracle.stored[key].value != write.value
    ]
    assert forecast.live_overwritten == len(overwritten)
    assert len({(r.equipment_id, r.event_time) for r in forecast.live_rows}) == len(overwritten)


async def _assert_undo_does_what_it_said(
    store: DuckDBStore, oracle: Oracle, import_id: int
) -> None:
    before = await store.preview_undo(import_id)
    earlier = undone(store._cursor(), import_id)
    total = await store.undo(import_id)
    did = (total.removed - earlier[0], total.restored - earlier[1])
    assert did == (before.removed, before.restored) == oracle.undo(import_id)
    assert sum(item.removed for item in before.items) == before.removed


def _assert_rollups_equal_a_recomputation(store: DuckDBStore) -> None:
    """Whether an hour was extended or recomputed, its rollup is what `raw` says."""
    exact = "sensor, hour, count, min, max, first_time, first_value, last_time, last_value"
    cursor = store._cursor()
    kept = cursor.execute(
        f"SELECT {exact}, imported, sum FROM rollup ORDER BY sensor, hour"
    ).fetchall()
    made = cursor.execute(
        f"SELECT {exact}, imported, sum FROM (SELECT sensor, hour, {ROLLUP_OF_READINGS} "
        f"FROM (SELECT *, {HOUR_OF}::INTEGER AS hour FROM raw) GROUP BY sensor, hour) "
        "ORDER BY sensor, hour"
    ).fetchall()
    assert [row[:-1] for row in kept] == [row[:-1] for row in made]
    assert [row[-1] for row in kept] == pytest.approx([row[-1] for row in made], abs=1e-15)


async def _open(folder: Path) -> DuckDBStore:
    store = DuckDBStore(folder / "readings.duckdb", memory_mb=256, clock=lambda: NOON / 1e6)
    await store.open()
    return store


def test_a_block_is_rewritten_in_several_steps_without_losing_a_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recluster, "ROWS_PER_STEP", 7)
    writes = [
        Write(f"EQ-{n % 9}", NOON - 20 * DAY + n * HOUR, float(n), "http:a") for n in range(200)
    ]
    asyncio.run(_live_through([writes, "recluster"]))


def test_an_undo_in_many_steps_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "ROWS_PER_STEP", 5)
    hours = [NOON - n * HOUR // 3 for n in range(60)]
    live = [Write("EQ-1", time, 1.0, "http:a") for time in hours[::2]]
    first = [Write("EQ-1", time, 2.0, "import:1") for time in hours]
    second = [Write("EQ-1", time, 3.0, "import:2") for time in hours[10:40]]
    asyncio.run(_live_through([live, first, second, "undo 1", "fold", "undo 2"]))
