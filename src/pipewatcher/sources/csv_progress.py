"""A running import: how far it is, and the blocks that it reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

from pipewatcher.model.imports import ImportJob
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX
from pipewatcher.sources.csv_reader import CsvBlock


@dataclass(slots=True)
class Progress:
    """A running import, live."""

    job: ImportJob
    began: float = field(default_factory=time.monotonic)
    bytes_done: int = 0
    rows_done: int = 0
    cancelled: bool = False
    sensors: set[str] = field(default_factory=set)

    @property
    def rows_per_s(self) -> float | None:
        elapsed = time.monotonic() - self.began
        return self.rows_done / elapsed if elapsed > 0 and self.rows_done else None

    @property
    def eta_s(self) -> float | None:
        elapsed = time.monotonic() - self.began
        if not self.bytes_done:
            return None
        return elapsed * max(0, self.job.bytes_total - self.bytes_done) / self.bytes_done


class CancelRequested(Exception):
    """Somebody cancelled the import that is running."""


def raise_if_cancelled(running: Progress) -> None:
    if running.cancelled:
        raise CancelRequested


def count(running: Progress, block: CsvBlock) -> None:
    job = running.job
    job.accepted += block.accepted
    job.rejected += len(block.bad_rows)
    job.received = job.accepted + job.rejected
    room = RECEIPT_ERRORS_MAX - len(job.errors)
    job.errors += [row.rejection() for row in block.bad_rows[:room]]
    running.sensors.update(block.columns.equipment_ids)
    running.bytes_done = job.bytes_done = block.bytes_read
    running.rows_done = job.rows_done = job.received
    job.sensors = len(running.sensors)


async def ahead(blocks: Iterator[CsvBlock]) -> AsyncGenerator[CsvBlock, None]:
    """Reads one block ahead in a thread; when closed, no thread is at the file any more."""
    loop = asyncio.get_running_loop()
    coming = loop.run_in_executor(None, next, blocks, None)
    try:
        while (block := await asyncio.shield(coming)) is not None:
            coming = loop.run_in_executor(None, next, blocks, None)
            yield block
    finally:
        await asyncio.wait({coming})
        coming.exception()
