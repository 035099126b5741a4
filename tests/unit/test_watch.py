"""Who is told of what, on the real registry, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipewatcher.errors import Busy, DiskFull, StoreUnavailable
from pipewatcher.model.gaps import Closing
from pipewatcher.model.imports import ImportJob
from pipewatcher.model.plant import SensorCondition, SensorState
from pipewatcher.model.time import DAY, MINUTE, SECOND
from pipewatcher.ports import Backlog
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.watch import GRACE, INCIDENT_WINDOW, UNNAMED_WINDOW, Watch

START = 1_790_000_000 * SECOND


@dataclass
class Plant:
    registry: SQLiteRegistry
    now: int = START
    sensors: dict[str, SensorCondition] = field(default_factory=dict)
    refusal: Busy | None = None
    lag_s: float = 0.0
    difference: int = 0
    closings: list[Closing] = field(default_factory=list)

    def set(self, *names: str, state: SensorState, source: str | None, age: int = MINUTE) -> None:
        for name in names:
            self.sensors[name] = SensorCondition(
                equipment_id=name, source=source, state=state, last_time=self.now - age,
                last_value=1.0,
            )  # fmt: skip

    async def conditions(self) -> list[SensorCondition]:
        return list(self.sensors.values())

    async def off_by(self) -> int:
        return self.difference

    async def closings_since(self, since: int) -> list[Closing]:
        assert since < self.now
        return self.closings

    def watch(self) -> Watch:
        return Watch(
            self.registry,
            self.conditions,
            lambda: self.refusal,
            lambda: Backlog(readings=0, bytes=0, oldest_age_s=self.lag_s),
            self.off_by,
            self.closings_since,
            clock=lambda: self.now / SECOND,
        )

    async def told(self) -> list[tuple[str, int, str | None, str | None]]:
        found = await self.registry.notifications(100)
        return [(one.kind, one.count, one.source, one.equipment_id) for one in found]


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    yield Plant(registry)
    await registry.close()


NAMES = [f"EQ-{n:03}" for n in range(300)]


async def test_three_hundred_sensors_behind_one_source_are_one_line(plant: Plant) -> None:
    watch = plant.watch()
    plant.set(*NAMES, state="ok", source="gw-1")
    plant.set("LONE", state="ok", source="gw-2")
    await watch.look()
    plant.now += GRACE
    # They fall silent as their steps end, one part after the other.
    for part in range(3):
        plant.now += INCIDENT_WINDOW // 2
        plant.set(*NAMES[part * 100 : part * 100 + 100], state="silent", source="gw-1")
        await watch.look()
    plant.set("LONE", state="silent", source="gw-2")
    await watch.look()
    assert await plant.told() == [("silent", 1, "gw-2", "LONE"), ("silent", 300, "gw-1", None)]
    await plant.watch().look()
    assert len(await plant.told()) == 2
    plant.set(*NAMES, state="ok", source="gw-1")
    await watch.look()
    assert (await plant.told())[0] == ("back", 300, "gw-1", None)
    assert [silence.equipment_id for silence in await plant.registry.silences()] == ["LONE"]
    await watch.look()
    assert len(await plant.told()) == 3


async def test_a_later_silence_behind_the_same_source_is_another_line(plant: Plant) -> None:
    watch = plant.watch()
    for source, window in (("gw-1", INCIDENT_WINDOW), (None, UNNAMED_WINDOW)):
        plant.set(f"{source}-A", f"{source}-B", state="ok", source=source)
        await watch.look()
        plant.now += GRACE
        plant.set(f"{source}-A", state="silent", source=source)
        await watch.look()
        plant.now += window + SECOND
        plant.set(f"{source}-B", state="silent", source=source)
        await watch.look()
    assert [kind for kind, *_ in await plant.told()] == ["silent"] * 4


async def test_after_our_own_absence_nobody_is_called_silent(plant: Plant) -> None:
    plant.set("EQ-1", state="silent", source="gw-1", age=30 * MINUTE)
    watch = plant.watch()
    await watch.look()
    plant.now += GRACE - SECOND
    await watch.look()
    assert await plant.told() == []
    plant.now += SECOND
    await watch.look()
    assert await plant.told() == [("silent", 1, "gw-1", "EQ-1")]


async def test_a_sensor_that_only_a_file_brought_is_not_called_silent(plant: Plant) -> None:
    watch = plant.watch()
    plant.set("OLD", state="silent", source=None, age=400 * DAY)
    plant.now += GRACE
    await watch.look()
    assert await plant.told() == []


async def test_a_crash_between_keeping_and_telling_loses_and_doubles_nothing(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = plant.watch()
    plant.set(*NAMES[:3], state="ok", source="gw-1")
    await watch.look()
    plant.now += GRACE
    plant.set(*NAMES[:3], state="silent", source="gw-1")

    async def away(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(plant.registry, "notify", away)
        with pytest.raises(StoreUnavailable):
            await watch.look()
    assert await plant.told() == []
    await watch.look()
    assert await plant.told() == [("silent", 3, "gw-1", None)]
    plant.set(*NAMES[:3], state="ok", source="gw-1")
    with monkeypatch.context() as patch:
        patch.setattr(plant.registry, "end_silences", away)
        with pytest.raises(StoreUnavailable):
            await watch.look()
    await watch.look()
    assert [kind for kind, *_ in await plant.told()] == ["back", "silent"]


async def test_of_two_processes_one_watches(plant: Plant) -> None:
    first, second = plant.watch(), plant.watch()
    plant.set("EQ-1", state="ok", source="gw-1")
    await first.look()
    await second.look()
    plant.now += GRACE
    plant.set("EQ-1", state="silent", source="gw-1")
    await second.look()
    await first.look()
    assert len(await plant.told()) == 1


async def test_own_troubles_and_clocks_ahead_are_told_when_they_begin(plant: Plant) -> None:
    watch = plant.watch()
    plant.refusal, plant.lag_s = DiskFull(), 100.0
    plant.set("EQ-1", "EQ-2", state="ok", source="gw-1", age=-3 * MINUTE)
    plant.set("EQ-3", state="ok", source="gw-2", age=-10 * SECOND)
    for _ in range(2):
        await watch.look()
    assert await plant.told() == [
        ("clock_skew", 2, "gw-1", None), ("lag", 1, None, None), ("disk", 1, None, None)
    ]  # fmt: skip
    plant.refusal = None
    await watch.look()
    plant.now += SECOND
    plant.refusal = DiskFull()
    await watch.look()
    assert (await plant.told())[0] == ("disk", 1, None, None)
    assert len(await plant.told()) == 4


async def test_a_balance_sheet_that_is_off_alarms_once(plant: Plant) -> None:
    watch = plant.watch()
    await watch.look()
    plant.difference = 3
    for _ in range(2):
        await watch.look()
    assert await plant.told() == [("imbalance", 1, None, None)]


def closing(origin: str, count: int, *, day: int = 0, sensor: str | None = None) -> Closing:
    return Closing(origin=origin, day=day, count=count, equipment_id=sensor)


async def test_filled_gaps_are_one_line_an_import_that_grows(plant: Plant) -> None:
    job = await plant.registry.add_import(
        ImportJob(id=0, state="done", file_name="lost.csv", created_at=1, created_by="ana",
                  bytes_total=1, content_sha256="")
    )  # fmt: skip
    origin = f"import:{job.id}"
    watch = plant.watch()
    for count in (1, 300, 300, 299):
        plant.closings = [closing(origin, count, sensor="EQ-1" if count == 1 else None)]
        await watch.look()
    plant.closings += [closing("mqtt:gw-1", 1, day=9, sensor="EQ-2")]
    for again in (watch, plant.watch()):
        await again.look()
    told = await plant.registry.notifications(10)
    lines = [(n.kind, n.count, n.equipment_id, n.import_id, n.detail) for n in told]
    assert lines == [
        ("gap_closed", 1, "EQ-2", None, "mqtt:gw-1"),
        ("gap_closed", 300, None, job.id, "lost.csv"),
    ]
