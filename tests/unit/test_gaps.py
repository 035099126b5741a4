"""The ledger on the real store and registry: states follow from readings, whatever came when."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.readings_suite import NOON, batches_of
from oracle import Write
from pipewatcher.errors import InvalidRequest, NotFound
from pipewatcher.gaps.ledger import GapLedger
from pipewatcher.model.gaps import Downtime
from pipewatcher.model.time import DAY, HOUR, MINUTE
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry


class Plant:
    """Writes readings; the clock stands right behind them unless it is moved."""

    def __init__(self, folder: Path) -> None:
        self.store = DuckDBStore(folder / "readings.duckdb", memory_mb=256)
        self.registry = SQLiteRegistry(folder / "registry.sqlite")
        self.now = NOON
        self.ledger = GapLedger(self.store, self.registry, self._fresh, lambda: self.now / 1e6)
        self._position = 0

    async def _fresh(self) -> None: ...

    async def write(self, *writes: Write, fold: bool = True) -> None:
        self._position += 1
        await self.store.append(batches_of(writes, self._position * 100), {0: self._position})
        if fold:
            await self.store.settle()

    async def listed(self, *states: str) -> list[tuple[str, int, int | None, str]]:
        page = await self.ledger.gaps(states=states, limit=10_000)
        assert page.total == len(page.items)
        return sorted(
            (
                gap.equipment_id,
                (gap.start - NOON) // MINUTE,
                None if gap.end is None else (gap.end - NOON) // MINUTE,
                gap.state,
            )
            for gap in page.items
        )


def minutes(sensor: str, *spans: range, origin: str = "http:gw") -> list[Write]:
    return [Write(sensor, NOON + m * MINUTE, float(m), origin) for span in spans for m in span]


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    plant = Plant(tmp_path)
    await plant.store.open()
    await plant.registry.open()
    yield plant
    await plant.store.close()
    await plant.registry.close()


async def test_what_is_taken_out_is_listed_and_closed_by_what_brings_it_back(
    plant: Plant,
) -> None:
    chance = random.Random(5)
    whole = [w for sensor in ("A", "B", "C") for w in minutes(sensor, range(3_000))]
    starts = [m + chance.randrange(20) for m in range(40, 2_900, 95)]
    spans = [(chance.choice("ABC"), m, m + chance.randrange(4, 60)) for m in starts]
    assert len(spans) >= 30
    lost = [
        w
        for w in whole
        if any(w.equipment_id == s and a < (w.event_time - NOON) // MINUTE < b for s, a, b in spans)
    ]
    missing = {(w.equipment_id, w.event_time) for w in lost}
    await plant.write(*[w for w in whole if (w.equipment_id, w.event_time) not in missing])
    plant.now = NOON + 3_000 * MINUTE
    want = [(s, a, b, "open") for s, a, b in sorted(spans)]
    assert await plant.listed() == want
    back = [Write(w.equipment_id, w.event_time, w.value, "import:1") for w in lost]
    chance.shuffle(back)
    for half in (back[::2], back[1::2]):
        await plant.write(*half)
    assert await plant.listed() == [(s, a, b, "filled") for s, a, b in sorted(spans)]
    [closing] = await plant.ledger.closings(0)
    assert (closing.import_id, closing.count, closing.equipment_id) == (1, len(spans), None)
    closed = await plant.ledger.closed_by(1, plant.now)
    assert (len(closed.closed), closed.partly, closed.untouched) == (len(spans), [], [])
    assert {tuple(gap.closed_by) for gap in (await plant.ledger.gaps()).items} == {("import:1",)}
    await plant.store.undo(1)
    assert await plant.listed() == want
    assert (await plant.ledger.closed_by(1, plant.now)).closed == []
    assert await plant.ledger.closings(0) == []


@pytest.mark.parametrize("fold", [True, False])
async def test_a_requested_gap_is_partly_filled_then_filled(plant: Plant, *, fold: bool) -> None:
    await plant.write(*minutes("A", range(60), range(90, 120), range(200, 220)))
    plant.now = NOON + 220 * MINUTE
    [first, second] = (await plant.ledger.gaps()).items
    plant.now += 1
    asked = await plant.ledger.request("ana")
    assert [(gap.equipment_id, gap.expected) for gap in asked] == [("A", 30), ("A", 80)]
    assert {state for *_, state in await plant.listed()} == {"requested"}
    await plant.write(*minutes("A", range(60, 75), origin="import:2"), fold=fold)
    part = [("A", 74, 90, "partly_filled"), ("A", 119, 200, "requested")]
    assert await plant.listed() == part
    assert await plant.listed("partly_filled") == part[:1]
    await plant.write(*minutes("A", range(75, 90), origin="import:3"), fold=True)
    assert await plant.listed() == [("A", 59, 90, "filled"), ("A", 119, 200, "requested")]
    plant.now += 1
    closed = await plant.ledger.closed_by(3, plant.now)
    assert [gap.id for gap in closed.untouched] == [first.id]
    page = await plant.ledger.gaps(states=["filled"])
    assert page.items[0].id == second.id
    assert page.items[0].changed_by == "ana"
    if fold:
        assert page.items[0].closed_by == ["import:2", "import:3"]


async def test_an_accepted_gap_stays_accepted_until_it_is_opened_again(plant: Plant) -> None:
    await plant.write(*minutes("A", range(60), range(90, 120)))
    plant.now = NOON + 120 * MINUTE
    [gap] = (await plant.ledger.gaps()).items
    changed = await plant.ledger.change(
        gap.id, "bo", state="accepted", changes={"cause": "device", "note": "maintenance"}
    )
    assert (changed.state, changed.cause, changed.note, changed.changed_by) == (
        "accepted", "device", "maintenance", "bo",
    )  # fmt: skip
    again = await plant.ledger.change(gap.id, "ana", changes={"note": None})
    assert (again.state, again.cause, again.note) == ("accepted", "device", None)
    with pytest.raises(InvalidRequest):
        await plant.ledger.request("ana")
    opened = await plant.ledger.change(gap.id, "ana", state="open", changes={})
    assert (opened.state, opened.cause) == ("open", "device")
    with pytest.raises(NotFound):
        await plant.ledger.change("x", "ana", state="open", changes={})


async def test_a_silence_that_goes_on_is_a_gap_without_an_end(plant: Plant) -> None:
    await plant.write(*minutes("A", range(60)))
    plant.now = NOON + 62 * MINUTE
    assert await plant.listed() == []
    plant.now = NOON + 70 * MINUTE
    assert await plant.listed() == [("A", 59, None, "open")]
    [asked] = await plant.ledger.request("ana")
    assert (asked.end, asked.expected) == (None, 10)
    await plant.write(*minutes("A", range(80, 90)), fold=False)
    assert await plant.listed() == [("A", 59, 80, "requested")]


async def test_a_gap_is_told_as_closed_once_nothing_of_it_is_left(plant: Plant) -> None:
    await plant.write(
        *minutes("A", range(60), range(90, 120)), *minutes("B", range(60), range(90, 120))
    )
    await plant.write(*minutes("A", range(60, 75)), *minutes("B", range(60, 90)))
    [closing] = await plant.ledger.closings(0)
    assert (closing.origin, closing.count, closing.equipment_id) == ("http:gw", 1, "B")
    assert await plant.ledger.closings((closing.day + 2) * DAY) == []
    await plant.write(*minutes("A", range(75, 90)))
    [closing] = await plant.ledger.closings(0)
    assert (closing.origin, closing.count, closing.equipment_id) == ("http:gw", 2, None)


@pytest.mark.parametrize(
    ("downtimes", "cause"),
    [
        ([], None),
        ([(60, 89)], "downtime"),
        ([(0, 1), (59.5, 90)], "downtime"),
        ([(60, 70), (71, 80), (80.5, 89)], "downtime"),
        ([(61, 89)], None),  # What was due at 60 was missed before.
        ([(60, 80)], None),  # The senders were away for longer.
        ([(74, 75)], None),
        ([(60, 89), (500, 600)], "downtime"),
    ],
)
async def test_a_gap_is_our_own_when_all_of_it_was_due_while_we_were_away(
    plant: Plant, downtimes: list[tuple[float, float]], cause: str | None
) -> None:
    for start, end in downtimes:
        await plant.registry.add_downtime(
            Downtime(start=NOON + int(start * MINUTE), end=NOON + int(end * MINUTE))
        )
    sensors = ("A", "B", "C")
    await plant.write(*[w for s in sensors for w in minutes(s, range(60), range(91, 120))])
    plant.now = NOON + 120 * MINUTE
    found = (await plant.ledger.gaps()).items
    assert [gap.cause for gap in found] == [cause] * 3
    _, [incident] = await plant.ledger.incidents(NOON, plant.now)
    assert (len(incident.equipment_ids), incident.cause) == (3, cause)
    told = await plant.ledger.change(found[0].id, "ana", changes={"cause": "device"})
    assert told.cause == "device"


async def test_sensors_that_fell_silent_together_are_one_line(plant: Plant) -> None:
    spans = (range(100), range(150, 300))
    writes = [
        Write(w.equipment_id, w.event_time + n * 7_000_000 % MINUTE, w.value, w.origin)
        for n in range(40)
        for w in minutes(f"S-{n:02}", *spans)
    ]
    await plant.write(*writes, *minutes("alone", range(40), range(120, 300)))
    plant.now = NOON + 300 * MINUTE
    total, lines = await plant.ledger.incidents(NOON, plant.now)
    assert [len(line.equipment_ids) for line in lines] == [40, 1]
    assert total == 2
    assert lines[0].expected == pytest.approx(40 * 50, abs=40)


async def test_the_list_goes_on_behind_a_cursor_and_keeps_to_its_window(plant: Plant) -> None:
    spans = [range(m, m + 20) for m in range(0, 1_000, 40)]
    await plant.write(*minutes("A", *spans), *minutes("B", *spans))
    plant.now = NOON + 980 * MINUTE
    everything = (await plant.ledger.gaps(limit=1_000)).items
    assert len(everything) == 48
    found, cursor = [], None
    while True:
        page = await plant.ledger.gaps(limit=7, cursor=cursor)
        assert page.total == 48
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == everything
    some = await plant.ledger.gaps(NOON + 2 * HOUR, NOON + 3 * HOUR, equipment_ids=["B"])
    assert [(g.start - NOON) // MINUTE for g in some.items] == [179, 139]
    with pytest.raises(InvalidRequest):
        await plant.ledger.gaps(cursor="x")


async def test_the_plants_coverage_falls_by_what_is_missing_and_where(plant: Plant) -> None:
    assert await plant.ledger.coverage(NOON, NOON + HOUR, 4) is None
    await plant.write(*minutes("A", range(241)), *minutes("B", range(121), range(180, 241)))
    plant.now = NOON + 4 * HOUR
    hours = await plant.ledger.coverage(NOON, plant.now, 4)
    assert hours is not None
    # From 02:00 to 03:00 one of two sensors is missing.
    assert hours == pytest.approx([1, 1, 0.5, 1], abs=0.001)


@pytest.mark.parametrize("origin", ["import:4", "http:gw"])
async def test_a_silence_that_was_asked_for_is_closed_by_what_comes_in_order(
    plant: Plant, origin: str
) -> None:
    """Nothing of it is ever a step that is too long, and the silence behind it goes on."""
    await plant.write(*minutes("A", range(60)), *minutes("B", range(60)))
    plant.now = NOON + 90 * MINUTE
    assert await plant.listed() == [("A", 59, None, "open"), ("B", 59, None, "open")]
    await plant.ledger.request("ana")
    plant.now += 1
    await plant.write(*minutes("A", range(60, 75), origin=origin), *minutes("B", range(60, 75)))
    part = [(s, 74, None, "partly_filled") for s in "AB"]
    assert await plant.listed() == part
    assert await plant.ledger.closings(0) == []
    plant.now = NOON + 120 * MINUTE
    await plant.write(*minutes("A", range(75, 90), origin=origin))
    assert await plant.listed() == [
        ("A", 59, 90, "filled"),
        ("A", 89, None, "open"),
        ("B", 74, None, "partly_filled"),
    ]
    [filled] = (await plant.ledger.gaps(states=["filled"])).items
    assert filled.closed_by == [origin]
    [closing] = await plant.ledger.closings(0)
    assert (closing.origin, closing.count, closing.equipment_id) == (origin, 1, "A")
    closed = await plant.ledger.closed_by(4, NOON + 91 * MINUTE)
    if origin == "import:4":
        assert [(gap.id, gap.expected) for gap in closed.closed] == [(filled.id, 30)]
        await plant.store.undo(4)
        assert (await plant.listed())[0] == ("A", 59, None, "requested")
        assert (await plant.ledger.closed_by(4, NOON + 91 * MINUTE)).closed == []
        await plant.write(*minutes("A", range(60, 90), origin="import:5"))
        again = await plant.ledger.closed_by(5, NOON + 91 * MINUTE)
        assert [gap.id for gap in again.closed] == [filled.id]
    else:
        assert closed.closed == []
    assert closed.untouched == []


async def test_a_silence_filled_in_order_in_part_is_told_so_of_each_import(plant: Plant) -> None:
    await plant.write(*minutes("A", range(60)))
    plant.now = NOON + 90 * MINUTE
    await plant.ledger.request("ana")
    plant.now += 1
    await plant.write(*minutes("A", range(60, 70), origin="import:1"))
    await plant.write(*minutes("A", range(70, 80), origin="import:2"), fold=False)
    await plant.write(*minutes("A", range(80, 86), origin="import:2"))
    both = [await plant.ledger.closed_by(number, plant.now) for number in (1, 2)]
    assert [[(g.start - NOON) // MINUTE for g in c.partly] for c in both] == [[59], [69]]
    await plant.write(*minutes("A", range(87, 89), origin="import:3"))
    both = [await plant.ledger.closed_by(number, plant.now) for number in (1, 2)]
    assert [[(g.start - NOON) // MINUTE for g in c.closed] for c in both] == [[59], [69]]
    await plant.write(*minutes("A", range(88, 140), origin="http:gw"))
    plant.now = NOON + 140 * MINUTE
    assert await plant.listed() == [("A", 59, 90, "filled")]
    [gap] = (await plant.ledger.gaps()).items
    assert gap.closed_by == ["import:1", "import:2", "import:3"]
