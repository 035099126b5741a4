"""Retention on the real store and registry: what goes, what stays, and that answers stay exact."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.readings_suite import NOON, assert_answers_equal, batches_of, near
from oracle import Oracle, Write
from pipewatcher.errors import InvalidRequest
from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND
from pipewatcher.queries import Queries
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.retention import Keeper

DAYS = 40
KEPT = 31
TODAY = NOON // DAY * DAY


async def fresh() -> None:
    """Nothing waits but in the store."""


@dataclass
class Plant:
    store: DuckDBStore
    registry: SQLiteRegistry
    keeper: Keeper
    oracle: Oracle
    now: int = NOON

    async def write(self, writes: list[Write], position: int) -> None:
        self.oracle.write(writes)
        await self.store.append(batches_of(writes), {0: position})

    async def enforce_later(self) -> int:
        self.now += DAY
        return (await self.keeper.enforce()).readings


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    store = DuckDBStore(tmp_path / "readings.duckdb", memory_mb=256, clock=lambda: NOON / SECOND)
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await store.open()
    await registry.open()
    found = Plant(
        store, registry, Keeper(registry, store, fresh, lambda: found.now / SECOND), Oracle()
    )
    await found.keeper.start()
    await found.write(
        [
            Write(
                f"EQ-{sensor}",
                NOON - DAYS * DAY + n * 10 * MINUTE,
                float(n % 13 + sensor),
                "http:a",
            )
            for sensor in range(3)
            for n in range(DAYS * 144)
            if n % 500 not in range(sensor * 9)
        ],
        1,
    )
    await store.settle()
    yield found
    await store.close()
    await registry.close()


async def test_without_a_setting_nothing_is_refused_or_dropped(plant: Plant) -> None:
    assert plant.keeper.oldest(NOON) is None
    assert await plant.enforce_later() == 0
    assert plant.keeper.kept_from is None


async def test_what_is_older_is_refused_at_once_and_dropped_a_day_later(plant: Plant) -> None:
    said = await plant.keeper.would_drop(KEPT)
    older = [t for _, t in plant.oracle.stored if t < TODAY - KEPT * DAY]
    assert (said.readings, said.sensors) == (len(older), 3)
    assert (said.first_time, said.last_time) == (min(older), max(older))
    await plant.keeper.change(KEPT, "ana")
    assert plant.keeper.oldest(NOON) == TODAY - KEPT * DAY
    assert (await plant.keeper.enforce()).readings == 0
    assert await plant.enforce_later() == len(older)
    assert plant.keeper.kept_from == TODAY - KEPT * DAY
    assert await plant.store.readings("EQ-0", 0, TODAY - KEPT * DAY, 10) == []
    assert (await plant.keeper.enforce()).readings == 0


async def test_means_of_dropped_days_stay_and_kept_days_stay_exact(plant: Plant) -> None:
    kept_from = TODAY - KEPT * DAY
    before = {}
    for hours in (1, 24, 200):
        start = kept_from - 210 * HOUR
        before[start, start + hours * HOUR] = await plant.store.averages(
            start, start + hours * HOUR
        )
    await plant.keeper.change(KEPT, "ana")
    await plant.enforce_later()
    for (start, end), want in before.items():
        assert await plant.store.averages(start, end) == want
    late = [Write("EQ-1", kept_from + n * 7 * MINUTE, -5.0, "import:1") for n in range(300)]
    await plant.write(late, 2)
    await plant.store.settle()
    inside = [(kept_from, NOON), (NOON - 30 * DAY, NOON), (NOON - DAY - 7, NOON - 5)]
    await assert_answers_equal(plant.store, plant.oracle, inside, [HOUR, DAY])
    await plant.store.undo(1)
    plant.oracle.undo(1)
    await assert_answers_equal(plant.store, plant.oracle, inside, [HOUR, DAY])
    crossing = (kept_from - 100 * HOUR, NOON)
    for answer in await plant.store.averages(*crossing):
        want_one = plant.oracle.average(answer.equipment_id, *crossing, NOON, answer.cadence)
        assert want_one is not None
        assert answer.count == want_one["count"]
        assert answer.mean == near(want_one["mean"])
        assert answer.time_weighted_mean == near(want_one["time_weighted_mean"])


async def test_another_cadence_leaves_dropped_days_as_they_were(plant: Plant) -> None:
    kept_from = TODAY - KEPT * DAY
    await plant.keeper.change(KEPT, "ana")
    await plant.enforce_later()
    old = (kept_from - 200 * HOUR, kept_from)
    before = {a.equipment_id: a.mean for a in await plant.store.averages(*old)}
    await plant.store.set_cadences({"EQ-1": HOUR, "EQ-2": 5 * MINUTE})
    assert {a.equipment_id: a.mean for a in await plant.store.averages(*old)} == before
    inside = [(kept_from + HOUR, NOON), (NOON - 30 * DAY, NOON)]
    await assert_answers_equal(plant.store, plant.oracle, inside, [HOUR])


async def test_a_window_that_reaches_behind_is_of_whole_hours_and_says_so(plant: Plant) -> None:
    await plant.keeper.change(KEPT, "ana")
    await plant.enforce_later()
    queries = Queries(
        plant.store,
        plant.registry,
        fresh,
        lambda: plant.now / SECOND,
        kept_from=lambda: plant.keeper.kept_from,
    )
    until = NOON + 17 * SECOND
    found = await queries.averages("35d", until)
    assert (found.start, found.end) == (NOON - 35 * DAY + HOUR, until)
    exact = await queries.averages("30d", until)
    assert exact.start == until - 30 * DAY
    with pytest.raises(InvalidRequest):
        await queries.averages("10m", NOON - 35 * DAY + 30 * MINUTE)
    with pytest.raises(InvalidRequest):
        await queries.series(["EQ-0"], NOON - 35 * DAY, NOON - 34 * DAY, "5m")
    width, _ = await queries.series(["EQ-0"], NOON - 35 * DAY, NOON - 34 * DAY, "auto")
    assert width == HOUR


@pytest.mark.parametrize("days", [0, -1, 30, 40_000])
async def test_less_than_the_longest_window_cannot_be_kept(plant: Plant, days: int) -> None:
    with pytest.raises(InvalidRequest):
        await plant.keeper.change(days, "ana")
    assert (await plant.registry.retention()).days is None


async def test_the_setting_outlives_a_restart(plant: Plant) -> None:
    await plant.keeper.change(KEPT, "ana")
    await plant.enforce_later()
    again = Keeper(plant.registry, plant.store, fresh, lambda: plant.now / SECOND)
    await again.start()
    assert again.retention.days == KEPT
    assert again.oldest(NOON) == plant.keeper.kept_from
