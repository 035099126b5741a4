"""What happens to the commit log on Kafka when its readers, nodes and settings change."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from contract.commit_log_suite import deliver, rows_in, rows_of
from pipewatcher.commit_log import kafka_reader
from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.commit_log.kafka_url import parse_kafka_url
from pipewatcher.errors import CommitLogUnavailable, SettingsError
from pipewatcher.model.readings import Position, covers
from pipewatcher.ports import Delivery
from servers.kafka import KafkaCluster
from servers.process import free_port
from waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def opened(url: str):
    log = KafkaCommitLog(url)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


class SharedStore:
    """Keeps what is written last, slowly, as several writers over a network do."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, int], float] = {}
        self.writes = 0

    async def append(self, delivery: Delivery) -> None:
        rows = rows_in([delivery])
        await asyncio.sleep(random.uniform(0, 0.05))
        for sensor, event_time, value, _ in rows:
            self.values[sensor, event_time] = value
        self.writes += len(rows)


async def write(log: KafkaCommitLog, store: SharedStore) -> None:
    async with contextlib.aclosing(log.deliveries("writer", {})) as deliveries:
        async for delivery in deliveries:
            await store.append(delivery)
            await delivery.ack()


async def test_three_writers_that_come_and_go_store_the_last_write_of_each_reading(
    cluster: KafkaCluster,
) -> None:
    url = cluster.url("shared", partitions=12)
    rng = random.Random(3)
    store = SharedStore()
    expected: dict[tuple[str, int], float] = {}
    async with opened(url) as gateway, opened(url) as one, opened(url) as two, opened(url) as three:
        logs = itertools.cycle([one, two, three])
        writers = [asyncio.create_task(write(next(logs), store)) for _ in range(3)]
        until = time.monotonic() + 20
        number = 0
        while time.monotonic() < until:
            sent = []
            for _ in range(50):
                number += 1
                sensor, event_time = f"EQ-{rng.randrange(40)}", rng.randrange(20)
                sent.append(
                    gateway.append_reading(sensor, event_time, float(number), "http:gateway")
                )
                expected[sensor, event_time] = float(number)
            await asyncio.gather(*sent)
            if rng.random() < 0.01:
                leaving = writers.pop(0)
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
                writers.append(asyncio.create_task(write(next(logs), store)))
        tail = await gateway.tail()
        await all_acked(gateway, tail)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
    assert store.values == expected
    assert store.writes >= number


async def test_partitions_are_given_away_only_when_what_was_handed_over_is_acked(
    cluster: KafkaCluster,
) -> None:
    url = cluster.url("given-away", partitions=4)
    stored = asyncio.Event()
    first: list[Delivery] = []
    second: list[Delivery] = []

    async def slow(log: KafkaCommitLog) -> None:
        async with contextlib.aclosing(log.deliveries("writer", {})) as deliveries:
            async for delivery in deliveries:
                first.append(delivery)
                # Asked for more while the store still works on these, as the reader reads ahead.
                asyncio.get_running_loop().create_task(acked_later(delivery))

    async def acked_later(delivery: Delivery) -> None:
        await stored.wait()
        await delivery.ack()

    async with opened(url) as one, opened(url) as two:
        await asyncio.gather(*(one.append_reading(f"EQ-{n}", n, 1.0, "http:a") for n in range(80)))
        reading = asyncio.create_task(slow(one))
        await eventually(lambda: len(rows_in(first)) >= 80, 30)
        following = asyncio.create_task(_follow(two, second))
        await asyncio.sleep(6)
        assert second == []
        stored.set()
        async with asyncio.timeout(30):
            while not second:
                await asyncio.gather(
                    *(one.append_reading(f"EQ-{n}", n, 2.0, "http:a") for n in range(80))
                )
                await asyncio.sleep(0.2)
        assert {row[2] for row in rows_in(second)} == {2.0}
        for task in (reading, following):
            task.cancel()
        await asyncio.gather(reading, following, return_exceptions=True)


