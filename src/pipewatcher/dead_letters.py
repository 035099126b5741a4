"""What carried readings and could not be answered: kept in the registry until a person decides.

A letter is dropped only to keep memory and registry bounded, the oldest first, and is counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from pipewatcher.errors import Busy, Stopping, StoreUnavailable
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX, DeadLetter, RefusedReading, Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.ports import DeadLetterRegistry
from pipewatcher.validate import CODE_INVALID, format_timestamp

log = logging.getLogger(__name__)

Door: TypeAlias = Literal["mqtt", "mqtt-broker", "store"]

PAYLOAD_BYTES_MAX = 64 * 1024
"""Of a longer payload the beginning is kept."""
TEXT_CHARS_MAX = 1_024
"""Of topic, client and reason."""
WAITING_MAX = 10_000
"""Letters in memory that the registry has not taken yet, and their bytes:"""
WAITING_BYTES_MAX = 16 * 2**20
BATCH_MAX = 500
RETRY_S = 1.0
COUNT_INTERVAL_S = 30.0
"""How often the registry is counted afresh: other processes write to it too."""
CLOSE_S = 5.0


class DeadLetters:
    """Of the event loop's thread only."""

    def __init__(self, registry: DeadLetterRegistry, *, count_max: int, bytes_max: int) -> None:
        self._registry = registry
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._waiting: deque[DeadLetter] = deque()
        self._waiting_bytes = 0
        self._awaited: deque[tuple[DeadLetter, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()
        self._closing = False
        self._counted_at = 0.0
        self.kept = 0
        """Letters in the registry, as far as this process knows."""
        self.kept_bytes = 0
        self.buried = 0
        """Since the start."""
        self.dropped = 0
        """Since the start: gone to make room, and nobody looked at them."""

    def bury(
        self,
        *,
        door: Door,
        topic: str,
        client: str,
        received_at: Micros,
        payload: bytes,
        reason: str,
        rejections: Sequence[Rejection],
    ) -> None:
        """Keeps it; at once in memory, within moments in the registry. Never waits or raises."""
        letter = _letter(door, topic, client, received_at, payload, reason, rejections)
        self._waiting.append(letter)
        self._waiting_bytes += len(letter.payload)
        while len(self._waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES_MAX:
            self._waiting_bytes -= len(self._waiting.popleft().payload)
            self.dropped += 1
        self._written.clear()
        self._wake.set()

    async def keep(
        self,
        *,
        door: Door,
        topic: str,
        client: str,
        received_at: Micros,
        payload: bytes,
        reason: str,
        rejections: Sequence[Rejection],
    ) -> None:
        """`bury` that is durable when it returns. Raises a `Busy`: then it may come again."""
        if self._closing:
            raise Stopping
        letter = _letter(door, topic, client, received_at, payload, reason, rejections)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append((letter, done))
        self._written.clear()
        self._wake.set()
        await done

    async def keep_refused(self, readings: Sequence[RefusedReading]) -> None:
        """What the readings store will never take. Durable when it returns.

        A crash before the delivery is acked brings the same readings, and their letters, again.
        Raises `StoreUnavailable`.
        """
        now = int(time.time() * SECOND)
        try:
            await asyncio.gather(*(self._keep_refused(reading, now) for reading in readings))
        except Busy as error:
            raise StoreUnavailable("The registry does not take dead letters.") from error

    async def _keep_refused(self, reading: RefusedReading, now: Micros) -> None:
        body = {
            "equipmentId": reading.equipment_id,
            "value": reading.value,
            "timestamp": format_timestamp(reading.event_time),
        }
        await self.keep(
            door="store",
            topic="",
            client=reading.origin,
            received_at=now,
            payload=msgspec.json.encode(body),
            reason=reading.reason,
            rejections=[Rejection(field="", reason=reading.reason, code=CODE_INVALID)],
        )

    async def run(self) -> None:
        """Writes to the registry until cancelled; what it cannot take now waits."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or self._awaited:
                try:
                    await self._write()
                except Busy as error:
                    log.warning("dead letters wait in memory: %s", error)
                    await asyncio.sleep(RETRY_S)
            self._written.set()

    async def close(self) -> None:
        """While `run` still runs, after the doors have closed: what waits is written."""
        self._closing = True
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._written.wait()
        except TimeoutError:
            log.error("%d dead letters were lost: the registry is away", len(self._waiting))

    async def _write(self) -> None:
        awaited = [self._awaited.popleft() for _ in range(min(len(self._awaited), BATCH_MAX))]
        waiting = list(self._waiting)[: BATCH_MAX - len(awaited)]
        letters = [letter for letter, _ in awaited] + waiting
        try:
            await self._registry.add_dead_letters(letters)
        except BaseException as error:
            # Those in `_waiting` stay there; who waits decides what comes again.
            failure = error if isinstance(error, Busy) else Busy()
            for _, done in awaited:
                if not done.done():
                    done.set_exception(failure)
            raise
        for letter in waiting:
            # `bury` may have dropped it meanwhile, as it drops the oldest.
            if self._waiting and self._waiting[0] is letter:
                self._waiting_bytes -= len(self._waiting.popleft().payload)
        self.buried += len(letters)
        self.kept += len(letters)
        self.kept_bytes += sum(len(letter.payload) for letter in letters)
        for _, done in awaited:
            if not done.done():
                done.set_result(None)
        await self._bound()

    async def _bound(self) -> None:
        over = self.kept > self._count_max or self.kept_bytes > self._bytes_max
        if over:
            gone = await self._registry.trim_dead_letters(self._count_max, self._bytes_max)
            self.dropped += gone
            if gone:
                log.warning("%d of the oldest dead letters were dropped to make room", gone)
        if over or time.monotonic() - self._counted_at > COUNT_INTERVAL_S:
            self.kept, self.kept_bytes = await self._registry.count_dead_letters()
            self._counted_at = time.monotonic()


def _letter(
    door: Door,
    topic: str,
    client: str,
    received_at: Micros,
    payload: bytes,
    reason: str,
    rejections: Sequence[Rejection],
) -> DeadLetter:
    return DeadLetter(
        id=0,
        door=door,
        topic=topic[:TEXT_CHARS_MAX],
        client=client[:TEXT_CHARS_MAX],
        received_at=received_at,
        reason=reason[:TEXT_CHARS_MAX],
        rejections=list(rejections[:RECEIPT_ERRORS_MAX]),
        payload=payload[:PAYLOAD_BYTES_MAX],
        payload_bytes=len(payload),
    )
