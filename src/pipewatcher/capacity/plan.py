"""From sensors, interval and retention to what both set-ups need, and which of them to take.

Rates and memory are planned at `SAFETY` times what was measured to be needed: at half of its
capacity the load report's soak answered 99 of 100 readings within 42 ms. Disks are planned with
`DISK_SAFETY`. What lies beyond the largest run that was measured is said so in `doubts`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipewatcher.capacity.figures import Figures

SAFETY = 2.0
DISK_SAFETY = 1.5
BATCH = 100
"""Readings in a message of the figures named `_batch`."""
OVERVIEW_S_MAX = 1.0
"""For the means of all sensors over 30 days; longer, and people notice that they wait."""
SPLIT_OVERVIEW_S_MAX = 10.0
BROKERS = 3
PARTITIONS_MIN = 12
PARTITIONS_PER_WRITER = 4
"""So that four times the writers can work a backlog off: one partition is read by one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """`batch`: readings in a message; with 1 each sensor is a device with a connection of its own,
    with 100 a gateway sends for a hundred of them. `kept_in_kafka_s`: the topic's retention."""

    sensors: int
    interval_s: float
    retention_s: float
    batch: int = 1
    kept_in_kafka_s: float = 7 * 86_400.0

    @property
    def readings_per_s(self) -> float:
        return self.sensors / self.interval_s

    @property
    def connections(self) -> int:
        return math.ceil(self.sensors / self.batch)

    @property
    def readings_kept(self) -> float:
        return self.readings_per_s * self.retention_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that the embedded engine has only so much of."""

    name: str
    needed: float
    most: float
    unit: str

    @property
    def share(self) -> float:
        return self.needed / self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    cores: int
    busy_cores: float
    """With `SAFETY`, of doors, commit log and folds."""
    memory_bytes: float
    store_bytes: float
    commit_log_bytes: float
    disk_bytes: float
    backup_bytes: float
    waits_s: float
    """How long readings are accepted while the store takes none."""
    overview_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Of all stacks together."""

    stacks: int
    gateways: int
    writers: int
    partitions: int
    """Of each stack's topic."""
    gateway_cores: float
    writer_cores: float
    influxdb_cores: float
    memory_bytes: float
    """Of our roles; each stack has a discovery and an API too."""
    kafka_bytes: float
    """On each of `BROKERS` brokers, with `DISK_SAFETY`."""
    influxdb_bytes: float
    overview_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    demand: Demand
    network_in_bits_per_s: float
    limits: tuple[Limit, ...]
    embedded: Embedded
    split: Split
    doubts: tuple[str, ...]

    @property
    def over(self) -> tuple[Limit, ...]:
        """Why the embedded engine is not enough; empty when it is."""
        return tuple(limit for limit in self.limits if limit.share > 1)


def plan(demand: Demand, measured: Figures) -> Plan:
    embedded = _embedded(demand, measured)
    most = 1e6 / (_embedded_us(demand.batch, measured) * SAFETY)
    limits = (
        Limit(name="readings/s", needed=demand.readings_per_s, most=most, unit="/s"),
        Limit(name="connections", needed=demand.connections, most=measured.connections, unit=""),
        Limit(name="means over 30 d", needed=embedded.overview_s, most=OVERVIEW_S_MAX, unit=" s"),
    )
    wire = _per_reading(measured.wire_single_bytes, measured.wire_batch_bytes, demand.batch)
    return Plan(
        demand=demand,
        network_in_bits_per_s=8 * wire * demand.readings_per_s * SAFETY,
        limits=limits,
        embedded=embedded,
        split=_split(demand, measured),
        doubts=_doubts(demand, measured, split=any(limit.share > 1 for limit in limits)),
    )


def _per_reading(single: float, in_batch: float, batch: int) -> float:
    """Between the two that were measured: a part for the message and one for the reading."""
    reading = max(0.0, (in_batch - single / BATCH) / (1 - 1 / BATCH))
    return (single - reading) / batch + reading


def _embedded_us(batch: int, measured: Figures) -> float:
    return _per_reading(
        1e6 / measured.embedded_single_per_s, 1e6 / measured.embedded_batch_per_s, batch
    )


def _embedded(demand: Demand, measured: Figures) -> Embedded:
    busy = demand.readings_per_s * _embedded_us(demand.batch, measured) * SAFETY / 1e6
    peak_mb = max(measured.month_peak_mb, measured.loaded_peak_mb)
    store = demand.readings_kept * measured.duckdb_bytes
    backlog = measured.backlog_max_mb * 2**20
    return Embedded(
        # One for doors, commit log and folds, one for questions and imports.
        cores=math.ceil(busy) + 1,
        busy_cores=busy,
        memory_bytes=SAFETY * (peak_mb * 1e6 + demand.connections * measured.device_kb * 1e3),
        store_bytes=store,
        commit_log_bytes=backlog,
        disk_bytes=DISK_SAFETY * (store + backlog),
        backup_bytes=demand.readings_kept * measured.backup_bytes,
        waits_s=backlog / (demand.readings_per_s * measured.commit_log_bytes),
        overview_s=demand.sensors * measured.duckdb_means_us / 1e6,
    )


def _split(demand: Demand, measured: Figures) -> Split:
    rate = demand.readings_per_s * SAFETY
    overview_s = demand.sensors * measured.influxdb_means_us / 1e6
    stacks = math.ceil(max(rate / measured.writer_per_s, overview_s / SPLIT_OVERVIEW_S_MAX))
    # Batches were not measured there: each of their readings counts as one that came alone.
    gateway_cores = rate / measured.gateway_per_s
    writer_cores = rate * measured.writer_us / 1e6
    # Two of each at least: one may be killed or upgraded while the other goes on.
    by_connections = demand.connections / measured.connections
    gateways = stacks * max(2, math.ceil(max(gateway_cores, by_connections) / stacks))
    writers = stacks * max(2, math.ceil(writer_cores / stacks))
    memory_mib = (
        gateways * measured.gateway_mib
        + writers * measured.writer_mib
        + stacks * (measured.discovery_mib + measured.api_mib)
    )
    in_kafka = demand.readings_per_s * demand.kept_in_kafka_s * measured.kafka_bytes
    return Split(
        stacks=stacks,
        gateways=gateways,
        writers=writers,
        partitions=max(PARTITIONS_MIN, PARTITIONS_PER_WRITER * writers // stacks),
        gateway_cores=gateway_cores,
        writer_cores=writer_cores,
        influxdb_cores=rate * measured.influxdb_us / 1e6,
        memory_bytes=memory_mib * 2**20 + SAFETY * demand.connections * measured.device_kb * 1e3,
        kafka_bytes=DISK_SAFETY * in_kafka,
        influxdb_bytes=DISK_SAFETY * demand.readings_kept * measured.influxdb_bytes,
        overview_s=overview_s / stacks,
    )


def _doubts(demand: Demand, measured: Figures, *, split: bool) -> tuple[str, ...]:
    if split:
        return ("memory of Kafka, InfluxDB and MongoDB, and Kafka's CPU, were not measured",)
    found = ["one host is one copy: what its disk held outlives it as a backup only"]
    times = demand.readings_kept / measured.duckdb_readings
    if times > 1:
        found.append(
            f"the largest store that was measured holds {measured.duckdb_readings / 1e6:,.1f} "
            f"million readings; this is {times:,.0f} times that"
        )
    if demand.batch > BATCH:
        found.append(f"batches of more than {BATCH} readings were not in the load report")
    return tuple(found)
