"""The commit log of many processes: a Kafka topic.

A reading is acknowledged when all in-sync replicas have it. Readers of a group share the
partitions; what they have stored is committed by hand, so it is delivered at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping

from pipewatcher.commit_log.kafka_offsets import EARLIEST, KafkaOffsets
from pipewatcher.commit_log.kafka_producer import KafkaProducer
from pipewatcher.commit_log.kafka_reader import KafkaDelivery, KafkaReader
from pipewatcher.commit_log.kafka_records import encode_batch, encode_reading
from pipewatcher.commit_log.kafka_topic import prepare_topics
from pipewatcher.commit_log.kafka_url import parse_kafka_url
from pipewatcher.errors import CommitLogUnavailable
from pipewatcher.model.readings import Batch, Features, Position
from pipewatcher.model.time import Micros
from pipewatcher.ports import Backlog

log = logging.getLogger(__name__)

WRITER_GROUP = "writer"
BACKLOG_INTERVAL_S = 1.0
RECORD_BYTES = 110
"""About what one reading takes; the backlog's bytes are an estimate."""
SAMPLES_MAX = 3_600


class KafkaCommitLog:
    def __init__(self, url: str) -> None:
        """Raises `SettingsError` for a URL that cannot be understood."""
        self._target = parse_kafka_url(url)
        self._producer = KafkaProducer(self._target)
        self._offsets: KafkaOffsets | None = None
        self._backlog = Backlog(readings=0, bytes=0, oldest_age_s=0.0)
        self._tails: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)
        self._watch: asyncio.Task[None] | None = None

    @property
    def features(self) -> Features:
        return Features(split_roles=True)

    @property
    def available(self) -> bool:
        return self._producer.available

    async def open(self) -> None:
        """Raises `SettingsError` with the remedy, or `CommitLogUnavailable`."""
        await asyncio.to_thread(prepare_topics, self._target)
        self._offsets = await asyncio.to_thread(KafkaOffsets, self._target, WRITER_GROUP)
        await self._producer.open()
        self._watch = asyncio.create_task(self._measure_often(), name="kafka backlog")

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._producer.close()
        if self._offsets is not None:
            await asyncio.to_thread(self._offsets.close)
            self._offsets = None

    def append(self, batch: Batch) -> asyncio.Future[Position]:
        return self._producer.append(encode_batch(batch))

    def append_reading(
        self, equipment_id: str, event_time: Micros, value: float, origin: str
    ) -> asyncio.Future[Position]:
        body = encode_reading(equipment_id, event_time, value)
        return self._producer.append([(equipment_id.encode(), body, origin)])

    def end(self) -> Position:
        return dict(self._producer.end)

    async def tail(self) -> Position:
        return await asyncio.to_thread(self._asking().ends)

    async def acked(self, group: str) -> Position:
        if group != WRITER_GROUP:
            raise ValueError(f"nobody asks how far {group} has come")
        return await asyncio.to_thread(self._asking().committed)

    def _asking(self) -> KafkaOffsets:
        assert self._offsets is not None, "open it first"
        return self._offsets

    async def accepted_before(self, position: Position) -> int | None:
        """Offsets of a topic say nothing of what retention or another producer did to it."""
        return None

    def backlog(self) -> Backlog:
        """Of all writers; measured every second."""
        return self._backlog

    async def deliveries(self, group: str, start: Position) -> AsyncGenerator[KafkaDelivery, None]:
        reader = KafkaReader(self._target, group, start, keep_poison=group == WRITER_GROUP)
        async with contextlib.aclosing(reader.deliveries()) as deliveries:
            async for delivery in deliveries:
                yield delivery

    async def _measure_often(self) -> None:
        while True:
            with contextlib.suppress(CommitLogUnavailable):
                tail, acked = await asyncio.gather(self.tail(), self.acked(WRITER_GROUP))
                self._backlog = await self._measured(tail, acked)
            await asyncio.sleep(BACKLOG_INTERVAL_S)

    async def _measured(self, tail: Mapping[int, int], acked: Mapping[int, int]) -> Backlog:
        begin = {}
        if acked.keys() != tail.keys():
            # What Kafka has deleted by age before anybody read it waits no more.
            begin = await asyncio.to_thread(self._asking().ends, EARLIEST)
        stored = {p: max(acked.get(p, 0), begin.get(p, 0)) for p in tail}
        readings = sum(max(0, tail[p] - stored[p]) for p in tail)
        now = time.monotonic()
        self._tails.append((now, sum(tail.values())))
        done = sum(stored.values())
        while len(self._tails) > 1 and self._tails[0][1] <= done:
            self._tails.popleft()
        age = now - self._tails[0][0] if readings else 0.0
        return Backlog(readings=readings, bytes=readings * RECORD_BYTES, oldest_age_s=age)
