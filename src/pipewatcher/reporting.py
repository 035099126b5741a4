"""What a process says of itself: status for people, figures for Prometheus, readiness."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipewatcher import __version__
from pipewatcher.api.answers import rfc3339
from pipewatcher.api.status import (
    BalanceItem,
    BrokerItem,
    DeadLetterCounts,
    DoorBalance,
    Lag,
    Mqtt,
    Stages,
    Status,
)
from pipewatcher.balance import Balance, BalanceSheet
from pipewatcher.dead_letters import DeadLetters
from pipewatcher.discovery import StoreDiscovery, StreamDiscovery
from pipewatcher.errors import Busy, StoreUnavailable
from pipewatcher.intake import Intake
from pipewatcher.model.figures import StoreStats
from pipewatcher.model.time import SECOND
from pipewatcher.observability import Figures, metrics_text
from pipewatcher.ports import CommitLog, ReadingsStore
from pipewatcher.queries import Queries
from pipewatcher.sources.mqtt_broker import BrokerSource
from pipewatcher.sources.mqtt_broker_client import BrokerAway
from pipewatcher.sources.mqtt_listener import MqttListener
from pipewatcher.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """The stages that this process has; None for those that other processes have."""

    roles: list[str]
    engines: Mapping[str, str]
    commit_log: CommitLog
    intake: Intake
    store: ReadingsStore | None
    writer: Writer | None
    dead_letters: DeadLetters
    brokers: Sequence[BrokerSource]
    discovery: StoreDiscovery | StreamDiscovery | None
    queries: Queries | None
    balance: Balance | None
    connections: Callable[[], int]
    mqtt: MqttListener | None
    started_at: int = field(default_factory=lambda: int(time.time() * SECOND))

    def refusal(self) -> str | None:
        """Why not every door takes readings at the moment, or nothing is stored."""
        if self.writer is not None and not self.writer.available:
            return "store_unavailable"
        if self.mqtt is not None and not self.mqtt.accepting:
            return "mqtt_closed"
        refusal = self.intake.refusal()
        if refusal is not None:
            return refusal.code
        away = any(broker.problem is not None for broker in self.brokers)
        return BrokerAway.code if away else None

    async def status(self) -> Status:
        stats = await self._stats()
        backlog = self.commit_log.backlog()
        intake = self.intake
        refusal = self.refusal()
        return Status(
            version=__version__,
            roles=self.roles,
            as_of=rfc3339(int(time.time() * SECOND)),
            started=rfc3339(self.started_at),
            accepting=refusal is None,
            reason=refusal,
            sensors=stats.sensors if stats else None,
            readings=stats.readings if stats else None,
            unfolded=stats.unfolded if stats else None,
            store_bytes=stats.file_bytes if stats else None,
            stages=Stages(
                received=intake.received,
                accepted=intake.accepted,
                rejected=intake.rejected.total(),
                committed=intake.committed,
                failed=intake.failed,
                stored=self.writer.counts.stored if self.writer else None,
                refused=self.writer.counts.refused if self.writer else None,
            ),
            rejected_by_code=dict(intake.rejected),
            lag=Lag(readings=backlog.readings, bytes=backlog.bytes, seconds=backlog.oldest_age_s),
            dead_letters=DeadLetterCounts(
                kept=self.dead_letters.kept,
                bytes=self.dead_letters.kept_bytes,
                dropped=self.dead_letters.dropped,
            ),
            brokers=[
                BrokerItem(
                    broker=broker.target.name,
                    connected=broker.connected,
                    problem=broker.problem.detail if broker.problem is not None else None,
                    messages=broker.counts.messages,
                    dead_letters=broker.counts.dead_letters,
                    losses=broker.counts.losses,
                )
                for broker in self.brokers
            ],
            connections=self.connections(),
            mqtt=self._mqtt(),
            engines=dict(self.engines),
            balance=await self._balance(),
        )

    async def _sheet(self) -> BalanceSheet | None:
        """None while the store is away, too."""
        try:
            return await self.balance.sheet() if self.balance is not None else None
        except Busy:
            return None

    async def _balance(self) -> BalanceItem | None:
        sheet = await self._sheet()
        if sheet is None:
            return None
        return BalanceItem(
            received=sheet.received,
            accepted=sheet.accepted,
            rejected=sheet.rejected,
            stored=sheet.stored,
            in_commit_log=sheet.in_commit_log,
            difference=sheet.difference,
            doors=[
                DoorBalance(
                    door=door.ever.door,
                    received=door.ever.stored + door.rejected,
                    rejected=door.rejected,
                    stored=door.ever.stored,
                    received_since_start=door.stored_since_start + door.rejected_since_start,
                    rejected_since_start=door.rejected_since_start,
                    stored_since_start=door.stored_since_start,
                    new=door.ever.new,
                    identical=door.ever.identical,
                    corrected=door.ever.corrected,
                    repeated=door.ever.repeated,
                    skipped=door.ever.skipped,
                    unfolded=door.ever.unfolded,
                )
                for door in sheet.doors
            ],
        )

    def _mqtt(self) -> Mqtt | None:
        if self.mqtt is None:
            return None
        counts = self.mqtt.counts
        return Mqtt(
            port=self.mqtt.port,
            tls_port=self.mqtt.tls_port,
            connections=self.mqtt.connections,
            messages_by_qos=list(counts.messages),
            refused_connections=dict(counts.refused_connects),
            ended_connections=dict(counts.faults),
        )

    async def _stats(self) -> StoreStats | None:
        """None where there is no store, and while it is away: the lag is told all the more."""
        if self.store is None:
            return None
        try:
            return await self.store.stats()
        except StoreUnavailable:
            return None

    async def metrics(self) -> bytes:
        sheet = await self._sheet()
        return metrics_text(
            Figures(
                intake=self.intake,
                writer=self.writer.counts if self.writer else None,
                dead_letters=self.dead_letters,
                backlog=self.commit_log.backlog(),
                store=await self._stats(),
                query_latencies=self.queries.latencies if self.queries else None,
                sensors_registered=self.discovery.registered if self.discovery else None,
                difference=sheet.difference if sheet is not None else None,
                connections=self.connections(),
                brokers=self.brokers,
                mqtt=self.mqtt,
                accepting=self.refusal() is None,
            )
        )
