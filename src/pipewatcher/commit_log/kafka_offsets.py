"""Where the topic ends and how far a group has come, asked of the brokers.

Through consumers that read nothing: librdkafka's admin client aborts the process when the brokers
go away while it asks (2.16, an assertion in its queue).
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipewatcher.commit_log.kafka_errors import Complaints
from pipewatcher.commit_log.kafka_url import KafkaTarget
from pipewatcher.errors import CommitLogUnavailable

TIMEOUT_S = 3.0
LATEST: Final = -1
EARLIEST: Final = -2
"""Kafka's names for the ends of a partition, where an instant is asked for."""


class KafkaOffsets:
    """Every call blocks, for at most 3 s; raises `CommitLogUnavailable`."""

    def __init__(self, target: KafkaTarget, group: str) -> None:
        self._consumer = Consumer(
            {
                **target.client,
                "group.id": target.group(group),
                "enable.auto.commit": False,
                "error_cb": Complaints(),
                "log_level": 0,
            }
        )
        self._topic = target.topic
        try:
            known = self._consumer.list_topics(self._topic, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise CommitLogUnavailable from error
        self._partitions = sorted(known.topics[self._topic].partitions)

    def close(self) -> None:
        self._consumer.close()

    def ends(self, which: int = LATEST) -> dict[int, int]:
        """The offset of the next entry, or with `EARLIEST` of the first that is kept."""
        asked = [TopicPartition(self._topic, partition, which) for partition in self._partitions]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise CommitLogUnavailable from error
        return _offsets(found)

    def committed(self) -> dict[int, int]:
        """Of partitions where anything was."""
        asked = [TopicPartition(self._topic, partition) for partition in self._partitions]
        try:
            found = self._consumer.committed(asked, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise CommitLogUnavailable from error
        return {partition: offset for partition, offset in _offsets(found).items() if offset >= 0}


def _offsets(found: list[TopicPartition]) -> dict[int, int]:
    for part in found:
        if part.error is not None:
            raise CommitLogUnavailable(f"Kafka: {part.error.str()}")
    return {part.partition: part.offset for part in found}
