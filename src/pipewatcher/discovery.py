"""Discovery: a new equipmentId among the stored readings becomes a sensor in the registry.

It compares with the store, so a crash, a restored file or an import can leave none behind, and it
never stands in the way of an acknowledgement.
"""

from __future__ import annotations

import asyncio
import logging
import time

from pipewatcher.errors import PipeWatcherError
from pipewatcher.model import SECOND
from pipewatcher.ports import ReadingsStore, Registry

log = logging.getLogger(__name__)

INTERVAL_S = 0.5
REGISTER_MAX = 10_000


class Discovery:
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
