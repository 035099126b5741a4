"""Logs on stderr, and the figures as Prometheus reads them."""

from __future__ import annotations

import logging
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Latencies:
    """How often something took up to each of `LATENCY_BOUNDS_S`, or longer; cheap to add to."""

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        """Prometheus counts each bucket with all smaller ones."""
        bounds = [*(str(bound) for bound in LATENCY_BOUNDS_S), "+Inf"]
        buckets = list(zip(bounds, accumulate(self.counts), strict=True))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self.sum_s)


class IntakeFigures(Protocol):
    received: int
    accepted: int
    committed: int
    failed: int
    inflight_bytes: int
    commit_latencies: Latencies

    @property
    def rejected(self) -> Mapping[str, int]: ...
    @property
    def refused(self) -> Mapping[str, int]: ...


class WriterFigures(Protocol):
    stored: int
    refused: int
    drains: int
    failures: int


class DeadLetterFigures(Protocol):
    kept: int
    kept_bytes: int
    buried: int
    dropped: int


class BrokerCountFigures(Protocol):
    messages: int
    dead_letters: int
    losses: int


class BrokerTargetFigures(Protocol):
    @property
    def name(self) -> str: ...


class BrokerFigures(Protocol):
    connected: bool

    @property
    def target(self) -> BrokerTargetFigures: ...
    @property
    def counts(self) -> BrokerCountFigures: ...


class MqttCounts(Protocol):
    connects: int

    @property
    def messages(self) -> Sequence[int]: ...
    @property
    def refused_connects(self) -> Mapping[str, int]: ...
    @property
    def faults(self) -> Mapping[str, int]: ...


class MqttFigures(Protocol):
    @property
    def connections(self) -> int: ...
    @property
    def counts(self) -> MqttCounts: ...


