"""What the API is given; the wiring builds it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipewatcher.api.shared_answers import SharedAnswers
from pipewatcher.backup import Backups
from pipewatcher.cadences import Cadences
from pipewatcher.gaps.ledger import GapLedger
from pipewatcher.identity.people import People
from pipewatcher.identity.sessions import Sessions
from pipewatcher.model.identity import AuditEntry, Person, Principal, Session, Token, TokenLimits
from pipewatcher.model.imports import Forecast, ImportJob, UndoPreview
from pipewatcher.model.readings import DeadLetter, Receipt
from pipewatcher.model.time import Micros
from pipewatcher.ports import Registry
from pipewatcher.promql.ask import Asker
from pipewatcher.queries import Queries
from pipewatcher.retention import Keeper


class Authenticator(Protocol):
    def bearer(self, header: bytes | None) -> Principal | None: ...


class Tokens(Protocol):
    """The tokens, as `identity.token_service.TokenService` changes them."""

    async def all(self) -> Sequence[Token]: ...

    async def make(
        self, name: str, role: str, limits: TokenLimits, *, created_by: str
    ) -> tuple[Token, str]: ...

    async def rotate(self, token_id: int, overlap: Micros) -> tuple[Token, str]: ...

    async def revoke(self, token_id: int) -> Token: ...


class Verified(Protocol):
    @property
    def entries(self) -> int: ...
    @property
    def broken_at(self) -> int | None: ...
    @property
    def head(self) -> str: ...


class Audit(Protocol):
    """Who changed what, as `identity.audit.Audit` keeps it."""

    async def record(
        self,
        who: Principal,
        address: str,
        action: str,
        target: str,
        before: object = None,
        after: object = None,
    ) -> None: ...

    async def find(self, limit: int, before_id: int | None, q: str) -> Sequence[AuditEntry]: ...

    async def verify(self) -> Verified: ...


class Begun(Protocol):
    @property
    def location(self) -> str: ...
    @property
    def cookie(self) -> str: ...


class SignedIn(Protocol):
    @property
    def person(self) -> Person: ...
    @property
    def before(self) -> Person | None: ...
    @property
    def id_token(self) -> str: ...
    @property
    def return_to(self) -> str: ...


class OpenId(Protocol):
    """Signing in elsewhere, as `identity.openid.sign_in.OpenIdSignIn` does it."""

    def offered(self) -> Sequence[tuple[str, str]]: ...

    def title_of(self, issuer: str) -> str: ...

    async def begin(self, name: str, redirect_uri: str, return_to: str) -> Begun: ...

    async def finish(
        self, name: str, redirect_uri: str, cookie: str | None, answer: Mapping[str, str]
    ) -> SignedIn: ...

    async def ending(self, session: Session, return_to: str) -> str | None: ...


class Progress(Protocol):
    @property
    def bytes_done(self) -> int: ...
    @property
    def rows_done(self) -> int: ...
    @property
    def rows_per_s(self) -> float | None: ...
    @property
    def eta_s(self) -> float | None: ...


class Imports(Protocol):
    """The import jobs, as `sources.csv_import.ImportService` keeps them."""

    async def upload(
        self,
        chunks: AsyncIterator[bytes],
        *,
        file_name: str,
        created_by: str,
        timezone: str | None,
        keep_stored: bool,
        dry_run: bool,
    ) -> ImportJob: ...

    async def forecast(self, import_id: int) -> Forecast: ...

    async def apply(self, import_id: int) -> ImportJob: ...

    async def job(self, import_id: int) -> ImportJob: ...

    async def jobs(self, limit: int, before_id: int | None) -> Sequence[ImportJob]: ...

    def progress(self, import_id: int) -> Progress | None: ...

    async def rejected_csv(self, import_id: int) -> Path: ...

    async def withdraw(self, import_id: int) -> ImportJob: ...

    async def preview_undo(self, import_id: int) -> UndoPreview: ...

    async def line_of(
        self, import_id: int, equipment_id: str, event_time: Micros
    ) -> int | None: ...

    def undoable(self, job: ImportJob) -> bool: ...

    async def resume(self, import_id: int) -> ImportJob: ...


class DeadLetters(Protocol):
    """The dead letters, as `sources.dead_letter_desk.DeadLetterDesk` shows them."""

    async def letters(
        self, limit: int, before_id: int | None, *, door: str | None, text: str | None
    ) -> Sequence[DeadLetter]: ...

    async def count(self, *, door: str | None, text: str | None) -> int: ...

    async def letter(self, letter_id: int) -> DeadLetter: ...

    async def edit(
        self, letter_id: int, *, payload: bytes, topic: str | None, by: str
    ) -> DeadLetter: ...

    async def remove(self, letter_id: int) -> None: ...

    async def replay(self, letter_id: int, by: str) -> Receipt: ...


class LiveEvent(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> object: ...


class Live(Protocol):
    def subscribe(self, last_event_id: str | None) -> AsyncGenerator[LiveEvent, None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a process with the role `api` has."""

    queries: Queries
    promql: Asker
    registry: Registry
    gaps: GapLedger
    cadences: Cadences
    retention: Keeper
    imports: Imports
    live: Live
    dead_letters: DeadLetters
    backups: Backups | None
    """None where an engine is a server of its own."""
    shared: SharedAnswers = field(default_factory=SharedAnswers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """What people call the plant, and the IANA name of its time zone; None where not set."""

    name: str | None
    timezone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What every process has; `answers` is None in one without the role `api`."""

    answers: Answers | None
    authenticator: Authenticator
    sessions: Sessions
    ingest: Mapping[str, Any]
    """`METHOD /path` of each door for readings → its ASGI endpoint."""
    ingest_operations: Mapping[str, Mapping[str, Any]]
    """`METHOD /path` → what OpenAPI says of it."""
    ingest_schemas: Mapping[str, Any]
    status: Callable[[], Awaitable[object]]
    metrics: Callable[[], Awaitable[bytes]]
    refusal: Callable[[], str | None]
    """Why no readings are taken at the moment; None while every door is open."""
    page: Path
    tokens: Tokens
    audit: Audit
    people: People
    openid: OpenId | None
    """None where no provider is set up."""
    public_url: str | None
    allowed_hosts: Sequence[str]
    tls_port: int | None
    """Where the page is served by TLS; None where it is not by us."""
    plant: Plant
