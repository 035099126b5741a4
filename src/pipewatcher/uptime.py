"""Uptime: since when the historian runs, and when it was away.

A mark on disk says every few seconds that it runs. What lies between the last mark and being ready
again is a downtime; the mark moves only once that is kept, so that a crash in between counts it
from the same mark.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from pipewatcher.durable import write_whole
from pipewatcher.model.gaps import Downtime
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.ports import Registry

log = logging.getLogger(__name__)

INTERVAL_S = 2.0


class Uptime:
    def __init__(
        self, registry: Registry, path: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """`path` is the mark."""
        self._registry = registry
        self._path = path
        self._clock = clock

    async def run(self) -> None:
        """From being ready until cancelled, when it marks once more."""
        now = self._now()
        last = await asyncio.to_thread(self._last)
        if last is not None and last < now:
            await self._registry.add_downtime(Downtime(start=last, end=now))
        try:
            while True:
                await asyncio.to_thread(self._mark)
                await asyncio.sleep(INTERVAL_S)
        finally:
            self._mark()

    def _last(self) -> Micros | None:
        """None at the first start."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self._path.read_text())
        return None

    def _mark(self) -> None:
        """Whole or not at all; a disk that is full leaves the mark where it was."""
        try:
            write_whole(self._path, str(self._now()).encode())
        except OSError as error:
            log.warning("the mark of uptime could not be written: %s", error.strerror)

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
