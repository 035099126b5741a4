"""One reader of a consumer group: batches of the partitions that it is given, acked by offset.

Reading goes one delivery ahead of the store. When partitions are taken away, the reader's thread
waits inside the rebalance until what it has handed over is stored and acked; only then may another
reader begin. What was not acked by then is delivered again to its new owner.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from pipewatcher.commit_log.kafka_errors import Complaints
from pipewatcher.commit_log.kafka_records import decode, origins_of
from pipewatcher.commit_log.kafka_thread import DaemonThread, forget
from pipewatcher.commit_log.kafka_url import KafkaTarget
from pipewatcher.errors import CommitLogUnavailable
from pipewatcher.model.readings import Batch, Position

log = logging.getLogger(__name__)

DELIVERY_READINGS_MAX = 20_000
CONSUME_TIMEOUT_S = 0.02
REVOKE_TIMEOUT_S = 30.0
"""Longer than a store may take to store a delivery or to say that it cannot."""
DEAD_LETTER_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 15.0
"""Without a coordinator librdkafka waits for ever, for a commit as for the leave of its group."""
COMPLAIN_AGAIN_S = 10.0

_OPTIONS = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 2_000,
    "max.poll.interval.ms": 120_000,
    "queued.max.messages.kbytes": 32 * 1024,
    "fetch.wait.max.ms": 50,
    "reconnect.backoff.max.ms": 1_000,
    "log_level": 0,
}


class KafkaReader:
    def __init__(
        self, target: KafkaTarget, group: str, start: Position, *, keep_poison: bool
    ) -> None:
        """`keep_poison`: this group puts records that are no readings into the dead-letter
        topic; the others pass over them."""
        self._target = target
        self._group = target.group(group)
        self._start = dict(start)
        self._position = dict(start)
        self._epochs: dict[int, int] = {}
        """Grows when a partition is taken away: an ack from before it says nothing any more."""
        self._handed_over = 0
        self._acked: dict[int, int] = {}
        """Not committed yet."""
        self._complained_at = -COMPLAIN_AGAIN_S
        self._moved = threading.Condition()
        self._closed = False
        self._keep_poison = keep_poison
        self._dead_letters: Producer | None = None

    async def deliveries(self) -> AsyncGenerator[KafkaDelivery, None]:
        """For ever. Raises `CommitLogUnavailable` when the consumer cannot go on."""
        thread = DaemonThread("kafka-reader")
        self._consumer = Consumer(
            {**self._target.client, **_OPTIONS, "group.id": self._group, "error_cb": Complaints()}
        )
        self._consumer.subscribe(
            [self._target.topic],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        coming = thread.call(self._next)
        try:
            while True:
                delivery = await asyncio.shield(coming)
                if delivery is not None:
                    with self._moved:
                        self._handed_over += 1
                coming = thread.call(self._next)
                if delivery is not None:
                    yield delivery
        finally:
            with self._moved:
                self._closed = True
                self._moved.notify_all()
            forget(coming)
            thread.end(self._close)
            if not await thread.ended(CLOSE_TIMEOUT_S):
                log.warning(
                    "Kafka does not answer %s: it is left without being told. What is not "
                    "committed is delivered again.",
                    self._group,
                )

    def acknowledge(self, offsets: dict[int, int], epochs: dict[int, int]) -> None:
        """The reader's thread commits them: librdkafka lets no other thread commit while it waits
        in a rebalance for just this."""
        with self._moved:
            for partition, offset in offsets.items():
                if self._epochs.get(partition, 0) == epochs.get(partition, 0):
                    self._acked[partition] = offset
            self._handed_over -= 1
            self._moved.notify_all()

    # On the reader's thread

    def _next(self) -> KafkaDelivery | None:
        """What has arrived, or None when nothing did for a while."""
        self._commit()
        messages = self._consumer.consume(DELIVERY_READINGS_MAX, CONSUME_TIMEOUT_S)
        # Column by column: what is asked of one message after the other costs several times more.
        if any(map(Message.error, messages)):
            messages = _without_errors(messages)
        # A rebalance inside of `consume` may have taken away what it still returned.
        ours = {part.partition for part in self._consumer.assignment()}
        if not ours.issuperset(map(Message.partition, messages)):
            messages = [message for message in messages if message.partition() in ours]
        if not messages:
            return None
        places = zip(map(Message.partition, messages), map(Message.offset, messages), strict=True)
        offsets = {_int(partition): _int(last) + 1 for partition, last in dict(places).items()}
        headers: list[Any] = list(map(Message.headers, messages))
        batches, poison = decode(list(map(Message.value, messages)), origins_of(headers))
        if poison and self._keep_poison:
            self._bury([(messages[one.index], one.reason) for one in poison])
        self._position.update(offsets)
        epochs = {partition: self._epochs.get(partition, 0) for partition in offsets}
        return KafkaDelivery(batches, dict(self._position), self, offsets, epochs)

    def _commit(self) -> None:
        """What fails is kept for the next time, also when nothing more arrives: until it is
        committed, answers wait for it. What another reader owns by then is not ours to commit."""
        with self._moved:
            acked, self._acked = self._acked, {}
        if not acked:
            return
        topic = self._target.topic
        offsets = [TopicPartition(topic, part, offset) for part, offset in acked.items()]
        try:
            committed = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self._keep(acked, error.args[0])
        else:
            failed = {part.partition: part.error for part in committed if part.error is not None}
            if failed:
                kept = {part: acked[part] for part in failed}
                self._keep(kept, next(iter(failed.values())))

    def _keep(self, acked: Mapping[int, int], error: KafkaError) -> None:
        if time.monotonic() - self._complained_at > COMPLAIN_AGAIN_S:
            self._complained_at = time.monotonic()
            log.warning("offsets of %s are not committed yet: %s", self._group, error.str())
        with self._moved:
            for partition, offset in acked.items():
                self._acked.setdefault(partition, offset)

    def _bury(self, poison: Sequence[tuple[Message, str]]) -> None:
        """Durable in the dead-letter topic when it returns."""
        if self._dead_letters is None:
            self._dead_letters = Producer(
                {**self._target.client, "acks": "all", "enable.idempotence": True, "log_level": 0}
            )
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        for message, reason in poison:
            where = f"{message.topic()}/{message.partition()}/{message.offset()}"
            log.warning("dead letter: record %s %s", where, reason)
            self._dead_letters.produce(
                self._target.dead_letters,
                message.value(),
                message.key(),
                headers=[
                    *(message.headers() or []),
                    ("reason", reason.encode()),
                    ("record", where.encode()),
                ],
                on_delivery=delivered,
            )
        if self._dead_letters.flush(DEAD_LETTER_TIMEOUT_S) or failures:
            raise CommitLogUnavailable("The dead-letter topic takes no records.")

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("%s reads partitions %s", self._group, sorted(p.partition for p in partitions))
        for part in partitions:
            if part.partition in self._start:
                part.offset = self._start.pop(part.partition)
        consumer.incremental_assign(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with self._moved:
            drained = self._moved.wait_for(
                lambda: self._closed or not self._handed_over, REVOKE_TIMEOUT_S
            )
        if not drained:
            log.warning("%s gives up partitions before all of it was stored", self._group)
        self._commit()
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        with self._moved:
            for part in partitions:
                self._epochs[part.partition] = self._epochs.get(part.partition, 0) + 1
                self._acked.pop(part.partition, None)
        for part in partitions:
            self._position.pop(part.partition, None)
        log.info("%s gave up partitions %s", self._group, sorted(p.partition for p in partitions))
        consumer.incremental_unassign(partitions)

    def _close(self) -> None:
        self._commit()
        self._consumer.close()
        if self._dead_letters is not None:
            self._dead_letters.flush(1)


@dataclass(frozen=True, slots=True)
class KafkaDelivery:
    batches: Sequence[Batch]
    position: Position
    _reader: KafkaReader
    _offsets: dict[int, int]
    _epochs: dict[int, int]

    async def ack(self) -> None:
        """The offsets are committed before more is read or a partition is given away."""
        self._reader.acknowledge(self._offsets, self._epochs)


def _without_errors(messages: Sequence[Message]) -> list[Message]:
    """Raises `CommitLogUnavailable` for an error that does not pass."""
    good = []
    for message in messages:
        error = message.error()
        if error is None:
            good.append(message)
        else:
            _raise_if_final(error)
    return good


def _raise_if_final(error: KafkaError) -> None:
    """Most errors pass by themselves; these do not."""
    if error.fatal() or error.code() in {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - so the driver names its own errors
        KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }:
        raise CommitLogUnavailable(f"Kafka: {error.str()}")
    log.warning("Kafka: %s", error.str())


def _int(number: int | None) -> int:
    assert number is not None
    return number
