"""Rejected readings since ever, by door.

Nothing is synced for a rejection: it is counted in memory, and what has changed goes to the
registry once a second. After `kill -9` the counts lack at most what was rejected since; no reading
is missing for it. An import's rejected rows are those of its receipt: a crash loses none of them,
as the file is read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from pipewatcher.errors import Busy
from pipewatcher.model.readings import IMPORT_DOOR
from pipewatcher.ports import RejectionRegistry

log = logging.getLogger(__name__)

INTERVAL_S = 1.0


class Rejections:
    """Of the one process that takes readings for this registry."""

    def __init__(
        self, registry: RejectionRegistry, counted: Mapping[str, int], imported: Callable[[], int]
    ) -> None:
        """`counted` grows with what the doors reject from the start on; `imported` says how many
        rows of all imports were rejected since ever."""
        self._registry = registry
        self._counted = counted
        self._imported = imported
        self._before: Mapping[str, int] = {}
        self._imported_before = 0
        self._saved: dict[str, int] = {}

    async def start(self) -> None:
        """Before anything is taken."""
        self._before = await self._registry.rejected()
        self._imported_before = self._imported()
        self._saved = dict(self._before)

    def since_start(self) -> Counter[str]:
        # An import that goes on is read, and counted, from its first row.
        imported = max(0, self._imported() - self._imported_before)
        return +Counter({**self._counted, IMPORT_DOOR: imported})

    def ever(self) -> Counter[str]:
        return +Counter({**self._live(), IMPORT_DOOR: self._imported()})

    async def run(self) -> None:
        """Until cancelled, when it saves once more."""
        try:
            while True:
                await asyncio.sleep(INTERVAL_S)
                await self._save()
        finally:
            await self._save()

    async def _save(self) -> None:
        live = self._live()
        if live == self._saved:
            return
        try:
            await self._registry.set_rejected(live)
        except Busy as error:
            log.warning("rejections are not counted in the registry yet: %s", error)
        else:
            self._saved = live

    def _live(self) -> dict[str, int]:
        return dict(Counter(self._before) + Counter(self._counted))
