"""Freshness over processes: an answer has all that was acknowledged when it was asked for.

Where another process writes, how far the store has come is what its readers have acked: they ack
after the store has it.
"""

from __future__ import annotations

import asyncio
import time

from pipewatcher.errors import Lagging
from pipewatcher.model.readings import Position, covers
from pipewatcher.ports import CommitLog

POLL_S = 0.02
FRESH_TIMEOUT_S = 10.0


class SharedFreshness:
    def __init__(self, commit_log: CommitLog, group: str) -> None:
        self._commit_log = commit_log
        self._group = group
        self._acked: Position = {}

    async def fresh(self) -> None:
        """Returns once the store has all that any process acknowledged before the call.

        Raises `Lagging` after 10 s, or `CommitLogUnavailable`.
        """
        await self.stored(await self._commit_log.tail(), FRESH_TIMEOUT_S)

    async def stored(self, position: Position, timeout_s: float) -> None:
        """Returns once the store has everything below `position`. Raises `Lagging`."""
        until = time.monotonic() + timeout_s
        while not covers(self._acked, position):
            self._acked = await self._commit_log.acked(self._group)
            if covers(self._acked, position):
                return
            if time.monotonic() > until:
                raise Lagging("The newest acknowledged readings are not stored yet; ask again.")
            await asyncio.sleep(POLL_S)
