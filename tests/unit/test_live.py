"""Events to many subscribers: in order, from where one stopped, with bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pytest

from pipewatcher import live
from pipewatcher.errors import Busy
from pipewatcher.live import Event, ImportNews, Live
from pipewatcher.model.gaps import GapsMet
from pipewatcher.model.imports import ImportJob
from pipewatcher.model.plant import Notification, SensorCondition
from pipewatcher.registry.sqlite import SQLiteRegistry


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "INTERVAL_S", 0.01)
    monkeypatch.setattr(live, "CONDITIONS_EVERY_S", 0.01)


class Plant:
    def __init__(self, registry: SQLiteRegistry) -> None:
        self.registry = registry
        self.sensors: list[SensorCondition] = []
        self._notices = 0

    async def conditions(self) -> list[SensorCondition]:
        return self.sensors

    async def gaps_met(self, imports: Mapping[int, int]) -> dict[int, GapsMet]:
        return {number: GapsMet(closed=3, partly=2, untouched=1) for number in imports}

    def live(self) -> Live:
        return Live(self.registry, self.conditions, self.gaps_met)

    async def notify(self, count: int = 1) -> None:
        for _ in range(count):
            self._notices += 1
            one = Notification(id=0, kind="disk", equipment_id=None, created_at=1,
                               detail=str(self._notices))  # fmt: skip
            await self.registry.notify(one, f"k{self._notices}")


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    yield Plant(registry)
    await registry.close()


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


def told(events: list[Event]) -> list[str]:
    return [e.body.detail if isinstance(e.body, Notification) else e.kind for e in events]  # type: ignore[misc]


async def listening(
    hub: Live, last: str | None = None
) -> tuple[AsyncIterator[Event], asyncio.Task[Event]]:
    events = hub.subscribe(last)
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    return events, first


async def test_all_subscribers_get_every_event_in_one_order(plant: Plant) -> None:
    await plant.notify(3)
    hub = plant.live()
    subscribers = [await listening(hub) for _ in range(3)]
    await plant.notify(4)
    for events, first in subscribers:
        assert told([await first, *await take(events, 3)]) == ["4", "5", "6", "7"]
    await hub.stop()
    for events, _ in subscribers:
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_who_comes_again_goes_on_behind_the_last_event(plant: Plant) -> None:
    hub = plant.live()
    keeper = await listening(hub)
    events, first = await listening(hub)
    await plant.notify(2)
    last = (await first).id
    await events.aclose()  # type: ignore[attr-defined]
    await plant.notify(1)
    again = hub.subscribe(last)
    assert told(await take(again, 2)) == ["2", "3"]
    await hub.stop()
    keeper[1].cancel()


async def test_over_a_restart_no_notification_is_missed(plant: Plant) -> None:
    hub = plant.live()
    _, first = await listening(hub)
    await plant.notify(1)
    last = (await first).id
    await hub.stop()
    await plant.notify(3)
    other = plant.live()
    assert told(await take(other.subscribe(last), 4)) == ["2", "3", "4", "reset"]
    for wrong in ("x", "a-b-c", "é-", "9" * 99, "1-1-" + "9" * 99):
        [event] = await take(other.subscribe(wrong), 1)
        assert event.kind == "reset"
    await other.stop()


async def test_a_slow_subscriber_is_told_that_it_missed_some(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVENTS_MAX", 5)
    hub = plant.live()
    events, first = await listening(hub)
    await plant.notify(1)
    await first
    await plant.notify(20)
    await asyncio.sleep(0.5)
    [reset] = await take(events, 1)
    assert reset.kind == "reset"
    await plant.notify(1)
    assert told(await take(events, 1)) == ["22"]
    await hub.stop()


async def test_states_and_readings_are_told_when_they_change(plant: Plant) -> None:
    def sensor(state: str, time: int) -> SensorCondition:
        return SensorCondition(
            equipment_id="EQ-1", source=None, state=state, last_time=time, last_value=1.0  # type: ignore[arg-type]
        )  # fmt: skip

    plant.sensors = [sensor("ok", 1)]
    hub = plant.live()
    events, first = await listening(hub)
    plant.sensors = [sensor("ok", 2)]
    assert (await first).kind == "reading"
    plant.sensors = [sensor("silent", 2)]
    [event] = await take(events, 1)
    assert (event.kind, event.body) == ("state", plant.sensors)
    await hub.stop()


async def test_an_import_that_has_ended_is_told_with_the_gaps_that_it_met(plant: Plant) -> None:
    hub = plant.live()
    events, first = await listening(hub)
    job = await plant.registry.add_import(
        ImportJob(id=0, state="running", file_name="lost.csv", created_at=1, created_by="ana",
                  bytes_total=1, content_sha256="")
    )  # fmt: skip
    running = await first
    job.state, job.finished_at = "done", 2
    await plant.registry.save_import(job)
    [done] = await take(events, 1)
    assert running.body == ImportNews(
        ImportJob(**{**msgspec.structs.asdict(job), "state": "running", "finished_at": None}), None
    )
    assert done.body == ImportNews(job, GapsMet(closed=3, partly=2, untouched=1))
    await hub.stop()


async def test_too_many_subscribers_are_refused(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SUBSCRIBERS_MAX", 2)
    hub = plant.live()
    kept = [await listening(hub) for _ in range(2)]
    with pytest.raises(Busy):
        await anext(hub.subscribe())
    await hub.stop()
    for _, first in kept:
        with pytest.raises(StopAsyncIteration):
            await first
