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

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipewatcher.commit_log.kafka_producer import KafkaProducer
from pipewatcher.commit_log.kafka_reader import KafkaDelivery, KafkaReader
from pipewatcher.commit_log.kafka_records import encode_batch, encode_reading
from pipewatcher.commit_log.kafka_topic import prepare_topics
from pipewatcher.commit_log.kafka_url import parse_kafka_url
from pipewatcher.errors import CommitLogUnavailable
from pipewatcher.model import Batch, Features, Micros, Position
from pipewatcher.ports import Backlog

log = logging.getLogger(__name__)

WRITER_GROUP = "writer"
ASK_TIMEOUT_S = 3.0
BACKLOG_INTERVAL_S = 1.0
RECORD_BYTES = 110
"""About what one reading takes; the backlog's bytes are an estimate."""
SAMPLES_MAX = 3_600


class KafkaCommitLog:
    def __init__(self, url: str) -> None:
        """Raises `SettingsError` for a URL that cannot be understood."""
        self._target = parse_kafka_url(url)
        self._producer = KafkaProducer(self._target)
        self._admin: AdminClient | None = None
        self._partitions = self._target.partitions
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
        self._admin = AdminClient({**self._target.client, "log_level": 3})
        topic = self._target.topic
        known = await asyncio.to_thread(self._admin.list_topics, topic, timeout=ASK_TIMEOUT_S)
        self._partitions = len(known.topics[topic].partitions)
        await self._producer.open()
        self._watch = asyncio.create_task(self._measure_often(), name="kafka backlog")

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._producer.close()

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
        return await asyncio.to_thread(self._tail)

    async def acked(self, group: str) -> Position:
        return await asyncio.to_thread(self._acked, group)

    def backlog(self) -> Backlog:
        """Of all writers; measured every second."""
        return self._backlog

    async def deliveries(self, group: str, start: Position) -> AsyncGenerator[KafkaDelivery, None]:
        reader = KafkaReader(self._target, group, start, keep_poison=group == WRITER_GROUP)
        async with contextlib.aclosing(reader.deliveries()) as deliveries:
            async for delivery in deliveries:
                yield delivery

    # Asking the brokers, on other threads

    def _tail(self) -> dict[int, int]:
        return self._ends(OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def _ends(self, spec: OffsetSpec) -> dict[int, int]:
        assert self._admin is not None
        asked = {
            TopicPartition(self._target.topic, partition): spec
            for partition in range(self._partitions)
        }
        try:
            answers = self._admin.list_offsets(asked, request_timeout=ASK_TIMEOUT_S)
            return {
                part.partition: answer.result(ASK_TIMEOUT_S).offset
                for part, answer in answers.items()
            }
        except (KafkaException, TimeoutError) as error:
            raise CommitLogUnavailable from error

    def _acked(self, group: str) -> dict[int, int]:
        assert self._admin is not None
        name = self._target.group(group)
        asked = [ConsumerGroupTopicPartitions(name)]
        try:
            answers = self._admin.list_consumer_group_offsets(asked, request_timeout=ASK_TIMEOUT_S)
            found = answers[name].result(ASK_TIMEOUT_S).topic_partitions
        except (KafkaException, TimeoutError) as error:
            raise CommitLogUnavailable from error
        return {
            part.partition: part.offset
            for part in found
            if part.topic == self._target.topic and part.offset >= 0
        }

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
            earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
            begin = await asyncio.to_thread(self._ends, earliest)
        stored = {p: max(acked.get(p, 0), begin.get(p, 0)) for p in tail}
        readings = sum(max(0, tail[p] - stored[p]) for p in tail)
        now = time.monotonic()
        self._tails.append((now, sum(tail.values())))
        done = sum(stored.values())
        while len(self._tails) > 1 and self._tails[0][1] <= done:
            self._tails.popleft()
        age = now - self._tails[0][0] if readings else 0.0
        return Backlog(readings=readings, bytes=readings * RECORD_BYTES, oldest_age_s=age)
