"""The one gate to the commit log for live readings: may we take this, take it, count it."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pipewatcher.errors import (
    Busy,
    CommitLogUnavailable,
    DiskFull,
    Lagging,
    PipeWatcherError,
    Stopping,
)
from pipewatcher.model.identity import WriteScope
from pipewatcher.model.readings import Batch, Position
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.observability import Latencies
from pipewatcher.ports import CommitLog
from pipewatcher.validate import EventTimeBounds

DISK_CHECK_INTERVAL_S = 1.0

Done: TypeAlias = Callable[[PipeWatcherError | None], None]
"""Called once on the event loop: with None when durable, else with why nothing is known to be."""


class Intake:
    """Admission, append and counters; everything but `start` and `close` is O(1) and never waits.

    The counters are plain integers that only grow. `received = accepted + rejected` holds
    whenever no request is being counted; `committed` follows `accepted` when readings are durable.
    """

    def __init__(
        self,
        commit_log: CommitLog,
        *,
        data_dir: Path,
        disk_free_min_bytes: int,
        backlog_bytes_max: int | None,
        inflight_bytes_max: int,
        future_max_s: int,
        oldest: Callable[[Micros], Micros | None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`backlog_bytes_max` is None where the commit log has room of its own; `oldest` says which
        reading is the oldest that is taken at an instant."""
        self.received = 0
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        """By the code of the rejection."""
        self.rejected_by_door: Counter[str] = Counter()
        self.committed = 0
        self.failed = 0
        """Accepted readings whose append failed: their senders were told so."""
        self.unknown_fields = 0
        self.refused: Counter[str] = Counter()
        """Requests turned away at the gate, by the code of our limit."""
        self.inflight_bytes = 0
        self.commit_latencies = Latencies()
        self._commit_log = commit_log
        self._data_dir = data_dir
        self._disk_free_min_bytes = disk_free_min_bytes
        self._backlog_bytes_max = backlog_bytes_max
        self._inflight_bytes_max = inflight_bytes_max
        self._oldest = oldest
        self._future_max: Micros = future_max_s * SECOND
        self._clock = clock
        self._stopping = False
        self._disk_full = False
        self._disk_watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Knows whether the disk has room when it returns, and watches it from then on."""
        self._stopping = False
        await self._check_disk()
        self._disk_watch = asyncio.create_task(self._watch_disk(), name="disk guard")

    def stop(self) -> None:
        """Nothing more is admitted; what was begun goes on."""
        self._stopping = True

    async def close(self) -> None:
        self.stop()
        if self._disk_watch is not None:
            self._disk_watch.cancel()
            await asyncio.gather(self._disk_watch, return_exceptions=True)
            self._disk_watch = None

    def refusal(self) -> Busy | None:
        """Why nothing is admitted at the moment: `Stopping`, `DiskFull`, `CommitLogUnavailable` or
        `Lagging`; None while the gate is open."""
        if self._stopping:
            return Stopping()
        if self._disk_full:
            return DiskFull()
        if not self._commit_log.available:
            return CommitLogUnavailable()
        most = self._backlog_bytes_max
        if most is not None and self._commit_log.backlog().bytes > most:
            return Lagging()
        return None

    def admit(self) -> None:
        """Raises what `refusal` says."""
        refusal = self.refusal()
        if refusal is not None:
            self.refused[refusal.code] += 1
            raise refusal

    def hold(self, body_bytes: int) -> None:
        """Accounts for a part of a body in memory; raises `Busy` when that is too much.

        What was held is given back with `release`, also on an error of another kind.
        """
        if self.inflight_bytes + body_bytes > self._inflight_bytes_max:
            self.refused[Busy.code] += 1
            raise Busy("Too many bodies are being received at the moment.")
        self.inflight_bytes += body_bytes

    def release(self, body_bytes: int) -> None:
        self.inflight_bytes -= body_bytes

    def bounds(self, writes: WriteScope | None = None) -> EventTimeBounds:
        """Which readings are taken now, from somebody who may write these sensors."""
        now = int(self._clock() * SECOND)
        oldest = None if self._oldest is None else self._oldest(now)
        return EventTimeBounds(latest=now + self._future_max, oldest=oldest, writes=writes)

    def take_reading(
        self, equipment_id: str, event_time: Micros, value: float, origin: str, done: Done
    ) -> None:
        """Appends one valid reading. Call it from the event loop's thread only."""
        self.received += 1
        self.accepted += 1
        future = self._commit_log.append_reading(equipment_id, event_time, value, origin)
        future.add_done_callback(partial(self._settled, 1, done, time.monotonic()))

    def take(self, batch: Batch, done: Done) -> None:
        """Appends a batch of valid readings, whole or not at all, as `take_reading` does."""
        readings = len(batch)
        self.received += readings
        self.accepted += readings
        self._commit_log.append(batch).add_done_callback(
            partial(self._settled, readings, done, time.monotonic())
        )

    def reject(self, door: str, code: str, readings: int = 1) -> None:
        """Counts readings that were refused for what they are. The doors are those of origins."""
        self.received += readings
        self.rejected[code] += readings
        self.rejected_by_door[door] += readings

    def _settled(
        self, readings: int, done: Done, began: float, future: asyncio.Future[Position]
    ) -> None:
        if future.cancelled():
            error: BaseException | None = CommitLogUnavailable()
        else:
            error = future.exception()
        if error is None:
            self.committed += readings
            self.commit_latencies.add(time.monotonic() - began)
            done(None)
            return
        self.failed += readings
        if not isinstance(error, PipeWatcherError):
            unexpected = CommitLogUnavailable()
            unexpected.__cause__ = error
            error = unexpected
        done(error)

    async def _watch_disk(self) -> None:
        while True:
            await asyncio.sleep(DISK_CHECK_INTERVAL_S)
            await self._check_disk()

    async def _check_disk(self) -> None:
        try:
            usage = await asyncio.to_thread(shutil.disk_usage, self._data_dir)
        except OSError:
            # A folder that cannot be looked at cannot be written to either.
            self._disk_full = True
        else:
            self._disk_full = usage.free < self._disk_free_min_bytes