async def all_acked(log: KafkaCommitLog, tail: Position) -> None:
    async def acked() -> bool:
        return covers(await log.acked("writer"), tail)

    await eventually(acked)


async def _follow(log: KafkaCommitLog, seen: list[Delivery]) -> None:
    async with contextlib.aclosing(log.deliveries("writer", {})) as deliveries:
        async for delivery in deliveries:
            seen.append(delivery)
            await delivery.ack()


async def test_a_commit_that_failed_is_made_again_though_nothing_more_arrives(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a rebalance, for the partitions that stay: answers wait for what is committed."""
    refusals = 3

    class RefusedAtFirst(Consumer):
        def commit(self, *arguments, **options):
            nonlocal refusals
            if refusals > 0:
                refusals -= 1
                raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))
            return super().commit(*arguments, **options)

    async with opened(cluster.url("refused", partitions=2)) as log:
        await asyncio.gather(*(log.append_reading(f"EQ-{n}", n, 1.0, "http:a") for n in range(20)))
        tail = await log.tail()
        monkeypatch.setattr(kafka_reader, "Consumer", RefusedAtFirst)
        reading = asyncio.create_task(_follow(log, []))
        await all_acked(log, tail)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert refusals == 0


async def test_a_reader_ends_in_bounded_time_while_kafka_hangs_and_its_delivery_comes_again(
    tmp_path: Path,
) -> None:
    with KafkaCluster(tmp_path) as hanging:
        broker = hanging.brokers[0]
        async with opened(hanging.url(partitions=4)) as log:
            await log.append_reading("EQ-1", 1, 1.0, "http:a")
            deliveries = log.deliveries("writer", {})
            delivery = await anext(deliveries)
            rows = rows_in([delivery])
            broker.pause()
            await delivery.ack()
            async with asyncio.timeout(kafka_reader.CLOSE_TIMEOUT_S + 15):
                await deliveries.aclose()
            broker.go_on()
            async with (
                asyncio.timeout(60),
                contextlib.aclosing(log.deliveries("writer", {})) as again,
            ):
                assert rows_in([await anext(again)]) == rows


async def test_one_of_three_nodes_killed_loses_nothing_that_was_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with KafkaCluster(tmp_path, nodes=3) as three:
        async with opened(three.url(partitions=6)) as log:
            assert "NOT SAFE FOR PRODUCTION" not in caplog.text
            numbers = itertools.count()
            acked: list[int] = []
            failed = 0

            async def send() -> None:
                nonlocal failed
                for number in numbers:
                    try:
                        await log.append_reading(f"EQ-{number % 50}", number, 1.0, "http:a")
                    except CommitLogUnavailable:
                        failed += 1
                        await asyncio.sleep(0.05)
                    else:
                        acked.append(number)

            load = [asyncio.create_task(send()) for _ in range(20)]
            await asyncio.sleep(2)
            before = len(acked)
            three.brokers[1].kill()
            await asyncio.sleep(15)
            during = len(acked)
            three.brokers[1].start()
            await asyncio.sleep(3)
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
            assert before < during < len(acked)
            rows = rows_in(await deliver(log, {}, await log.tail()))
        times = {row[1] for row in rows}
        assert set(acked) <= times
        # Delivered at least once: what comes twice is the same reading, and a store takes it once.
        assert len(set(rows)) == len(times)


async def test_a_topic_with_too_few_partitions_is_refused_with_the_remedy(
    cluster: KafkaCluster,
) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.servers})
    admin.create_topics([NewTopic("old", 1, 1)])["old"].result(20)
    with pytest.raises(SettingsError, match="1 partition, but 12 are wanted") as refused:
        await KafkaCommitLog(cluster.url("old")).open()
    assert "PIPEWATCHER_COMMIT_LOG" in str(refused.value)
    assert "partitions=1" in str(refused.value.hint)


async def test_one_copy_of_each_record_is_warned_about_loudly(
    cluster: KafkaCluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(cluster.url("alone", partitions=1)):
        assert "NOT SAFE FOR PRODUCTION" in caplog.text
        assert "flush.messages" not in caplog.text  # the topic that it made is synced


async def test_one_copy_that_is_acknowledged_before_it_is_on_the_disk_is_warned_about(
    cluster: KafkaCluster, caplog: pytest.LogCaptureFixture
) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.servers})
    admin.create_topics([NewTopic("in-memory", 1, 1)])["in-memory"].result(20)
    async with opened(cluster.url("in-memory", partitions=1)):
        assert "--entity-name in-memory --add-config flush.messages=1" in caplog.text


async def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path, user="plant", password="right-one") as closed:
        async with opened(closed.url(partitions=1)) as log:
            await log.append_reading("EQ-1", 1, 1.0, "http:a")
        wrong = closed.url(partitions=1).replace("right-one", "wrong-one")
        with pytest.raises(SettingsError, match="does not accept this user") as refused:
            await KafkaCommitLog(wrong).open()
        assert "wrong-one" not in f"{refused.value} {refused.value.hint} {refused.value.__cause__}"


@pytest.mark.parametrize("security", ["ssl", "sasl_plaintext"])
async def test_another_security_protocol_is_told(cluster: KafkaCluster, security: str) -> None:
    user = "u:p@" if security.startswith("sasl") else ""
    url = f"kafka://{user}{cluster.servers}/readings?security={security}&partitions=1"
    with pytest.raises(SettingsError, match="PIPEWATCHER_COMMIT_LOG") as refused:
        await KafkaCommitLog(url).open()
    assert "security=" in str(refused.value.hint)


async def test_nobody_at_the_address_is_told_within_seconds() -> None:
    began = time.monotonic()
    with pytest.raises(CommitLogUnavailable, match="cannot be reached") as refused:
        await KafkaCommitLog(f"kafka://127.0.0.1:{free_port()}/readings").open()
    assert "PIPEWATCHER_COMMIT_LOG" in str(refused.value.hint)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kafka:///readings", "must look like"),
        ("kafka://host:9092", "must look like"),
        ("kafka://host/a b", "must look like"),
        ("kafka://host/readings?security=tls", "security must be one of"),
        ("kafka://host/readings?security=sasl_ssl", "needs a user"),
        ("kafka://u:secret@host/readings?security=ssl", "does not use"),
        ("kafka://u:secret@host/readings?mechanism=MD5", "mechanism must be one of"),
        ("kafka://host/readings?ca=/nowhere.pem", "is no file"),
        ("kafka://host/readings?partitions=0", "from 1 to 1000"),
        ("kafka://host/readings?colour=red", "unknown colour"),
    ],
)
def test_a_url_that_cannot_be_understood_is_told(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        parse_kafka_url(url)
    assert "secret" not in str(refused.value)


def test_a_url_names_everything_that_a_cluster_needs(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    target = parse_kafka_url(
        f"kafka://plant:p%40ss@a,b:9093/plant-1?mechanism=SCRAM-SHA-512&ca={tmp_path}/ca.pem"
    )
    assert target.servers == "a:9092,b:9093"
    assert target.client["sasl.password"] == "p@ss"
    assert target.client["security.protocol"] == "SASL_SSL"
    assert (target.topic, target.group("writer")) == ("plant-1", "plant-1.writer")
    assert "p@ss" not in repr(target)


def test_rows_of_a_batch_keep_their_origins() -> None:
    from pipewatcher.commit_log.kafka_records import decode, encode_reading

    values = [encode_reading('Ω,"\\', n, v) for n, v in enumerate([-0.0, 5e-324, 1e308])]
    [batch], poison = decode(values, ["http:a", "mqtt:b", "http:a"])
    assert poison == []
    assert [row[3] for row in rows_of([batch])] == ["http:a", "mqtt:b", "http:a"]
    assert [str(row[2]) for row in rows_of([batch])] == ["-0.0", "5e-324", "1e+308"]
