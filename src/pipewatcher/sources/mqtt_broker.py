"""Readings from a plant's MQTT broker: taken as a subscriber that acknowledges what is durable.

The broker keeps what was not acknowledged, over our crashes too, as well as it keeps anything:
its session is persistent, so after a reconnect it sends that again. What comes twice is stored
once, unless it carries no timestamp and the time of receipt stands in for it.
There is no "no" in MQTT for a subscriber: when a reading cannot be made durable the connection is
dropped, and when we refuse everything for a while nothing is acknowledged, so that the broker
stops sending at `inflight_max` messages.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from pipewatcher.errors import Busy, PipeWatcherError, Stopping
from pipewatcher.intake import Intake
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.sources.mqtt_broker_client import BrokerAway, BrokerConnection
from pipewatcher.sources.mqtt_broker_url import BrokerTarget
from pipewatcher.sources.mqtt_payload import Parsed, TopicRules, parse, parse_single

log = logging.getLogger(__name__)

DOOR: Literal["mqtt-broker"] = "mqtt-broker"
INFLIGHT_MAX = 1_000
"""Messages that the broker sends ahead of our acknowledgements."""
INFLIGHT_MIN = 8
INFLIGHT_BYTES_MAX = 64 * 2**20
"""Payloads that wait to be durable; a connection that brings more gets a smaller window."""
ON_LOOP_BYTES_MAX = 256 * 1024
RETRY_MIN_S = 0.5
RETRY_MAX_S = 30.0
STEADY_S = 10.0
"""A connection that held so long was well: the next attempt comes soon."""
REFUSED_POLL_S = 0.2
STOP_S = 5.0


class DeadLetters(Protocol):
    async def keep(
        self,
        *,
        door: Literal["mqtt-broker"],
        topic: str,
        client: str,
        received_at: Micros,
        payload: bytes,
        reason: str,
        rejections: list[Rejection],
    ) -> None: ...


@dataclass(slots=True)
class BrokerCounts:
    messages: int = 0
    dead_letters: int = 0
    connections: int = 0
    losses: int = 0
    """Connections that ended, or could not be made."""


class BrokerSource:
    """One broker and filter. Of the event loop's thread only."""

    def __init__(
        self,
        target: BrokerTarget,
        intake: Intake,
        dead_letters: DeadLetters,
        rules: TopicRules,
        *,
        client_id: str,
        shared: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`client_id` names the session at the broker: the same at each start, no other's."""
        self.target = target
        self.counts = BrokerCounts()
        self.connected = False
        self.problem: PipeWatcherError | None = BrokerAway()
        """Why nothing comes from this broker at the moment."""
        self._intake = intake
        self._dead_letters = dead_letters
        self._rules = rules
        self._client_id = client_id
        self._subscription = target.subscription(shared=shared)
        self._clock = clock
        self._origin = target.origin
        self._connection: BrokerConnection | None = None
        self._inflight_max = INFLIGHT_MAX
        self._inflight_bytes = 0
        self._inflight: set[asyncio.Task[object]] = set()
        self._order = asyncio.Lock()
        """Messages are appended in the order in which they came."""

    async def run(self) -> None:
        """Until cancelled; then what is on its way is made durable and acknowledged first."""
        delay_s = RETRY_MIN_S
        try:
            while True:
                began = time.monotonic()
                try:
                    await self._serve()
                    log.warning("%s: the connection to the broker is lost", self.target.name)
                except PipeWatcherError as error:
                    if type(error) is not type(self.problem) or self.counts.losses == 0:
                        log.error("%s%s", error, f" {error.hint}" if error.hint else "")
                    self.problem = error
                self.counts.losses += 1
                if time.monotonic() - began > STEADY_S:
                    delay_s = RETRY_MIN_S
                await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
                delay_s = min(delay_s * 2, RETRY_MAX_S)
        finally:
            await self._stop()

    async def _serve(self) -> None:
        """Returns when the connection has ended. Raises what `BrokerConnection.open` does."""
        connection = BrokerConnection(
            self.target,
            self._client_id,
            lambda topic, payload: self._take(connection, topic, payload),
            inflight_max=self._inflight_max,
        )
        self._connection = connection
        try:
            await connection.open(self._subscription)
            self.connected, self.problem = True, None
            self.counts.connections += 1
            log.info("%s: connected, %s", self.target.name, self._subscription)
            await connection.lost.wait()
        finally:
            self.connected = False
            if self.problem is None:
                self.problem = BrokerAway()

    async def _stop(self) -> None:
        """The broker sends what comes from now on again, to whoever asks next."""
        if self._inflight:
            await asyncio.wait(self._inflight, timeout=STOP_S)
        if self._connection is not None:
            await self._connection.close()

    async def _take(self, connection: BrokerConnection, topic: str, payload: bytes) -> None:
        """Returns when the message may be acknowledged, or the connection is closed."""
        task = asyncio.current_task()
        assert task is not None
        self._inflight.add(task)
        self._inflight_bytes += len(payload)
        try:
            if connection.lost.is_set():
                return
            if self._inflight_bytes > INFLIGHT_BYTES_MAX:
                self._inflight_max = max(INFLIGHT_MIN, self._inflight_max // 2)
                log.warning(
                    "%s: large payloads; %d at a time", self.target.name, self._inflight_max
                )
                await connection.close()
                return
            self.counts.messages += 1
            await self._durable(topic, payload)
        except Busy as error:
            if not isinstance(error, Stopping):
                log.warning("%s: not durable, the broker keeps it: %s", self.target.name, error)
            await connection.close()
        except Exception:
            log.exception("%s: a message could not be taken; the broker keeps it", self.target.name)
            await connection.close()
        finally:
            self._inflight_bytes -= len(payload)
            self._inflight.discard(task)

    async def _durable(self, topic: str, payload: bytes) -> None:
        """Its readings in the commit log, what is wrong in the registry. Raises a `Busy`."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()

        def done(error: PipeWatcherError | None) -> None:
            if durable.done():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)

        async with self._order:
            await self._admitted()
            bounds, rules = self._intake.bounds(), self._rules
            received_at = int(self._clock() * SECOND)
            taken = parse_single(topic, payload, bounds=bounds, rules=rules)
            if taken is not None:
                self._intake.take_reading(*taken, self._origin, done)
                parsed = None
            else:
                read = partial(
                    parse,
                    topic,
                    payload,
                    origin=self._origin,
                    received_at=received_at,
                    bounds=bounds,
                    rules=rules,
                )
                large = len(payload) > ON_LOOP_BYTES_MAX
                parsed = await asyncio.to_thread(read) if large else read()
                self._intake.unknown_fields += parsed.unknown_fields
                for code, readings in parsed.rejected_by_code.items():
                    self._intake.reject(DOOR, code, readings)
                if parsed.batch is None:
                    durable.set_result(None)
                else:
                    self._intake.take(parsed.batch, done)
        await durable
        if parsed is not None and parsed.rejected:
            await self._bury(topic, received_at, parsed)

    async def _admitted(self) -> None:
        """Waits while we refuse readings from everybody. Raises `Stopping`."""
        while (refusal := self._intake.refusal()) is not None:
            if isinstance(refusal, Stopping):
                raise refusal
            await asyncio.sleep(REFUSED_POLL_S)

    async def _bury(self, topic: str, received_at: Micros, parsed: Parsed) -> None:
        await self._dead_letters.keep(
            door=DOOR,
            topic=topic,
            client=f"{self.target.host}:{self.target.port}",
            received_at=received_at,
            payload=parsed.rest,
            reason=parsed.reason,
            rejections=parsed.rest_rejections,
        )
        self.counts.dead_letters += 1
