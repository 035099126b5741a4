"""The topics of the commit log: made when they are missing, checked at every start."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from pipewatcher.commit_log.kafka_errors import Complaints, explained
from pipewatcher.commit_log.kafka_url import SETTING, KafkaTarget
from pipewatcher.errors import CommitLogUnavailable, SettingsError

log = logging.getLogger(__name__)

TIMEOUT_S = 8.0
DEAD_LETTERS_RETENTION_MS = 90 * 86_400_000


def prepare_topics(target: KafkaTarget) -> None:
    """Blocks. Raises `SettingsError` with the remedy, or `CommitLogUnavailable`."""
    complaints = Complaints()
    admin = AdminClient({**target.client, "error_cb": complaints, "log_level": 0})  # type: ignore[dict-item]
    known = _first_look(admin, complaints, target)
    brokers = len(known.brokers)
    wanted = {target.topic: target.partitions, target.dead_letters: 1}
    missing = {name: count for name, count in wanted.items() if name not in known.topics}
    if missing:
        _create(admin, missing, target, brokers)
    known = _all_led(admin, wanted)
    have = len(known.topics[target.topic].partitions)
    if have < target.partitions:
        raise SettingsError(
            f"{SETTING}: the topic {target.topic} has {have} partition"
            f"{'' if have == 1 else 's'}, but {target.partitions} are wanted.",
            hint=f"Add ?partitions={have} to the URL, or give it more with kafka-topics --alter "
            f"--topic {target.topic} --partitions {target.partitions} while no gateway runs.",
        )
    replicas = min(len(p.replicas) for p in known.topics[target.topic].partitions.values())
    _warn_about_copies(admin, target, replicas)


def _first_look(admin: AdminClient, complaints: Complaints, target: KafkaTarget) -> ClusterMetadata:
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return admin.list_topics(timeout=1)
        except KafkaException as error:
            admin.poll(0)  # calls `complaints`
            told = explained(error, complaints.last, target)
            if isinstance(told, SettingsError) or time.monotonic() > until:
                raise told from error


def _all_led(admin: AdminClient, names: Iterable[str]) -> ClusterMetadata:
    """Once every broker that is asked knows the topics and each partition has a leader."""
    until = time.monotonic() + TIMEOUT_S
    while True:
        known = admin.list_topics(timeout=TIMEOUT_S)
        topics = [known.topics.get(name) for name in names]
        if all(
            topic is not None
            and topic.partitions
            and all(part.leader >= 0 for part in topic.partitions.values())
            for topic in topics
        ):
            return known
        if time.monotonic() > until:
            raise CommitLogUnavailable(
                "Not every partition of the topic has a leader: too few Kafka brokers are up."
            )
        time.sleep(0.1)


def _create(
    admin: AdminClient, missing: Mapping[str, int], target: KafkaTarget, brokers: int
) -> None:
    replicas = min(3, brokers)
    insync = 2 if replicas >= 3 else 1
    config = {"min.insync.replicas": str(insync)}
    if replicas == 1:
        # Acknowledged must mean on the disk, where no other broker has it in memory too.
        config["flush.messages"] = "1"
    kept = {**config, "retention.ms": str(DEAD_LETTERS_RETENTION_MS)}
    topics = [
        NewTopic(
            name,
            num_partitions=count,
            replication_factor=replicas,
            config=config if name == target.topic else kept,
        )
        for name, count in missing.items()
    ]
    for name, made in admin.create_topics(topics, request_timeout=TIMEOUT_S).items():
        try:
            made.result(TIMEOUT_S)
            log.info("made the topic %s with %d copies of each record", name, replicas)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue  # another process was first
            raise SettingsError(
                f"{SETTING}: the topic {name} is missing and cannot be made: {error.args[0].str()}",
                hint=f"Have it made: kafka-topics --create --topic {name} "
                f"--partitions {missing[name]} --replication-factor {replicas} "
                f"--config min.insync.replicas={insync}",
            ) from error


def _warn_about_copies(admin: AdminClient, target: KafkaTarget, replicas: int) -> None:
    resource = ConfigResource(ResourceType.TOPIC, target.topic)
    try:
        config = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
        insync = int(config["min.insync.replicas"].value)
        flushed_after = int(config["flush.messages"].value)
    except (KafkaException, KeyError, ValueError) as error:
        log.warning("cannot see the settings of the topic %s: %s", target.topic, error)
        return
    if replicas < 2 or insync < 2:
        log.warning(
            "NOT SAFE FOR PRODUCTION: the topic %s keeps %d copies of a record and acknowledges "
            "with %d in sync. When one disk dies, acknowledged readings die with it. "
            "Use three brokers, replication factor 3 and min.insync.replicas=2.",
            target.topic, replicas, insync,
        )  # fmt: skip
    if replicas < 2 and flushed_after > 1:
        log.warning(
            "NOT SAFE FOR PRODUCTION: Kafka acknowledges records of the topic %s before they are "
            "on its one disk: a power cut loses them. kafka-configs --alter --entity-type topics "
            "--entity-name %s --add-config flush.messages=1",
            target.topic, target.topic,
        )  # fmt: skip
