"""Discovery: a new equipmentId becomes a sensor in the registry, and a notification.

It never stands in the way of an acknowledgement. In one process it compares with the store, so a
crash, a restored file or an import can leave none behind; over processes it is a consumer group of
its own that acks what the registry has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from pipewatcher.errors import Busy, PipeWatcherError
from pipewatcher.model.time import SECOND
from pipewatcher.ports import CommitLog, ReadingsStore, Registry

log = logging.getLogger(__name__)

GROUP = "discovery"
INTERVAL_S = 0.5
REGISTER_MAX = 10_000
KNOWN_MAX = 1_000_000
TRY_AGAIN_S = 1.0


class StoreDiscovery:
    def __init__(self, store: ReadingsStore, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._known = 0
        self.registered = 0
        """Sensors found since the start."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.discover()
            except PipeWatcherError as error:
                log.warning("discovery: %s", error)
            await asyncio.sleep(INTERVAL_S)

    async def discover(self) -> None:
        """Registers every sensor that the store has and the registry does not."""
        names = await self._store.sensors()
        while self._known < len(names):
            some = names[self._known : self._known + REGISTER_MAX]
            new = await self._registry.register(some, int(time.time() * SECOND))
            self.registered += len(new)
            self._known += len(some)


class StreamDiscovery:
    def __init__(self, commit_log: CommitLog, registry: Registry) -> None:
        self._commit_log = commit_log
        self._registry = registry
        self._known: set[str] = set()
        self.registered = 0
        """Sensors found since the start, by this process."""

    async def run(self) -> None:
        """Until cancelled. What was not registered is delivered again."""
        while True:
            try:
                await self._follow()
            except Busy as error:
                log.warning("discovery: %s", error)
                await asyncio.sleep(TRY_AGAIN_S)

    async def _follow(self) -> None:
        async with contextlib.aclosing(self._commit_log.deliveries(GROUP, {})) as deliveries:
            async for delivery in deliveries:
                names = {name for batch in delivery.batches for name in batch.equipment_ids}
                unknown = sorted(names - self._known)
                if unknown:
                    new = await self._registry.register(unknown, int(time.time() * SECOND))
                    self.registered += len(new)
                    if len(self._known) > KNOWN_MAX:
                        self._known.clear()
                    self._known.update(unknown)
                await delivery.ack()
