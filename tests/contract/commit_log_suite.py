"""What every commit log promises. An adapter's file gives `open_log` and its `Features`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipewatcher.model.readings import Batch, Features, ImportBlock, Position, covers
from pipewatcher.ports import Backlog, CommitLog, Delivery
from waiting import eventually

Row = tuple[str, int, float, str]
WAIT_S = 120.0


def a_batch(
    count: int, *, sensor: str = "EQ", origin: str = "http:a", block: ImportBlock | None = None
) -> Batch:
    return Batch(
        equipment_ids=[f"{sensor}-{n}" for n in range(min(count, 50))],
        codes=(np.arange(count) % 50).astype(np.uint32),
        event_times=np.arange(count, dtype=np.int64),
        values=np.arange(count) / 8,
        origins=[origin],
        block=block,
    )


def rows_of(batches: Sequence[Batch]) -> list[Row]:
    rows: list[Row] = []
    for batch in batches:
        origins = batch.origin_codes
        if origins is None:
            origins = np.zeros(len(batch), np.uint32)
        rows += [
            (batch.equipment_ids[code], int(time), float(value), batch.origins[origin])
            for code, time, value, origin in zip(
                batch.codes, batch.event_times, batch.values, origins, strict=True
            )
        ]
    return rows


async def deliver(
    log: CommitLog, start: Position, until: Position, *, ack: bool = False
) -> list[Delivery]:
    """Everything from `start` up to `until`."""
    found: list[Delivery] = []
    delivering = contextlib.aclosing(log.deliveries("writer", start))
    async with asyncio.timeout(WAIT_S), delivering as deliveries:
        async for delivery in deliveries:
            found.append(delivery)
            if ack:
                await delivery.ack()
            if covers(delivery.position, until):
                break
    return found


def rows_in(deliveries: Sequence[Delivery]) -> list[Row]:
    return [row for delivery in deliveries for row in rows_of(delivery.batches)]


def by_sensor(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The order between sensors is nobody's promise."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


async def backlog_of(log: CommitLog, readings: int) -> Backlog:
    """The backlog once it is known to be so many readings."""
    await eventually(lambda: log.backlog().readings == readings, WAIT_S)
    return log.backlog()


class CommitLogSuite:
    features: Features

    async def open_log(self, folder: Path) -> CommitLog:
        raise NotImplementedError

    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[CommitLog]:
        log = await self.open_log(tmp_path)
        yield log
        await log.close()

    async def all_rows(self, log: CommitLog) -> list[Row]:
        return rows_in(await deliver(log, {}, await log.tail()))

    async def test_what_is_appended_is_delivered_in_order_with_its_bits(
        self, log: CommitLog
    ) -> None:
        values = [-0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
        await asyncio.gather(
            *(log.append_reading("EQ-1", n, value, "http:a") for n, value in enumerate(values))
        )
        rows = await self.all_rows(log)
        assert [row[:2] for row in rows] == [("EQ-1", n) for n in range(4)]
        assert np.array([r[2] for r in rows]).tobytes() == np.array(values).tobytes()

    async def test_singles_and_batches_keep_the_order_of_the_calls(self, log: CommitLog) -> None:
        futures = []
        expected: list[Row] = []
        for n in range(300):
            if n % 3:
                origin = f"http:{n % 2}"
                futures.append(log.append_reading("ΩQ", n, n / 4, origin))
                expected.append(("ΩQ", n, n / 4, origin))
            else:
                batch = a_batch(3, origin="http:b")
                futures.append(log.append(batch))
                expected += rows_of([batch])
        await asyncio.gather(*futures)
        assert by_sensor(await self.all_rows(log)) == by_sensor(expected)

    async def test_an_import_block_keeps_what_it_is(self, log: CommitLog) -> None:
        block = ImportBlock(import_id=7, block=3, keep_stored=True)
        await log.append(a_batch(10, origin="import:7", block=block))
        batches = [batch for d in await deliver(log, {}, log.end()) for batch in d.batches]
        assert sum(map(len, batches)) == 10
        for batch in batches:
            assert batch.block == (block if self.features.import_blocks else None)
            assert list(batch.origins) == ["import:7"]

    async def test_the_end_is_past_everything_that_was_acknowledged(self, log: CommitLog) -> None:
        before = log.end()
        position = await log.append_reading("EQ-1", 1, 1.0, "http:a")
        assert covers(log.end(), position)
        assert not covers(before, position)

    async def test_large_batches_come_whole(self, log: CommitLog) -> None:
        batches = [a_batch(200_000, sensor=f"S{n}") for n in range(4)]
        await asyncio.gather(*(log.append(batch) for batch in batches))
        assert len(await self.all_rows(log)) == 800_000

    async def test_what_is_not_acked_comes_again_after_a_restart(
        self, log: CommitLog, tmp_path: Path
    ) -> None:
        await log.append(a_batch(5))
        rows = await self.all_rows(log)
        await log.close()
        again = await self.open_log(tmp_path)
        try:
            assert by_sensor(await self.all_rows(again)) == by_sensor(rows)
        finally:
            await again.close()

    async def test_what_is_acked_does_not_come_again_and_numbers_go_on(
        self, log: CommitLog, tmp_path: Path
    ) -> None:
        await log.append(a_batch(5))
        acked = (await deliver(log, {}, log.end(), ack=True))[-1].position
        await log.close()
        again = await self.open_log(tmp_path)
        try:
            position = await again.append_reading("EQ-9", 9, 9.0, "http:a")
            assert not covers(acked, position)
            found = await deliver(again, acked, again.end())
            assert rows_in(found) == [("EQ-9", 9, 9.0, "http:a")]
        finally:
            await again.close()

    async def test_a_start_skips_what_the_store_has(self, log: CommitLog) -> None:
        first = await log.append(a_batch(5))
        await log.append_reading("EQ-9", 9, 9.0, "http:a")
        found = await deliver(log, first, log.end())
        assert rows_in(found) == [("EQ-9", 9, 9.0, "http:a")]

    async def test_a_cancelled_wait_harms_no_neighbour(self, log: CommitLog) -> None:
        futures = [log.append_reading("EQ-1", n, 1.0, "http:a") for n in range(50)]
        futures[7].cancel()
        done = await asyncio.gather(*futures, return_exceptions=True)
        assert sum(isinstance(one, BaseException) for one in done) == 1
        assert len(await self.all_rows(log)) >= 49

    async def test_the_backlog_counts_what_is_not_acked(self, log: CommitLog) -> None:
        assert log.backlog().readings == 0
        await log.append(a_batch(500))
        assert (await backlog_of(log, 500)).bytes > 0
        await deliver(log, {}, log.end(), ack=True)
        await backlog_of(log, 0)

    async def test_the_tail_and_the_acked_position_meet_when_all_is_acked(
        self, log: CommitLog
    ) -> None:
        await log.append(a_batch(5))
        tail = await log.tail()
        assert covers(tail, log.end())
        assert not covers(await log.acked("writer"), tail)
        await deliver(log, {}, log.end(), ack=True)
        assert covers(await log.acked("writer"), tail)

    async def test_closing_ends_every_append_that_was_begun(
        self, log: CommitLog, tmp_path: Path
    ) -> None:
        futures = [log.append_reading("EQ-1", n, 1.0, "http:a") for n in range(200)]
        await log.close()
        assert all(future.done() for future in futures)
        stored = sum(future.exception() is None for future in futures)
        again = await self.open_log(tmp_path)
        try:
            assert len(await self.all_rows(again)) == stored
        finally:
            await again.close()
