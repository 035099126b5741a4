"""How the historian is: counts by stage, lag, versions; health for machines; metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from pipewatcher.api.answers import Camel, answers, json_answer, problems
from pipewatcher.api.auth import Caller, services_of

router = APIRouter(tags=["status"])


class Stages(Camel):
    """Readings since the start of this process, by stage; null for a stage it does not have."""

    received: int
    accepted: int
    rejected: int
    committed: int
    failed: int
    stored: int | None
    refused: int | None


class Lag(Camel):
    """What is acknowledged and not stored yet."""

    readings: int
    bytes: int
    seconds: float


class DeadLetterCounts(Camel):
    """Kept in the registry, and dropped by this process since its start to make room."""

    kept: int
    bytes: int
    dropped: int


class BrokerItem(Camel):
    """An MQTT broker that this process takes readings from; counts since its start."""

    broker: str
    connected: bool
    problem: str | None
    messages: int
    dead_letters: int
    losses: int


class Mqtt(Camel):
    """The MQTT listener since its start; a port is null when it could not be had."""

    port: int | None
    tls_port: int | None
    connections: int
    messages_by_qos: list[int]
    refused_connections: dict[str, int]
    ended_connections: dict[str, int]
    """By us, and why."""


class DoorBalance(Camel):
    """Readings that came by one door, since ever and since the start of this process:
    `received = stored + rejected` (what waits in the commit log is told by door once it is stored)
    and `stored = new + identical + corrected + repeated + skipped + unfolded`."""

    door: str
    received: int
    rejected: int
    stored: int
    received_since_start: int
    rejected_since_start: int
    stored_since_start: int
    new: int
    identical: int
    corrected: int
    repeated: int
    skipped: int
    unfolded: int


class BalanceItem(Camel):
    """Since ever: `received = accepted + rejected` and `accepted = stored + inCommitLog +
    difference`, and the difference is zero, or readings were lost or stored twice. The counts
    survive `kill -9`, but for what was rejected in the last second before it."""

    received: int
    accepted: int
    rejected: int
    stored: int
    in_commit_log: int
    difference: int
    doors: list[DoorBalance]


class Status(Camel):
    """Null is what only other processes know."""

    version: str
    roles: list[str]
    as_of: str
    started: str
    accepting: bool
    reason: str | None
    sensors: int | None
    readings: int | None
    unfolded: int | None
    store_bytes: int | None
    stages: Stages
    rejected_by_code: dict[str, int]
    lag: Lag
    dead_letters: DeadLetterCounts
    brokers: list[BrokerItem]
    connections: int
    mqtt: Mqtt | None
    engines: dict[str, str]
    balance: BalanceItem | None


class Health(Camel):
    status: str


HEALTH: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Ready.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}},
    }
}


@router.get("/api/v1/status", responses=answers(Status, errors=()))
async def status(request: Request, _: Caller) -> Response:
    return json_answer(await services_of(request).status())


@router.get("/healthz", responses=HEALTH)
async def healthz() -> Response:
    """The process answers."""
    return json_answer(Health(status="ok"))


@router.get("/readyz", responses={**HEALTH, 503: {**HEALTH[200], "description": "Not ready."}})
async def readyz(request: Request) -> Response:
    """200 when every door that is on takes readings."""
    reason = services_of(request).refusal()
    if reason is None:
        return json_answer(Health(status="ready"))
    return json_answer(Health(status=reason), 503, {"retry-after": "1"})


@router.get("/metrics", response_class=PlainTextResponse, responses=problems(401, 403, 503))
async def metrics(request: Request, _: Caller) -> Response:
    """Prometheus text. It needs a token: rates and names of a plant are nobody else's."""
    body: Any = await services_of(request).metrics()
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")
