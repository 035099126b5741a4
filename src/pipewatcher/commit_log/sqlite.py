"""The embedded commit log: one SQLite file, one row per group of appends.

Appends that arrive while a commit is in flight form the next group; nobody waits on a clock.
One thread writes: it commits groups, deletes what the store has, and checkpoints in between.
Another reads deliveries. The event loop only puts appends into a queue and ends their futures,
once per group.

What a crash can do: a group is in the WAL with its commit mark and synced before its futures end,
so it is there afterwards; without the mark SQLite drops it, and no future had ended. Deletions are
not synced on their own: a crash may bring stored entries back, and the store takes them twice.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from pipewatcher.commit_log.group import Append, Group, Single, Whole
from pipewatcher.commit_log.group_format import decode_group
from pipewatcher.commit_log.sqlite_entries import (
    CHECKPOINT_BYTES,
    CHECKPOINT_IDLE_BYTES,
    LAST_TOTAL,
    Entries,
    as_error,
)
from pipewatcher.commit_log.undelivered import Span, Undelivered
from pipewatcher.errors import (
    CommitLogDamaged,
    PipeWatcherError,
    Stopping,
)
from pipewatcher.model.readings import Batch, Features, Position
from pipewatcher.model.time import Micros
from pipewatcher.ports import Backlog, Delivery
from pipewatcher.sqlite_copy import copy_database

log = logging.getLogger(__name__)
T = TypeVar("T")

PARTITION = 0

DELIVERY_READINGS_MAX = 500_000
DELIVERY_BYTES_MAX = 32 * 2**20
"""A delivery takes no further entry once it is past one of these."""

IDLE_S = 0.2

_Command: TypeAlias = Callable[[], None]


class SQLiteCommitLog:
    """Used from one event loop; `open` and `close` once each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = Entries(path)
        self._queue: SimpleQueue[Single | Whole | _Command] = SimpleQueue()
        self._put: Callable[[Single | Whole], None] = _refuse
        self._writer: threading.Thread | None = None
        self._stop = False
        self._reader = ThreadPoolExecutor(1, "commit-log-read")
        self._read_connection: sqlite3.Connection | None = None
        self._undelivered = Undelivered(Span(first=0, end=0))
        self._arrived = asyncio.Event()
        self._consumer_group: str | None = None
        self._generation = 0
        self._closed = False

    @property
    def features(self) -> Features:
        return Features(import_blocks=True)

    @property
    def available(self) -> bool:
        return True

    async def open(self) -> None:
        """Raises `DataFolderTooNew`, `CommitLogDamaged`, `CommitLogUnavailable` or `DiskFull`."""
        self._loop = asyncio.get_running_loop()
        span = await self._loop.run_in_executor(self._reader, self._open)
        self._undelivered = Undelivered(span)
        self._writer = threading.Thread(target=self._write, name="commit-log-write", daemon=True)
        self._writer.start()
        self._put = self._queue.put

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._put = _refuse
        self._arrived.set()
        if self._writer is not None:
            await self._on_writer(self._end_writing)
            await self._loop.run_in_executor(self._reader, self._writer.join)
        if self._read_connection is not None:
            await self._loop.run_in_executor(self._reader, self._read_connection.close)
        self._reader.shutdown()

    def append(self, batch: Batch) -> Append:
        """The batch's columns must not change any more."""
        if not len(batch):
            raise ValueError("an append has at least one reading")
        future = self._loop.create_future()
        self._put((future, batch))
        return future

    def append_reading(
        self, equipment_id: str, event_time: Micros, value: float, origin: str
    ) -> Append:
        future = self._loop.create_future()
        self._put((future, equipment_id, event_time, value, origin))
        return future

    def end(self) -> Position:
        return {PARTITION: self._undelivered.end}

    async def tail(self) -> Position:
        return self.end()

    async def acked(self, group: str) -> Position:
        return {PARTITION: self._undelivered.first}

    async def accepted_before(self, position: Position) -> int | None:
        entry = position.get(PARTITION, 0)
        recent = self._entries.recent_totals.get(entry)
        if recent is not None:
            return recent
        return await self._loop.run_in_executor(self._reader, self._total_before, entry)

    def copy_to(self, folder: Path) -> None:
        """As it is at this moment; from any thread. Raises `CommitLogUnavailable`, `DiskFull`."""
        try:
            copy_database(self._path, folder)
        except sqlite3.Error as error:
            raise as_error(error) from error

    def backlog(self) -> Backlog:
        return self._undelivered.backlog(time.time())

    async def deliveries(self, group: str, start: Position) -> AsyncGenerator[Delivery, None]:
        """For one group: what it has stored is deleted. A later call takes the earlier one's
        place. Ends when the commit log is closed; raises `CommitLogDamaged` rather than skip.
        """
        if self._consumer_group not in {None, group}:
            raise ValueError(f"the embedded commit log already delivers to {self._consumer_group}")
        self._consumer_group = group
        self._generation += 1
        generation = self._generation
        begin = start.get(PARTITION, self._undelivered.first)
        await self._on_writer(
            lambda: self._entries.start_at(begin), lambda span: self._restart(span, begin)
        )
        at = self._undelivered.first
        while not self._closed and generation == self._generation:
            if at >= self._undelivered.end:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            span = Span(first=at, end=self._undelivered.end)
            batches, span = await self._loop.run_in_executor(self._reader, self._read, span)
            at = span.end
            yield _Delivery(batches, {PARTITION: at}, self, span, generation)

    def acknowledge(self, span: Span, generation: int) -> None:
        """Of a reader that was replaced it is ignored: its successor is given the same again."""
        if generation != self._generation or self._closed:
            return
        before = self._undelivered.first
        self._undelivered.acked(span)
        first = self._undelivered.first
        if first > before:
            self._queue.put(lambda: self._entries.delete_below(first))

    def _restart(self, span: Span, begin: int) -> None:
        if span.first > begin:
            log.warning(
                "The store stands at %d, but the commit log begins at %d: "
                "what was between was stored before, perhaps in another data folder.",
                begin,
                span.first,
            )
        self._undelivered = Undelivered(span)

    # ---- the reading thread

    def _open(self) -> Span:
        try:
            self._read_connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
            span = self._entries.open()
            self._read_connection.execute("PRAGMA query_only = 1")
            return span
        except sqlite3.Error as error:
            raise as_error(error) from error

    def _read(self, span: Span) -> tuple[list[Batch], Span]:
        """The first entries of `span`, as many as one delivery may hold, and their span."""
        assert self._read_connection is not None
        batches: list[Batch] = []
        at, readings, size = span.first, 0, 0
        try:
            rows = self._read_connection.execute(
                "SELECT id, readings, body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
                [span.first, span.end],
            )
            # An open cursor would keep the WAL from starting over.
            with closing(rows):
                for entry, count, body in rows:
                    if entry != at:
                        break
                    batches += _decode(entry, body)
                    at += 1
                    readings += count
                    size += len(body)
                    if readings >= DELIVERY_READINGS_MAX or size >= DELIVERY_BYTES_MAX:
                        break
        except sqlite3.Error as error:
            raise as_error(error) from error
        if at == span.first:
            raise CommitLogDamaged(f"Entry {at} of the commit log is missing.")
        return batches, Span(first=span.first, end=at, readings=readings, bytes=size)

    def _total_before(self, entry: int) -> int | None:
        assert self._read_connection is not None
        try:
            row = self._read_connection.execute(
                f"SELECT coalesce(({LAST_TOTAL}), (SELECT total FROM deleted WHERE below <= ?1))",
                [entry],
            ).fetchone()
        except sqlite3.Error as error:
            raise as_error(error) from error
        return None if row is None else row[0]

    # ---- the writing thread

    def _write(self) -> None:
        while not self._stop:
            group = Group()
            command = self._gather(group)
            self._commit(group)
            if command is not None:
                command()
            self._entries.delete_some()
            self._entries.checkpoint(CHECKPOINT_BYTES)

    def _gather(self, group: Group) -> _Command | None:
        """Fills the group with what is waiting; a command ends it and is returned."""
        item = self._next()
        while True:
            if not isinstance(item, tuple):
                return item
            group.add(item)
            if group.full or self._queue.empty():
                return None
            item = self._queue.get_nowait()

    def _next(self) -> Single | Whole | _Command:
        while True:
            while self._queue.empty() and self._entries.delete_some():
                pass
            try:
                return self._queue.get(timeout=IDLE_S if self._entries.untidy else None)
            except Empty:
                self._entries.checkpoint(CHECKPOINT_IDLE_BYTES)

    def _commit(self, group: Group) -> None:
        body = group.encode()
        for future, error in group.refused:
            self._loop.call_soon_threadsafe(_fail, [future], error)
        if not group.appends:
            return
        try:
            span = self._entries.insert(group.readings, body)
        except sqlite3.Error as error:
            self._loop.call_soon_threadsafe(_fail, group.appends, as_error(error))
        else:
            self._loop.call_soon_threadsafe(self._committed, group.appends, span)

    def _committed(self, appends: list[Append], span: Span) -> None:
        self._undelivered.committed(span)
        position = {PARTITION: span.end}
        for future in appends:
            if not future.done():
                future.set_result(position)
        self._arrived.set()

    def _end_writing(self) -> None:
        self._stop = True
        self._entries.close()

    async def _on_writer(
        self, action: Callable[[], T], then: Callable[[T], None] | None = None
    ) -> T:
        """`then` runs on the loop, after all groups before the action and before all later ones."""
        future: asyncio.Future[T] = self._loop.create_future()

        def succeed(result: T) -> None:
            if then is not None:
                then(result)
            if not future.done():
                future.set_result(result)

        def command() -> None:
            try:
                result = action()
            except sqlite3.Error as error:
                self._loop.call_soon_threadsafe(_fail, [future], as_error(error))
            else:
                self._loop.call_soon_threadsafe(succeed, result)

        self._queue.put(command)
        return await future


@dataclass(frozen=True, slots=True)
class _Delivery:
    batches: Sequence[Batch]
    position: Position
    _log: SQLiteCommitLog
    _span: Span
    _generation: int

    async def ack(self) -> None:
        """The entries are deleted soon; a crash before that brings them back."""
        self._log.acknowledge(self._span, self._generation)


def _decode(entry: int, body: bytes) -> list[Batch]:
    try:
        return decode_group(body)
    except CommitLogDamaged as error:
        raise CommitLogDamaged(f"Entry {entry} of the commit log: {error.detail}.") from error


def _refuse(append: Single | Whole) -> None:
    append[0].set_exception(Stopping())


def _fail(futures: Sequence[asyncio.Future[T]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            # Each waiter raises its own: a shared one would gather everybody's tracebacks.
            own = type(error)(error.detail) if isinstance(error, PipeWatcherError) else error
            future.set_exception(own)
