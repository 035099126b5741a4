"""A plant that sends: what its gateways do on good days and on bad ones."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipewatcher.model.time import SECOND, Micros
from pipewatcher.sources.simulated_plant import Floats, Ints, Mask, SimulatedPlant
from pipewatcher.sources.simulated_senders import Outcome, Sender, make_sender

CONNECTIONS = 8
TICK_S = (0.05, 0.5)
READINGS_PER_TICK_MAX = 20_000
OUTAGE_ROUNDS = (3, 10)
"""How many intervals a gateway stays away, from and to."""
CLOCK_AHEAD_S = (900, 86_400)
ATTEMPTS_MAX = 12
RETRY_S = (0.1, 5.0)
"""Without a Retry-After, the wait doubles from the first to the second."""
RETRY_AFTER_MAX_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong, as shares between 0 and 1."""

    bad: float = 0.0
    """Of readings: broken by firmware or on the way."""
    clock_ahead: float = 0.0
    """Of readings: stamped 15 minutes to a day in the future."""
    outages: float = 0.0
    """Of intervals: those in which a gateway begins to be away; it sends late what it kept."""
    silences: bool = False
    """Whether the plant's own outages go on: what they silence is never sent."""


@dataclass(slots=True)
class Summary:
    """Readings; once the run has ended, `sent = acknowledged + refused + lost`."""

    sent: int = 0
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By the code of the answer: the sender has to change something."""
    lost: int = 0
    """Given up without an answer or after too many "come back later"."""
    late: int = 0
    """Of `sent`: kept through an outage and sent in a burst."""
    kept: int = 0
    """In gateways that are away just now; not sent yet."""
    requests: int = 0
    retried: Counter[str] = field(default_factory=Counter)
    """Requests sent again, by what stood in the way."""


@dataclass(frozen=True, slots=True)
class _Request:
    body: bytes
    readings: int


class Simulator:
    """Sends every sensor of the plant once per interval, evenly spread. Used once."""

    def __init__(
        self,
        plant: SimulatedPlant,
        url: str,
        token: str,
        *,
        interval_s: float,
        batch: int = 1,
        faults: Faults | None = None,
        connections: int = CONNECTIONS,
        seed: int = 1,
    ) -> None:
        if interval_s <= 0 or batch < 1 or connections < 1:
            raise ValueError("interval, batch and connections must be above 0")
        self.summary = Summary()
        self._plant = plant
        self._senders = [make_sender(url, token) for _ in range(connections)]
        self._interval = interval_s * SECOND
        self._batch = batch
        self._faults = faults or Faults()
        self._rng = np.random.default_rng(seed)
        self._random = random.Random(seed)
        self._queue: asyncio.Queue[_Request] = asyncio.Queue(2 * connections)
        self._ids = [sensor.equipment_id for sensor in plant.sensors]
        self._away_until = np.zeros(int(plant.gateways.max()) + 1)
        self._kept_sensors: Ints = np.zeros(0, np.int64)
        self._kept_times: Ints = np.zeros(0, np.int64)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Makes no more readings; `run` returns once those already made have an answer."""
        self._stopping.set()

    async def run(self, duration_s: float | None = None) -> Summary:
        """Until the duration (seconds) is over or `stop` is called, and all is answered.

        Gateways that are away then come back and send what they kept.
        """
        sending = [asyncio.create_task(self._send_all(sender)) for sender in self._senders]
        try:
            await self._make(duration_s)
            await self._queue.join()
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            for sender in self._senders:
                await sender.close()
        return self.summary

    async def _make(self, duration_s: float | None) -> None:
        count = len(self._ids)
        step = self._interval / count
        tick_s = min(max(self._batch * step / SECOND, TICK_S[0]), TICK_S[1])
        begin = now = int(time.time() * SECOND)
        end = None if duration_s is None else begin + int(duration_s * SECOND)
        made = 0
        while not self._stopping.is_set() and (end is None or now < end):
            now = int(time.time() * SECOND)
            due = int((min(now, end or now) - begin) / step) + 1
            numbers = np.arange(made, min(due, made + READINGS_PER_TICK_MAX))
            made += len(numbers)
            times = begin + (numbers * step).astype(np.int64)
            sensors, times, late = self._through_gateways(numbers % count, times, now)
            await self._put(sensors, times, late)
            if made >= due:
                await self._pause(tick_s)
        await self._put(self._kept_sensors, self._kept_times, len(self._kept_sensors))
        self.summary.kept = 0

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _through_gateways(self, sensors: Ints, times: Ints, now: Micros) -> tuple[Ints, Ints, int]:
        """What gets out now: first what gateways that are back had kept, and how many those are."""
        if self._faults.silences:
            heard = ~self._plant.silent(sensors, times)
            sensors, times = sensors[heard], times[heard]
        gateways = self._plant.gateways
        if self._faults.outages and len(times):
            rounds = (times[-1] - times[0]) / self._interval
            begins = self._rng.random(len(self._away_until)) < self._faults.outages * rounds
            lasts = self._rng.uniform(*OUTAGE_ROUNDS, len(self._away_until)) * self._interval
            present = self._away_until <= now
            self._away_until[begins & present] = now + lasts[begins & present]
        away: Mask = self._away_until[gateways[sensors]] > now
        back: Mask = self._away_until[gateways[self._kept_sensors]] <= now
        out_sensors = np.concatenate([self._kept_sensors[back], sensors[~away]])
        out_times = np.concatenate([self._kept_times[back], times[~away]])
        self._kept_sensors = np.concatenate([self._kept_sensors[~back], sensors[away]])
        self._kept_times = np.concatenate([self._kept_times[~back], times[away]])
        self.summary.kept = len(self._kept_sensors)
        return out_sensors, out_times, int(back.sum())

    async def _put(self, sensors: Ints, times: Ints, late: int) -> None:
        if not len(sensors):
            return
        self.summary.late += late
        ahead = self._rng.random(len(times)) < self._faults.clock_ahead
        wrong = times + self._rng.integers(*CLOCK_AHEAD_S, len(times)) * SECOND
        items = self._encode(sensors, np.where(ahead, wrong, times))
        together: list[bytes] = []
        for item in items:
            if self._random.random() < self._faults.bad:
                spoiled, readable = _spoil(item, self._random)
                if not readable:
                    # Alone: it would take its whole batch with it.
                    await self._queue_up([spoiled], alone=True)
                    continue
                item = spoiled  # noqa: PLW2901 - the reading goes on as it is now
            together.append(item)
            if len(together) == self._batch:
                await self._queue_up(together)
                together = []
        if together:
            await self._queue_up(together)

    def _encode(self, sensors: Ints, times: Ints) -> list[bytes]:
        values: Floats = self._plant.values(sensors, times)
        stamps: Sequence[str] = np.datetime_as_string(times.astype("datetime64[us]")).tolist()
        return [
            f'{{"equipmentId":"{self._ids[sensor]}","timestamp":"{stamp}Z","value":{value}}}'.encode()
            for sensor, stamp, value in zip(sensors.tolist(), stamps, values.tolist(), strict=True)
        ]

    async def _queue_up(self, items: list[bytes], *, alone: bool = False) -> None:
        single = alone or self._batch == 1
        body = items[0] if single else b"[" + b",".join(items) + b"]"
        await self._queue.put(_Request(body, len(items)))
        self.summary.sent += len(items)

    async def _send_all(self, sender: Sender) -> None:
        while True:
            request = await self._queue.get()
            try:
                await self._send(sender, request)
            finally:
                self._queue.task_done()

    async def _send(self, sender: Sender, request: _Request) -> None:
        """Sends it until it is answered: sending a reading twice stores it once."""
        for attempt in range(ATTEMPTS_MAX):
            self.summary.requests += 1
            outcome = await sender.send(request.body, request.readings)
            if outcome.again is None:
                self._count(outcome)
                return
            self.summary.retried[outcome.again] += 1
            wait_s = min(RETRY_S[0] * 2**attempt, RETRY_S[1])
            if outcome.wait_s is not None:
                wait_s = min(outcome.wait_s, RETRY_AFTER_MAX_S)
            # Not all at once: senders that were refused together would come back together.
            await asyncio.sleep(wait_s * self._random.uniform(1.0, 1.3))
        self.summary.lost += request.readings

    def _count(self, outcome: Outcome) -> None:
        self.summary.acknowledged += outcome.acknowledged
        self.summary.refused.update(outcome.refused)


def _spoil(item: bytes, rng: random.Random) -> tuple[bytes, bool]:
    """The reading as a broken sender sends it, and whether it is still JSON."""
    spoilt = rng.choice(_SPOILERS)(item)
    return spoilt, spoilt.endswith(b"}") and b"NaN" not in spoilt


def _value(text: bytes) -> Callable[[bytes], bytes]:
    return lambda item: item[: item.rindex(b":") + 1] + text + b"}"


_SPOILERS: tuple[Callable[[bytes], bytes], ...] = (
    _value(b'"####"'),
    _value(b"null"),
    _value(b"NaN"),
    lambda item: item.replace(b'Z"', b'"'),
    lambda item: item.replace(b'"timestamp"', b'"time"'),
    lambda item: item.replace(b'"EQ-', b'"EQ '),
    lambda item: item[: len(item) // 2],
)
