"""Live: what changes is told to whoever subscribes, as events in one order.

One ring of events serves all subscribers: each only has a place in it, so a slow one costs nothing
and is told that it has missed some. The registry and the store are asked once a second, and only
while somebody listens; so it does not matter which process did what.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from pipewatcher.errors import Busy, PipeWatcherError
from pipewatcher.model.gaps import GapsMet
from pipewatcher.model.imports import ImportJob
from pipewatcher.model.plant import SensorCondition, SensorState
from pipewatcher.model.time import Micros
from pipewatcher.ports import Registry

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
CONDITIONS_EVERY_S = 2.0
EVENTS_MAX = 2_000
SUBSCRIBERS_MAX = 200
READINGS_PER_EVENT = 500
"""Readings are thinned: the newest of a sensor each two seconds, of this many sensors."""
IMPORTS_WATCHED = 20
MISSED_MAX = 500


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is reading, state, notification, import, or reset: some were missed, ask anew."""

    id: str
    kind: str
    body: object


@dataclass(frozen=True, slots=True)
class ImportNews:
    job: ImportJob
    gaps: GapsMet | None
    """Once it has ended."""


class Live:
    def __init__(
        self,
        news: Registry,
        conditions: Callable[[], Awaitable[list[SensorCondition]]],
        gaps_met: Callable[[Mapping[int, Micros]], Awaitable[Mapping[int, GapsMet]]],
    ) -> None:
        """`gaps_met` by imports, each with its `created_at`."""
        self._news = news
        self._conditions = conditions
        self._gaps_met = gaps_met
        self._boot = uuid.uuid4().hex[:8]
        self._ring: deque[tuple[int, Event]] = deque(maxlen=EVENTS_MAX)
        self._last = 0
        self._moved = asyncio.Condition()
        self._subscribers = 0
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._notified = 0
        self._states: dict[str, tuple[SensorState, Micros | None]] | None = None
        self._imports: dict[int, bytes] | None = None

    async def subscribe(self, last_event_id: str | None = None) -> AsyncGenerator[Event, None]:
        """Every event from now on, or from behind the one named, until `stop`.

        Notifications are never missed, whichever process gave the id; of the others a `reset` says
        that some were. Raises `Busy` when too many listen.
        """
        if self._subscribers >= SUBSCRIBERS_MAX:
            raise Busy("Too many pages listen at the moment.")
        self._subscribers += 1
        try:
            if self._task is None:
                await self._begin()
            place = self._last
            for event in await self._missed(last_event_id):
                yield event
            if (known := self._place(last_event_id)) is not None:
                place = known
            while not self._stopped:
                for number, event in self._behind(place):
                    place = number
                    yield event
                async with self._moved:
                    while self._last <= place and not self._stopped:
                        await self._moved.wait()
        finally:
            self._subscribers -= 1
            if not self._subscribers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def stop(self) -> None:
        """Ends every subscription."""
        self._stopped = True
        async with self._moved:
            self._moved.notify_all()

    def _behind(self, place: int) -> Iterator[tuple[int, Event]]:
        if self._ring and self._ring[0][0] > place + 1:
            number, event = self._ring[-1]
            yield number, Event(event.id, "reset", {})
            return
        # A copy: the ring goes on while a subscriber is slow.
        yield from [entry for entry in self._ring if entry[0] > place]

    def _place(self, event_id: str | None) -> int | None:
        """Where an id of this process stands in the ring."""
        boot, _, rest = (event_id or "").partition("-")
        number, _, _ = rest.partition("-")
        if boot != self._boot or not number.isdecimal():
            return None
        place = int(number)
        oldest = self._ring[0][0] if self._ring else self._last + 1
        return place if oldest - 1 <= place <= self._last else None

    async def _missed(self, event_id: str | None) -> list[Event]:
        """For an id that is not in the ring: the notifications behind it, from the registry."""
        if event_id is None or self._place(event_id) is not None:
            return []
        last = event_id.rpartition("-")[2]
        after = int(last) if last.isdecimal() and len(last) < 16 else self._notified
        told = await self._news.notifications_after(after, MISSED_MAX)
        missed = [Event(self._id(self._last, one.id), "notification", one) for one in told]
        return [*missed, Event(self._id(self._last, self._notified), "reset", {})]

    def _id(self, number: int, notified: int) -> str:
        return f"{self._boot}-{number}-{notified}"

    async def _begin(self) -> None:
        newest = await self._news.notifications(1)
        self._notified = newest[0].id if newest else 0
        self._states = self._imports = None
        self._ring.clear()
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="live")

    async def _follow(self) -> None:
        next_conditions = 0.0
        while True:
            try:
                await self._look_for_notifications()
                await self._look_at_imports()
                if time.monotonic() >= next_conditions:
                    next_conditions = time.monotonic() + CONDITIONS_EVERY_S
                    await self._look_at_sensors()
            except PipeWatcherError as error:
                log.warning("live: %s", error)
            await asyncio.sleep(INTERVAL_S)

    async def _look_for_notifications(self) -> None:
        for one in await self._news.notifications_after(self._notified, MISSED_MAX):
            self._notified = one.id
            await self._publish("notification", one)

    async def _look_at_imports(self) -> None:
        jobs = await self._news.import_jobs(IMPORTS_WATCHED)
        now = {job.id: msgspec.json.encode(job) for job in jobs}
        if self._imports is not None:
            known = self._imports
            changed = [job for job in reversed(jobs) if known.get(job.id) != now[job.id]]
            ended = {job.id: job.created_at for job in changed if job.finished_at is not None}
            met = await self._gaps_met(ended) if ended else {}
            for job in changed:
                await self._publish("import", ImportNews(job, met.get(job.id)))
        self._imports = now

    async def _look_at_sensors(self) -> None:
        sensors = await self._conditions()
        now = {sensor.equipment_id: (sensor.state, sensor.last_time) for sensor in sensors}
        if self._states is not None:
            was = self._states
            nothing: tuple[SensorState, Micros | None] = ("new", None)
            heard = [s for s in sensors if was.get(s.equipment_id, nothing)[1] != s.last_time]
            if heard:
                await self._publish("reading", heard[:READINGS_PER_EVENT])
            turned = [s for s in sensors if was.get(s.equipment_id, nothing)[0] != s.state]
            if turned:
                await self._publish("state", turned)
        self._states = now

    async def _publish(self, kind: str, body: object) -> None:
        self._last += 1
        self._ring.append((self._last, Event(self._id(self._last, self._notified), kind, body)))
        async with self._moved:
            self._moved.notify_all()
