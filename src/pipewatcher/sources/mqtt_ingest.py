"""Messages of the MQTT listener → the gate of the commit log, and dead letters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, Protocol

from pipewatcher.dead_letters import DeadLetters
from pipewatcher.errors import Busy, Forbidden, PipeWatcherError, Unauthorized
from pipewatcher.intake import Intake
from pipewatcher.model.identity import Principal
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.sources.mqtt_payload import Parsed, TopicRules, parse, parse_single
from pipewatcher.validate import EventTimeBounds

DOOR: Literal["mqtt"] = "mqtt"
TOKEN_BYTES_MAX = 512
GATE_FRESH_S = 0.001


class Authenticator(Protocol):
    def bearer(self, header: bytes | None) -> Principal | None:
        """Whose token the header carries; None when nobody's. Never blocks."""
        ...


class Sender:
    """Who sends on a connection."""

    __slots__ = ("client_id", "credential", "name", "origin")

    def __init__(self, name: str, client_id: str, credential: bytes) -> None:
        self.name = name
        self.client_id = client_id
        self.origin = f"{DOOR}:{name}"
        self.credential = credential
        """As `Authenticator.bearer` wants it: asked for every message, it is revoked at once."""


class Message(Protocol):
    """One PUBLISH, until it is settled."""

    sender: Sender
    topic: str
    payload: bytes
    refused: Parsed | None
    """What was wrong in the payload."""

    def settled(self, error: PipeWatcherError | None) -> None:
        """Called exactly once, at once or later: the readings that were not refused are durable,
        or why nothing is known to be."""
        ...


class Ingest:
    """Used from one event loop."""

    def __init__(
        self,
        intake: Intake,
        authenticator: Authenticator,
        dead_letters: DeadLetters,
        *,
        rules: TopicRules,
        writer_roles: frozenset[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.intake = intake
        self._authenticator = authenticator
        self._dead_letters = dead_letters
        self._rules = rules
        self._writer_roles = writer_roles
        self._clock = clock
        self._gate_asked_at = 0.0
        self._refusal = intake.refusal()
        self._bounds = intake.bounds()

    def sign_in(self, password: bytes | None, client_id: str) -> Sender:
        """Raises `Unauthorized` or `Forbidden`."""
        if not password or len(password) > TOKEN_BYTES_MAX:
            raise Unauthorized
        credential = b"Bearer " + password
        return Sender(self._principal(credential).name, client_id, credential)

    def check(self, sender: Sender) -> None:
        """Whether its token still counts. Raises `Unauthorized` or `Forbidden`."""
        self._principal(sender.credential)

    def take(self, message: Message) -> None:
        """Raises `Unauthorized` or `Forbidden`; else the message is settled, now or later."""
        sender = message.sender
        principal = self._principal(sender.credential)
        refusal, bounds = self._gate()
        if principal.rate is not None and principal.rate.take():
            refusal = Busy("This token sends more often than it may.")
        if refusal is not None:
            self.intake.refused[refusal.code] += 1
            message.settled(refusal)
            return
        if principal.writes is not None:
            bounds = replace(bounds, writes=principal.writes)
        taken = parse_single(message.topic, message.payload, bounds=bounds, rules=self._rules)
        if taken is None:
            self._take_other(message, bounds)
        else:
            self.intake.take_reading(*taken, sender.origin, message.settled)

    def bury(self, message: Message, error: PipeWatcherError | None) -> None:
        """Keeps what was refused of a message; all of it when there is an error."""
        refused = message.refused
        if error is None and refused is not None:
            payload, reason, rejections = refused.rest, refused.reason, refused.rest_rejections
        else:
            payload, reason, rejections = message.payload, error.detail if error else "", []
        self._dead_letters.bury(
            door=DOOR,
            topic=message.topic,
            client=message.sender.client_id,
            received_at=self._now(),
            payload=payload,
            reason=reason,
            rejections=rejections,
        )

    def _take_other(self, message: Message, bounds: EventTimeBounds) -> None:
        parsed = parse(
            message.topic,
            message.payload,
            origin=message.sender.origin,
            received_at=self._now(),
            bounds=bounds,
            rules=self._rules,
        )
        self.intake.unknown_fields += parsed.unknown_fields
        for code, readings in parsed.rejected_by_code.items():
            self.intake.reject(DOOR, code, readings)
        if parsed.rejected:
            message.refused = parsed
        if parsed.batch is None:
            message.settled(None)
        else:
            self.intake.take(parsed.batch, message.settled)

    def _gate(self) -> tuple[Busy | None, EventTimeBounds]:
        """What the intake said at most a millisecond ago: asking for every message is a fifth of
        its cost."""
        now = time.monotonic()
        if now - self._gate_asked_at > GATE_FRESH_S:
            self._gate_asked_at = now
            self._refusal = self.intake.refusal()
            self._bounds = self.intake.bounds()
        return self._refusal, self._bounds

    def _principal(self, credential: bytes) -> Principal:
        principal = self._authenticator.bearer(credential)
        if principal is None:
            raise Unauthorized
        if principal.role not in self._writer_roles:
            raise Forbidden
        return principal

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
