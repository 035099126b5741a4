"""What all connections of the MQTT listener share: limits, the clock, who is connected.

Deadlines are kept by one sweep over all connections, not by a timer for each packet; they are
met to within one sweep. Answers are written once per commit and connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Protocol

from pipewatcher.sources.mqtt_ingest import Ingest
from pipewatcher.sources.mqtt_wire import MqttFault, Reason, topic_of

log = logging.getLogger(__name__)

ADMISSION_INTERVAL_S = 0.02
TOPICS_KNOWN_MAX = 20_000
LOG_LINES_PER_SWEEP_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a connection may take; seconds and bytes."""

    connections_max: int = 16_000
    refused_connections_max: int = 512
    """Connections over the limit that are being told so; further ones are cut."""
    connects_per_s_max: int = 2_000
    """Those that come faster wait, unread, in the order in which they came."""
    connect_s: float = 10.0
    """From the first look at a connection to the end of its CONNECT."""
    control_bytes_max: int = 16 * 1024
    """Of a packet that is no PUBLISH, and of a CONNECT with its will."""
    packet_bytes_max: int = 256 * 1024
    """Parsed on the event loop: about 3,000 readings, a few milliseconds."""
    packet_s: float = 60.0
    """From the start of a packet to its end."""
    topic_bytes_max: int = 1_024
    topic_aliases_max: int = 32
    receive_maximum: int = 1_024
    """Messages of QoS 1 and 2 that one of MQTT 5 may have sent without their answer."""
    unsettled_max: int = 2_048
    """Messages of a connection that wait for their commit; then it is read no further."""
    packets_per_turn: int = 128
    """How many packets of one connection are handled before others have their turn."""
    keep_alive_max_s: int = 1_200
    """Told to MQTT 5; the longer or missing one of a 3.1.1 sender stands, and its half-open
    connection ends by the probes of TCP."""
    write_stall_s: float = 30.0
    """How long a sender may leave its answers unread."""
    linger_s: float = 2.0
    """How long a refused sender is read and ignored, so that it sees the reason."""
    sweep_s: float = 1.0


@dataclass(slots=True)
class Counts:
    """Of this listener since its start; they only grow."""

    connects: int = 0
    refused_connects: Counter[str] = field(default_factory=Counter)
    """By the reason's name, as `faults`."""
    faults: Counter[str] = field(default_factory=Counter)
    """Connections that were ended by us."""
    messages: list[int] = field(default_factory=lambda: [0, 0, 0])
    """By QoS."""


class Connection(Protocol):
    def sweep(self, now: float) -> None:
        """Ends the connection when one of its deadlines has passed."""
        ...

    def flush(self) -> None:
        """Writes the answers that are due."""
        ...

    def begin(self) -> None:
        """Its turn has come: it is read from now on."""
        ...

    def end(self, reason: Reason, text: str) -> None: ...

    def stop(self) -> None: ...

    def abort(self) -> None: ...


class Door:
    """Used from one event loop; `MqttListener` opens it to the network."""

    def __init__(self, ingest: Ingest, limits: Limits) -> None:
        self.ingest = ingest
        self.limits = limits
        self.counts = Counts()
        self.connections: set[Connection] = set()
        self.refused_connections = 0
        self.now = 0.0
        """The loop's clock at the last sweep: cheap, and exact enough for deadlines."""
        self._clients: dict[tuple[str, str], Connection] = {}
        self._topics: dict[bytes, str] = {}
        self._settled: list[Connection] = []
        self._waiting: deque[Connection] = deque()
        self._admissions = 0.0
        self._admitted_at = 0.0
        self._sweeping = False
        self._log_lines = 0
        self._empty: asyncio.Future[None] | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now = self._admitted_at = loop.time()
        self._admissions = self._burst

    # ---- connections

    @property
    def full(self) -> bool:
        return len(self.connections) > self.limits.connections_max

    def joined(self, connection: Connection) -> bool:
        """Whether it may be read at once; else `begin` is called when its turn has come."""
        self.connections.add(connection)
        if not self._sweeping:
            self._sweeping = True
            self.now = self.loop.time()
            self.loop.call_later(self.limits.sweep_s, self._sweep)
        self._refill()
        if self._admissions >= 1 and not self._waiting:
            self._admissions -= 1
            return True
        if not self._waiting:
            self.loop.call_later(ADMISSION_INTERVAL_S, self._admit)
        self._waiting.append(connection)
        return False

    def left(self, connection: Connection, client: tuple[str, str] | None) -> None:
        self.connections.discard(connection)
        if not self.connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)
        if client is not None and self._clients.get(client) is connection:
            del self._clients[client]

    async def emptied(self) -> None:
        """Returns once nobody is connected."""
        if self.connections:
            self._empty = self.loop.create_future()
            await self._empty

    def take_over(self, connection: Connection, client: tuple[str, str]) -> None:
        """Of two connections of a token with one client id the older ends."""
        older = self._clients.get(client)
        self._clients[client] = connection
        if older is not None:
            older.end(Reason.TAKEN_OVER, "another connection uses this client id")

    @property
    def _burst(self) -> float:
        """A pause does not let more through at once than this."""
        return max(1.0, self.limits.connects_per_s_max / 10)

    def _refill(self) -> None:
        now = self.loop.time()
        gained = (now - self._admitted_at) * self.limits.connects_per_s_max
        self._admissions = min(self._admissions + gained, self._burst)
        self._admitted_at = now

    def _admit(self) -> None:
        self._refill()
        while self._waiting and self._admissions >= 1:
            connection = self._waiting.popleft()
            if connection in self.connections:
                self._admissions -= 1
                connection.begin()
        if self._waiting:
            self.loop.call_later(ADMISSION_INTERVAL_S, self._admit)

    # ---- packets

    def topic(self, raw: bytes) -> str:
        """Raises `MqttFault`."""
        known = self._topics.get(raw)
        if known is None:
            if len(raw) > self.limits.topic_bytes_max:
                raise MqttFault(
                    Reason.TOPIC_NAME_INVALID,
                    f"the topic is longer than {self.limits.topic_bytes_max} bytes",
                )
            known = topic_of(raw)
            if len(self._topics) >= TOPICS_KNOWN_MAX:
                self._topics.clear()
            self._topics[raw] = known
        return known

    def flush_soon(self, connection: Connection) -> None:
        """All that a commit settles is answered together, once its callbacks have run."""
        if not self._settled:
            self.loop.call_soon(self._flush)
        self._settled.append(connection)

    def _flush(self) -> None:
        settled, self._settled = self._settled, []
        for connection in settled:
            connection.flush()

    # ---- upkeep

    def note(self, text: str, *args: object) -> None:
        """A line in the logs, but not thousands when thousands of devices do the same."""
        self._log_lines += 1
        if self._log_lines <= LOG_LINES_PER_SWEEP_MAX:
            log.info(text, *args)

    def _sweep(self) -> None:
        self.now = self.loop.time()
        for connection in list(self.connections):
            connection.sweep(self.now)
        unsaid = self._log_lines - LOG_LINES_PER_SWEEP_MAX
        self._log_lines = 0
        if unsaid > 0:
            log.info("MQTT: %d more lines like these", unsaid)
        if self.connections:
            self.loop.call_later(self.limits.sweep_s, self._sweep)
        else:
            self._sweeping = False