class BacklogFigures(Protocol):
    @property
    def readings(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def oldest_age_s(self) -> float: ...


class StoreFigures(Protocol):
    @property
    def readings(self) -> int | None: ...
    @property
    def unfolded(self) -> int | None: ...
    @property
    def sensors(self) -> int: ...
    @property
    def file_bytes(self) -> int | None: ...
    @property
    def folds(self) -> int: ...
    @property
    def fold_seconds(self) -> float: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Figures:
    """What one process can tell; None for the stages that it does not have."""

    intake: IntakeFigures
    writer: WriterFigures | None
    dead_letters: DeadLetterFigures
    backlog: BacklogFigures
    store: StoreFigures | None
    query_latencies: Latencies | None
    sensors_registered: int | None
    difference: int | None
    """Of the balance sheet; None where it is not known."""
    connections: int
    brokers: Sequence[BrokerFigures]
    mqtt: MqttFigures | None
    accepting: bool

    def collect(self) -> Iterator[Metric]:
        for name, (text, value) in self._counters().items():
            yield CounterMetricFamily(f"pipewatcher_{name}", text, value=value)
        for name, (text, value) in self._gauges().items():
            yield GaugeMetricFamily(f"pipewatcher_{name}", text, value=value)
        yield self.intake.commit_latencies.family(
            "pipewatcher_commit_seconds", "From a valid request to its durable commit."
        )
        if self.query_latencies is not None:
            yield self.query_latencies.family(
                "pipewatcher_query_seconds", "Questions to the store, with the wait for freshness."
            )
        if self.brokers:
            yield from _of_brokers(self.brokers)
        yield _by_code("rejected_readings", "Readings refused.", self.intake.rejected)
        yield _by_code("refused_requests", "Requests over our limits.", self.intake.refused)
        if self.mqtt is not None:
            counts = self.mqtt.counts
            by_qos = {str(qos): count for qos, count in enumerate(counts.messages)}
            yield _by_code("mqtt_messages", "Messages received.", by_qos, label="qos")
            yield _by_code(
                "mqtt_refused_connects", "CONNECTs refused.", counts.refused_connects, "reason"
            )
            yield _by_code(
                "mqtt_ended_connections", "Connections ended by us.", counts.faults, "reason"
            )

    def _counters(self) -> dict[str, tuple[str, float]]:
        counters: dict[str, tuple[str, float]] = {
            "received_readings": ("Readings received.", self.intake.received),
            "accepted_readings": ("Valid readings.", self.intake.accepted),
            "committed_readings": ("Readings acknowledged as durable.", self.intake.committed),
            "failed_readings": ("Valid readings that could not be kept.", self.intake.failed),
            "dead_letters_buried": ("Dead letters written.", self.dead_letters.buried),
            "dead_letters_dropped": (
                "Dead letters that went to make room, unread.",
                self.dead_letters.dropped,
            ),
        }
        if self.writer is not None:
            counters |= {
                "stored_readings": ("Readings handed to the store.", self.writer.stored),
                "store_refused_readings": ("Readings the store refused.", self.writer.refused),
                "drains": ("Drains of the commit log.", self.writer.drains),
                "store_failures": ("Times the store was opened again.", self.writer.failures),
            }
        if self.store is not None:
            counters |= {
                "folds": ("Folds of the store.", self.store.folds),
                "fold_seconds": ("Seconds spent folding.", self.store.fold_seconds),
            }
        if self.mqtt is not None:
            counters["mqtt_connects"] = ("MQTT connections opened.", self.mqtt.counts.connects)
        if self.sensors_registered is not None:
            counters["sensors_registered"] = ("Sensors found.", self.sensors_registered)
        return counters

    def _gauges(self) -> dict[str, tuple[str, float]]:
        gauges: dict[str, tuple[str, float]] = {
            "lag_readings": ("Acknowledged, not stored yet.", self.backlog.readings),
            "lag_bytes": ("Bytes of the same.", self.backlog.bytes),
            "lag_seconds": ("Age of the oldest of them.", self.backlog.oldest_age_s),
            "dead_letters": ("Dead letters kept.", self.dead_letters.kept),
            "dead_letters_bytes": ("Bytes of their payloads.", self.dead_letters.kept_bytes),
            "inflight_bytes": ("Request bodies in memory.", self.intake.inflight_bytes),
            "connections": ("Open HTTP connections.", self.connections),
            "accepting": ("1 while every door takes readings.", float(self.accepting)),
        }
        if self.difference is not None:
            text = "Accepted readings that are neither stored nor waiting: 0, or some were lost."
            gauges["balance_difference"] = (text, self.difference)
        if self.mqtt is not None:
            gauges["mqtt_connections"] = ("Open MQTT connections.", self.mqtt.connections)
        if self.store is not None:
            of_store = {
                "store_readings": ("Distinct readings folded.", self.store.readings),
                "unfolded_rows": ("Rows that wait for a fold.", self.store.unfolded),
                "store_bytes": ("Size of the store's files.", self.store.file_bytes),
                "sensors": ("Sensors with readings.", self.store.sensors),
            }
            gauges |= {
                name: (text, value) for name, (text, value) in of_store.items() if value is not None
            }
        return gauges


def metrics_text(figures: Figures) -> bytes:
    """The Prometheus text format, with the figures of this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)


def _by_code(
    name: str, text: str, counts: Mapping[str, int], label: str = "code"
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"pipewatcher_{name}", text, labels=[label])
    for code, count in counts.items():
        family.add_metric([code], count)
    return family


def _of_brokers(brokers: Sequence[BrokerFigures]) -> Iterator[Metric]:
    prefix, labels = "pipewatcher_mqtt_broker", ["broker"]
    connected = GaugeMetricFamily(f"{prefix}_connected", "1 while it is connected.", labels=labels)
    messages = CounterMetricFamily(f"{prefix}_messages", "Messages that came.", labels=labels)
    letters = CounterMetricFamily(f"{prefix}_dead_letters", "Of these, refused.", labels=labels)
    losses = CounterMetricFamily(
        f"{prefix}_losses", "Connections that ended or could not be made.", labels=labels
    )
    for broker in brokers:
        name, counts = [broker.target.name], broker.counts
        connected.add_metric(name, float(broker.connected))
        messages.add_metric(name, counts.messages)
        letters.add_metric(name, counts.dead_letters)
        losses.add_metric(name, counts.losses)
    yield from (connected, messages, letters, losses)


def set_up_logging(log_format: str, level: str) -> None:
    """Lines for people, or one JSON object each."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("uvicorn", "httpx"):  # a line for each request, ours to InfluxDB too
        logging.getLogger(chatty).setLevel(logging.WARNING)
