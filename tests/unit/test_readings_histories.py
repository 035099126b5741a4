"""Random histories against the brute-force oracle: late, repeated, corrected, imported, out of
order, at the edges of hours and days, with folds, checkpoints and restarts anywhere between."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.readings_suite import (
    NOON,
    assert_answers_equal,
    batches_of,
    near,
    windows_around,
)
from oracle import Oracle, Write, learned_cadence
from pipewatcher.model.imports import MendedGap
from pipewatcher.model.time import DAY, HOUR, MINUTE, NO_END
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql import cadences, recluster, undo
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import ROLLUP_COLUMNS
from pipewatcher.readings.duckdb_sql.undo import undone

EVER = (-(2**62), 2**62)
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
regular = st.builds(
    lambda sensor, start, step, count, origin: [
        Write(sensor, start + n * step, float(n % 7), origin) for n in range(count)
    ],
    st.sampled_from(["EQ-1", "EQ-2"]),
    st.sampled_from([edge - 25 * MINUTE for edge in EDGES]),
    st.sampled_from([MINUTE, 5 * MINUTE, HOUR]),
    st.integers(10, 60),
    st.sampled_from(["http:admin", "import:1"]),
)
cadence_changes = st.dictionaries(
    st.sampled_from(["EQ-1", "EQ-2", "Ω-3", "EQ-unknown"]),
    st.sampled_from([None, 0, 1_000, MINUTE, 15 * MINUTE, HOUR, DAY]),
    min_size=1,
)
Step: TypeAlias = list[Write] | Rehearsed | dict[str, int | None] | str
steps = st.lists(
    st.one_of(
        regular,
        cadence_changes,
        st.lists(writes, min_size=1, max_size=12),
        rehearsed,
        st.lists(keeping, min_size=1, max_size=4),
        st.sampled_from(["fold", "restart", "recluster", "undo 1", "undo 2", "undo 3"]),
    ),
    min_size=1,
    max_size=12,
)


def regular_import(count: int) -> list[Write]:
    return [Write("EQ-2", NOON + n * MINUTE, float(n % 7), "import:1") for n in range(count)]


def every_minute(*spans: range) -> list[Write]:
    return [
        Write("EQ-2", NOON + n * MINUTE, float(n % 5), "http:a") for span in spans for n in span
    ]


def lost(minutes: range) -> list[Write]:
    return [Write("EQ-2", NOON + n * MINUTE, float(n % 7), "import:9") for n in minutes]


@given(history=steps)
@example(history=[regular_import(30), "undo 1"])
@example(history=[every_minute(range(40), range(60, 90)), Rehearsed(lost(range(40, 60)))])
@example(history=[every_minute(range(40), range(60, 90)), Rehearsed(lost(range(45, 50)))])
@example(history=[every_minute(range(40)), Rehearsed(lost(range(30, 200, 20)))])
@example(history=[regular_import(30), {"EQ-2": 15 * MINUTE}, "recluster", regular_import(31)])
def test_answers_equal_brute_force_after_any_history(
    history: list[Step],
) -> None:
    asyncio.run(live_through(history))


async def live_through(history: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle()
        wanted: dict[str, int | None] = {}
        store = await _open(Path(folder))
        try:
            for position, step in enumerate(history, start=1):
                if isinstance(step, Rehearsed):
                    await _assert_forecast_is_what_would_come(store, oracle, step.rows)
                elif step == "restart":
                    await store.close()
                    store = await _open(Path(folder))
                elif isinstance(step, dict):
                    await store.set_cadences(step)
                    wanted |= {name: step[name] for name in step if name in await store.sensors()}
                elif isinstance(step, str):
                    await _do(store, oracle, step)
                else:
                    await _write(store, oracle, step, position)
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
            await _assert_the_books_add_up(store, history)
            _assert_what_follows_equals_a_recomputation(store)
            found = await store.cadences()
            assert {name: c.learned for name, c in found.items() if c.learned is not None} == {
                name: cadence
                for name in oracle.sensors()
                if (cadence := learned_cadence([t for t, _, _ in oracle.readings(name, *EVER)]))
            }
            assert {name: cadence for name, cadence in wanted.items() if cadence is not None} == {
                name: c.setting for name, c in found.items() if c.setting is not None
            }
            stats = await store.stats()
            assert (stats.readings, stats.unfolded) == (len(oracle.stored), 0)
        finally:
            await store.close()


async def _assert_the_books_add_up(store: DuckDBStore, history: list[Step]) -> None:
    written = Counter(
        write.origin.partition(":")[0]
        for step in history
        if isinstance(step, list)
        for write in step
    )
    books = await store.books()
    assert {door.door: door.stored for door in books.doors} == written
    for door in books.doors:
        parts = (door.new, door.identical, door.corrected, door.repeated, door.skipped)
        assert min(parts) >= 0
        assert sum(parts) == door.stored
        assert door.unfolded == 0


async def _do(store: DuckDBStore, oracle: Oracle, step: str) -> None:
    if step == "recluster":
        await store.settle()
        while store._tidy_once():
            pass
    elif step.startswith("undo"):
        await _assert_undo_does_what_it_said(store, oracle, int(step[-1]))
    else:
        await store.settle()


async def _write(store: DuckDBStore, oracle: Oracle, writes: list[Write], position: int) -> None:
    keeping = any(write.keep_stored for write in writes)
    if keeping:
        await store.settle()
    oracle.write(writes)
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
    learned = await store.cadences()
    cadences = {
        name: learned[name].effective if name in learned else None for name in await store.sensors()
    }
    for change in forecast.changes:
        assert forecast.start is not None
        assert forecast.end is not None
        cadence = cadences.get(change.equipment_id)
        for world, count, mean, weighted, coverage in (
            (oracle, change.count_before, change.mean_before, change.weighted_before,
             change.coverage_before),
            (after, change.count_after, change.mean_after, change.weighted_after,
             change.coverage_after),
        ):  # fmt: skip
            start, end = forecast.start, forecast.end
            average = world.average(change.equipment_id, start, end, end, cadence)
            assert (count, near(mean)) == (
                (average["count"], average["mean"]) if average else (0, None)
            )
            if change.equipment_id not in cadences:
                assert (weighted, coverage) == (None, None)
                continue
            assert near(weighted) == (average["time_weighted_mean"] if average else None)
            known = average is not None and cadence is not None
            assert near(coverage) == (_coverage(average, start, end) if known else None)
    assert (forecast.gaps_closed, forecast.gaps_partly, gaps_of(forecast.closed)) == _mended(
        oracle, after, cadences, {(row.equipment_id, row.event_time) for row in rows}
    )
    overwritten = [
        key
        for key, write in after.stored.items()
        if key in oracle.stored
        and not oracle.stored[key].origin.startswith("import:")
        and oracle.stored[key].value != write.value
    ]
    assert forecast.live_overwritten == len(overwritten)
    assert len({(r.equipment_id, r.event_time) for r in forecast.live_rows}) == len(overwritten)


def _coverage(average: dict[str, Any], start: int, end: int) -> float:
    return float(1 - average["gap_time"] / (end - max(start, average["oldest_time"])))


def gaps_of(gaps: list[MendedGap]) -> set[tuple[str, int, int]]:
    return {(gap.equipment_id, gap.start, gap.end) for gap in gaps}


def _mended(
    before: Oracle,
    after: Oracle,
    cadences: dict[str, int | None],
    written: set[tuple[str, int]],
) -> tuple[int, int, set[tuple[str, int, int]]]:
    """How many gaps of before would be closed, and filled in part; and the closed ones."""
    closed, partly = set(), 0
    for name, cadence in cadences.items():
        left = after.gaps(name, *EVER, 0, cadence)
        came = [t for sensor, t in written if sensor == name and (sensor, t) in after.stored]
        for start, end in before.gaps(name, *EVER, 0, cadence):
            if end == NO_END or not any(start < time < end for time in came):
                continue
            if any(a < end and b > start for a, b in left):
                partly += 1
            else:
                closed.add((name, start, end))
    return len(closed), partly, closed


async def _assert_undo_does_what_it_said(
    store: DuckDBStore, oracle: Oracle, import_id: int
) -> None:
    before = await store.preview_undo(import_id)
    earlier = undone(store._cursor(), import_id)
    total = await store.undo(import_id)
    did = (total.removed - earlier.removed, total.restored - earlier.restored)
    assert did == (before.removed, before.restored) == oracle.undo(import_id)
    assert sum(item.removed for item in before.items) == before.removed


def _assert_what_follows_equals_a_recomputation(store: DuckDBStore) -> None:
    """Whether an hour was extended or recomputed, it and its gaps are what `raw` says."""
    cursor = store._cursor()
    kept = _what_follows(cursor)
    cursor.execute("BEGIN")
    cursor.execute("CREATE TEMP TABLE changed AS SELECT sensor, true AS renew FROM cadence")
    cadences.rebuild(cursor)
    made = _what_follows(cursor)
    cursor.execute("ROLLBACK")
    assert kept[:2] == made[:2]
    assert kept[2] == pytest.approx(made[2], rel=1e-12, abs=1e-15)


def _what_follows(cursor: Cursor) -> tuple[object, ...]:
    rounded = {"sum", "inner_integral", "integral"}
    columns = [name for name in ROLLUP_COLUMNS.split(", ") if name not in rounded]
    order = "ORDER BY sensor, hour"
    sums = cursor.execute(f"SELECT sum, inner_integral, integral FROM rollup {order}").fetchall()
    return (
        cursor.execute(f"SELECT {', '.join(columns)} FROM rollup {order}").fetchall(),
        cursor.execute("SELECT * FROM gap ORDER BY ALL").fetchall(),
        [value for row in sums for value in row],
    )


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
    asyncio.run(live_through([writes, "recluster"]))


def test_an_undo_in_many_steps_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "ROWS_PER_STEP", 5)
    hours = [NOON - n * HOUR // 3 for n in range(60)]
    live = [Write("EQ-1", time, 1.0, "http:a") for time in hours[::2]]
    first = [Write("EQ-1", time, 2.0, "import:1") for time in hours]
    second = [Write("EQ-1", time, 3.0, "import:2") for time in hours[10:40]]
    asyncio.run(live_through([live, first, second, "undo 1", "fold", "undo 2"]))
