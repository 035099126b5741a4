"""Random histories of the ledger against the oracle: the gaps of now, the requested ones that are
filled, and what each receipt says it closed, after late and in-order readings, imports, undos,
requests at silent ends, and time that passes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract.readings_suite import NOON, batches_of
from oracle import Oracle, Write
from pipewatcher.gaps.ledger import GapLedger
from pipewatcher.model.gaps import GAP_FACTOR
from pipewatcher.model.time import MINUTE, NO_END
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry

EVER = (-(2**62), 2**62)
HOLD = GAP_FACTOR * MINUTE
SENSORS = ("A", "B")
Span: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True)
class Sent:
    """Minutes of a sensor, live or by the next import."""

    sensor: str
    minutes: tuple[int, ...]
    imported: bool


@dataclass(frozen=True)
class Undone:
    """The import that came so many before the newest."""

    back: int


Step: TypeAlias = Sent | Undone | int | str
sent = st.builds(
    lambda sensor, start, count, step, imported: Sent(
        sensor, tuple(range(start, start + count * step, step)), imported
    ),
    st.sampled_from(SENSORS),
    st.integers(0, 120),
    st.integers(1, 40),
    st.sampled_from([1, 1, 1, 5]),
    st.booleans(),
)
steps = st.lists(
    st.one_of(
        sent,
        st.builds(Undone, st.integers(0, 2)),
        st.integers(1, 40),
        st.sampled_from(["request", "restart"]),
    ),
    min_size=2,
    max_size=12,
)


@dataclass
class World:
    """What has to be so, in plain Python."""

    oracle: Oracle = field(default_factory=Oracle)
    minute: int = 0
    imports: int = 0
    asked: dict[tuple[str, int], int] = field(default_factory=dict)
    """(sensor, start) -> end, or when it was asked for while it went on."""
    asked_at: set[int] = field(default_factory=set)
    came_into: dict[int, set[tuple[str, int]]] = field(default_factory=dict)
    """Import -> its readings that came into a gap, or into a silence that was asked for."""

    @property
    def now(self) -> int:
        return NOON + self.minute * MINUTE

    def gaps(self) -> list[Span]:
        return [
            (sensor, start, end)
            for sensor in self.oracle.sensors()
            for start, end in self.oracle.gaps(sensor, *EVER, self.now, MINUTE)
        ]

    def request(self) -> None:
        for sensor, start, end in self.gaps():
            self.asked[sensor, start] = self.now if end == NO_END else end
            if end == NO_END:
                self.asked_at.add(self.now)

    def send(self, writes: Sequence[Write], import_id: int | None) -> None:
        if import_id is not None:
            self.came_into[import_id] = {
                (write.equipment_id, write.event_time)
                for write in writes
                for gap in self.gaps()
                if gap[0] == write.equipment_id and self._is_told(gap, write.event_time)
            }
        self.oracle.write(writes)
        self.minute = max(self.minute, *((w.event_time - NOON) // MINUTE for w in writes))

    def _is_told(self, gap: Span, time: int) -> bool:
        sensor, start, end = gap
        if end != NO_END:
            return start < time < end
        until = max(
            (u for (s, a), u in self.asked.items() if s == sensor and a <= start), default=start
        )
        return until - start > HOLD and start < time < until

    def missing(self, sensor: str, start: int, end: int) -> int:
        """How much of a span is missing; one that was asked for while it went on ends at no
        reading, and the step over its end is no part of it."""
        due = end - HOLD if end in self.asked_at else end
        return sum(
            min(b, end) - max(a, start)
            for name, a, b in self.gaps()
            if name == sensor and a < due and b > start
        )

    def whole(self, sensor: str, start: int, end: int) -> bool:
        """A reading inside splits a gap, also where both parts are gaps again."""
        return any(name == sensor and a <= start and b >= end for name, a, b in self.gaps())


@settings(max_examples=max(10, settings.default.max_examples // 3))  # each opens stores
@given(history=steps)
@example(history=[Sent("A", tuple(range(60)), False), 30, "request", Sent("A", (60,), True)])
@example(
    history=[
        Sent("A", tuple(range(60)), False), 30, "request",
        Sent("A", tuple(range(60, 90)), True), 40, Undone(0), Sent("A", tuple(range(60, 75)), True),
    ]
)  # fmt: skip
@example(
    history=[
        Sent("A", (0,), False), Sent("A", (0, 1), True), Sent("A", (5,), False),
        "request", Undone(0),
    ]
)  # fmt: skip
@example(history=[Sent("A", (0,), False), Sent("A", (8,), False), Sent("A", (4,), True)])
def test_the_ledger_says_what_came_into_which_gap_after_any_history(history: list[Step]) -> None:
    asyncio.run(live_through(history))


async def live_through(history: list[Step]) -> None:
    world = World()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        store = await _open(folder)
        try:
            for position, step in enumerate(history, start=1):
                if step == "restart":
                    await store.close()
                    store = await _open(folder)
                await _take(step, world, store, registry, position)
            await _check(world, _ledger(world, store, registry))
        finally:
            await store.close()
            await registry.close()


async def _open(folder: Path) -> DuckDBStore:
    store = DuckDBStore(folder / "readings.duckdb", memory_mb=256)
    await store.open()
    return store


def _ledger(world: World, store: DuckDBStore, registry: SQLiteRegistry) -> GapLedger:
    async def fresh() -> None: ...

    return GapLedger(store, registry, fresh, lambda: world.now / 1e6)


async def _take(
    step: Step, world: World, store: DuckDBStore, registry: SQLiteRegistry, position: int
) -> None:
    if isinstance(step, int):
        world.minute += step
    elif step == "request":
        world.minute += 1
        if world.gaps():
            ledger = _ledger(world, store, registry)
            # Also those that are asked for already.
            ids = [gap.id for gap in (await ledger.gaps()).items if gap.state != "filled"]
            await ledger.request("ana", ids=ids)
            world.request()
    elif isinstance(step, Undone) and world.imports > step.back:
        import_id = world.imports - step.back
        await store.undo(import_id)
        world.oracle.undo(import_id)
        world.came_into.pop(import_id, None)
    elif isinstance(step, Sent):
        import_id = None
        if step.imported:
            world.imports = import_id = world.imports + 1
        origin = f"import:{import_id}" if step.imported else "http:gw"
        writes = [Write(step.sensor, NOON + m * MINUTE, 1.0, origin) for m in step.minutes]
        world.send(writes, import_id)
        await store.append(batches_of(writes, position * 100), {0: position})
        await store.settle()
        await store.set_cadences({step.sensor: MINUTE})


async def _check(world: World, ledger: GapLedger) -> None:
    items = (await ledger.gaps(limit=10_000)).items
    listed = [
        (gap.equipment_id, gap.start, NO_END if gap.end is None else gap.end) for gap in items
    ]
    filled = [span for span, gap in zip(listed, items, strict=True) if gap.state == "filled"]
    assert sorted(set(listed) - set(filled)) == sorted(world.gaps())
    for (sensor, start), end in world.asked.items():
        covered = any(s == sensor and a <= start and end <= b for s, a, b in filled)
        if not world.missing(sensor, start, end):
            assert covered, (sensor, start, end)
    for sensor, start, end in filled:
        assert not world.missing(sensor, start, end)
    receipts = await ledger.closed_by_each(dict.fromkeys(world.came_into, world.now))
    for import_id, came in world.came_into.items():
        closed = [(g.equipment_id, g.start, g.end or NO_END) for g in receipts[import_id].closed]
        partly = [(g.equipment_id, g.start, g.end or NO_END) for g in receipts[import_id].partly]
        for sensor, time in came:
            assert any(s == sensor and a < time < b for s, a, b in closed + partly)
        assert not any(world.missing(*span) for span in closed)
        assert all(world.missing(*span) and not world.whole(*span) for span in partly)
