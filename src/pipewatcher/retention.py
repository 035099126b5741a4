"""Retention by age: which readings are still taken, and when raw readings are dropped.

Raw readings of the last so many whole UTC days, and of today, are kept. What is older is refused at
every door from the moment the setting is made; it is dropped a day later, so that everything that
was acknowledged until then is stored, and there is time to think again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from pipewatcher.errors import Busy, InvalidRequest, NotPossible, StoreUnavailable
from pipewatcher.model.plant import Dropped, Retention
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import DAY, SECOND, Micros
from pipewatcher.ports import ReadingsStore, Registry

log = logging.getLogger(__name__)

DAYS_MIN = 31
"""The month's window is exact to the second as long as its readings are there."""
DAYS_MAX = 36_600
GRACE: Micros = DAY
INTERVAL_S = 600.0


class Keeper:
    def __init__(
        self,
        registry: Registry,
        store: ReadingsStore,
        fresh: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`fresh` returns once the store has all that was acknowledged."""
        self._registry = registry
        self._store = store
        self._fresh = fresh
        self._clock = clock
        self._changing = asyncio.Lock()
        self.retention = Retention()
        self.kept_from: Micros | None = None

    async def start(self) -> None:
        """Before any reading is taken."""
        self.retention = await self._registry.retention()
        self.kept_from = await self._store.kept_from()

    async def run(self, importing: Callable[[], bool]) -> None:
        """Drops what is due, until cancelled; not while an import is under way, whose rows were
        taken by an earlier day."""
        while True:
            try:
                if not importing():
                    await self.enforce()
            except (Busy, StoreUnavailable) as error:
                log.warning("retention waits: %s", error.detail)
            await asyncio.sleep(INTERVAL_S)

    def oldest(self, at: Micros) -> Micros | None:
        """The oldest reading that is taken at this instant; None: any."""
        days = self.retention.days
        bounds = [] if days is None else [_day(at) - days * DAY]
        bounds += [] if self.kept_from is None else [self.kept_from]
        return max(bounds, default=None)

    async def change(self, days: int | None, by: str) -> tuple[Retention, Retention]:
        """What it was and what it is now. Raises `InvalidRequest`, `NotPossible`."""
        _check(days)
        self._check_possible()
        async with self._changing:
            before = self.retention
            after = Retention(days=days, changed_by=by, changed_at=self._now())
            await self._registry.set_retention(after)
            self.retention = after
        return before, after

    async def would_drop(self, days: int) -> Dropped:
        """What keeping so many days drops at the next occasion. Raises `InvalidRequest`,
        `NotPossible`."""
        _check(days)
        self._check_possible()
        await self._fresh()
        return await self._store.would_drop(_day(self._now()) - days * DAY)

    async def enforce(self) -> Dropped:
        """Drops what has been too old for a day."""
        async with self._changing:
            due = self._due()
            if due is None:
                return Dropped()
            await self._fresh()
            dropped = await self._store.drop(due)
            self.kept_from = await self._store.kept_from()
        if dropped.readings:
            log.info("%d raw readings older than retention were dropped", dropped.readings)
        return dropped

    def _due(self) -> Micros | None:
        now = self._now()
        days = self.retention.days
        if days is None or now - self.retention.changed_at < GRACE:
            return None
        return _day(now) - days * DAY - GRACE

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)

    def _check_possible(self) -> None:
        if not self._store.features.retention:
            raise NotPossible("This readings store keeps readings by a policy of its own.")


def _day(instant: Micros) -> Micros:
    return instant // DAY * DAY


def _check(days: int | None) -> None:
    if days is not None and not DAYS_MIN <= days <= DAYS_MAX:
        reason = f"must be null or {DAYS_MIN} to {DAYS_MAX} days"
        raise InvalidRequest(f"days {reason}", [Rejection(field="days", reason=reason)])
