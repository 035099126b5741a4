"""Writer: drains the commit log into the readings store.

The store keeps the commit-log position in the transaction of the readings, and the writer starts
from there: a crash between `append` and `ack` delivers the same readings again and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pipewatcher.errors import CommitLogUnavailable, Lagging, StoreUnavailable
from pipewatcher.model.readings import Position, RefusedReading, covers
from pipewatcher.ports import CommitLog, ReadingsStore

log = logging.getLogger(__name__)

GROUP = "writer"
DRAIN_INTERVAL_S = 0.05
"""From the begin of one drain to the next, while nobody asks for the newest readings."""
HEARTBEAT_S = 2.0
REOPEN_AFTER_S = 1.0


@dataclass(slots=True)
class WriterCounts:
    stored: int = 0
    """Readings handed to the store since the start."""
    refused: int = 0
    """Readings that the store's engine will never take: they are dead letters."""
    drains: int = 0
    failures: int = 0


class Writer:
    def __init__(
        self,
        commit_log: CommitLog,
        store: ReadingsStore,
        refused: Callable[[Sequence[RefusedReading]], Awaitable[None]],
    ) -> None:
        """`refused` is given what the store's engine will never take, and keeps it before it is
        acked; should it raise `StoreUnavailable`, the same comes again."""
        self._refused = refused
        self._commit_log = commit_log
        self._store = store
        self._stored: Position = {}
        self._moved = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._waiting = 0
        self.counts = WriterCounts()
        self.available = False
        """False while the store is being opened again."""

    async def run(self) -> None:
        """Until cancelled. The store must be open; after a fatal error it is opened again."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._drain())
                    tasks.create_task(self._watch())
            except* (StoreUnavailable, CommitLogUnavailable):
                self.available = False
                self.counts.failures += 1
                await self._reopen()

    async def stored(self, position: Position, timeout_s: float = 30.0) -> None:
        """Returns once the store has everything below `position`. Raises `Lagging`."""
        if covers(self._stored, position):
            return
        self._waiting += 1
        self._hurry.set()
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: covers(self._stored, position))
        except TimeoutError as error:
            raise Lagging(
                "The newest acknowledged readings are not stored yet; ask again."
            ) from error
        finally:
            self._waiting -= 1

    async def fresh(self) -> None:
        """Returns once the store has all that was acknowledged when this was called."""
        await self.stored(self._commit_log.end(), timeout_s=10.0)

    async def _drain(self) -> None:
        await self._advance(await self._store.position())
        self.available = True
        delivering = self._commit_log.deliveries(GROUP, self._stored)
        async with contextlib.aclosing(delivering) as deliveries:
            async for delivery in deliveries:
                began = time.monotonic()
                refused = await self._store.append(delivery.batches, delivery.position)
                if refused:
                    await self._refused(refused)
                self.counts.refused += len(refused)
                self.counts.stored += sum(map(len, delivery.batches)) - len(refused)
                self.counts.drains += 1
                await self._advance(delivery.position)
                await delivery.ack()
                await self._pause(began + DRAIN_INTERVAL_S - time.monotonic())

    async def _pause(self, seconds: float) -> None:
        """Lets readings gather, unless somebody waits for them or it took long already."""
        if self._waiting or seconds <= 0:
            return
        self._hurry.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def _advance(self, position: Position) -> None:
        async with self._moved:
            self._stored = {**self._stored, **position}
            self._moved.notify_all()

    async def _watch(self) -> None:
        """Notices a store that broke while nothing arrived."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._store.position()

    async def _reopen(self) -> None:
        while True:
            await asyncio.sleep(REOPEN_AFTER_S)
            try:
                await self._store.open()
            except StoreUnavailable as error:
                log.warning("the readings store cannot be opened yet: %s", error.__cause__ or error)
            else:
                log.info("the readings store is open again")
                return
