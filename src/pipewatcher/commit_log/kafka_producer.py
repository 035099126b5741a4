"""Appends to the topic: a future ends well once all in-sync replicas have its records.

`produce` is called on the event loop and never waits; one thread polls librdkafka for what was
delivered and tells the loop once for many appends.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipewatcher.commit_log.kafka_errors import Complaints
from pipewatcher.commit_log.kafka_records import ORIGIN_HEADER
from pipewatcher.commit_log.kafka_url import KafkaTarget
from pipewatcher.errors import CommitLogUnavailable, PipeWatcherError, Stopping
from pipewatcher.model.readings import Position

log = logging.getLogger(__name__)

APPEND_TIMEOUT_MS = 4_000
"""A record that Kafka has not acknowledged by then is answered with 503."""
QUEUE_KBYTES_MAX = 128 * 1024
POLL_S = 0.2
CHECK_INTERVAL_S = 2.0
CHECK_TIMEOUT_S = 2.0
ORIGINS_MAX = 10_000

_OPTIONS = {
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": APPEND_TIMEOUT_MS,
    "queue.buffering.max.kbytes": QUEUE_KBYTES_MAX,
    "queue.buffering.max.messages": 1_000_000,
    # A batch forms while the one before is on its way; waiting longer only adds latency.
    "linger.ms": 0,
    "batch.num.messages": 10_000,
    "compression.type": "lz4",
    # As Kafka's own clients do it: a record of another program meets its sensor's partition.
    "partitioner": "murmur2_random",
    "reconnect.backoff.max.ms": 1_000,
    "log_level": 0,
}


class KafkaProducer:
    def __init__(self, target: KafkaTarget) -> None:
        self._target = target
        self._complaints = Complaints()
        self._options = {**target.client, **_OPTIONS, "error_cb": self._complaints}
        self._headers: dict[str, list[tuple[str, str | bytes | None]]] = {}
        self._producer: Producer | None = None
        self._polling: threading.Thread | None = None
        self._settled: list[_Append] = []
        self._stop = False
        self._closed = False
        self._watch: asyncio.Task[None] | None = None
        self.end: dict[int, int] = {}
        """Past everything whose append has ended well."""
        self.available = True
        """False while the brokers cannot be reached: appends fail at once."""

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._start()
        self._watch = asyncio.create_task(self._check_often(), name="kafka check")

    async def close(self) -> None:
        """Every append has ended when it returns."""
        if self._closed or self._watch is None:
            return
        self._closed = True
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        await asyncio.to_thread(self._finish)
        await asyncio.sleep(0)  # what the polling thread told the loop last

    def append(self, records: Iterable[tuple[bytes, bytes, str]]) -> asyncio.Future[Position]:
        """Key, value and origin of each record, of at least one."""
        future: asyncio.Future[Position] = self._loop.create_future()
        if self._closed or self._producer is None:
            future.set_exception(Stopping())
            return future
        if not self.available:
            future.set_exception(CommitLogUnavailable("Kafka cannot be reached at the moment."))
            return future
        append = _Append(future)
        produce = self._producer.produce
        topic = self._target.topic
        delivered = partial(self._delivered, append)
        try:
            for key, value, origin in records:
                produce(topic, value, key, headers=self._header(origin), on_delivery=delivered)
                append.sent += 1
        except (BufferError, KafkaException) as error:
            append.fail(CommitLogUnavailable("Kafka takes less than what arrives."), error)
        append.complete = True
        # The polling thread may have seen the last one before it could know that it is the last.
        if append.ended == append.sent:
            self._settle([append])
        return future

    # On the event loop

    def _header(self, origin: str) -> list[tuple[str, str | bytes | None]]:
        header = self._headers.get(origin)
        if header is None:
            if len(self._headers) >= ORIGINS_MAX:
                self._headers.clear()
            header = self._headers[origin] = [(ORIGIN_HEADER, origin.encode())]
        return header

    def _settle(self, appends: list[_Append]) -> None:
        for append in appends:
            for partition, offset in append.position.items():
                if offset > self.end.get(partition, 0):
                    self.end[partition] = offset
            future = append.future
            if future.done():
                continue
            if append.error is None:
                future.set_result(append.position)
            else:
                future.set_exception(append.error)

    async def _check_often(self) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            if self._complaints.fatal:
                await asyncio.to_thread(self._renew)
            producer = self._producer
            assert producer is not None
            try:
                await asyncio.to_thread(
                    producer.list_topics, self._target.topic, timeout=CHECK_TIMEOUT_S
                )
            except KafkaException as error:
                if self.available:
                    log.error("Kafka cannot be reached: %s", error.args[0].str())
                self.available = False
            else:
                if not self.available:
                    log.info("Kafka can be reached again")
                self.available = True

    # On other threads

    def _start(self) -> None:
        self._complaints.fatal = self._stop = False
        self._producer = Producer(self._options)
        self._polling = threading.Thread(
            target=self._poll, args=(self._producer,), name="kafka-poll", daemon=True
        )
        self._polling.start()

    def _finish(self) -> None:
        assert self._producer is not None
        assert self._polling is not None
        until = time.monotonic() + APPEND_TIMEOUT_MS / 1000 + 1
        while len(self._producer) and time.monotonic() < until:
            time.sleep(0.005)
        self._producer.purge()
        self._stop = True
        self._polling.join()

    def _renew(self) -> None:
        """After an error that this producer cannot get over: nothing that it holds is lost
        silently, each append fails."""
        log.warning("starting a new Kafka producer")
        self._finish()
        self._start()

    def _poll(self, producer: Producer) -> None:
        while True:
            producer.poll(POLL_S)
            settled, self._settled = self._settled, []
            if settled:
                self._loop.call_soon_threadsafe(self._settle, settled)
            elif self._stop and not len(producer):
                return

    def _delivered(self, append: _Append, error: KafkaError | None, message: Message) -> None:
        """On the polling thread."""
        if error is not None:
            append.fail(CommitLogUnavailable(), KafkaException(error))
        else:
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if offset >= append.position.get(partition, 0):
                append.position[partition] = offset + 1
        append.ended += 1
        if append.complete and append.ended == append.sent:
            self._settled.append(append)


class _Append:
    """One call of `append`. `sent` grows on the event loop, `ended` on the polling thread."""

    __slots__ = ("complete", "ended", "error", "future", "position", "sent")

    def __init__(self, future: asyncio.Future[Position]) -> None:
        self.future = future
        self.sent = 0
        self.ended = 0
        self.complete = False
        self.position: dict[int, int] = {}
        self.error: PipeWatcherError | None = None

    def fail(self, error: PipeWatcherError, cause: BaseException) -> None:
        if self.error is None:
            error.__cause__ = cause
            self.error = error
