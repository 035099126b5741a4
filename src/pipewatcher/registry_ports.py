"""What the registry promises of identity; `ports.Registry` is made of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pipewatcher.model.identity import (
    AuditEntry,
    Change,
    Invitation,
    Person,
    Session,
    Token,
    TokenLimits,
)
from pipewatcher.model.time import Micros

NO_LIMITS = TokenLimits()


class TokenRegistry(Protocol):
    """What devices, gateways and scripts show."""

    async def add_token(
        self,
        name: str,
        role: str,
        secret_sha256: bytes,
        created_at: Micros,
        *,
        created_by: str = "",
        limits: TokenLimits = NO_LIMITS,
    ) -> Token:
        """Raises `Conflict` when the name is taken."""
        ...

    async def tokens(self) -> list[Token]: ...

    async def token_changes(self) -> int:
        """Another number after every change of the tokens but of `last_used_at`, by whatever
        process; cheap enough to ask twice a second."""
        ...

    async def rotate_token(
        self, token_id: int, secret_sha256: bytes, previous_until: Micros
    ) -> Token:
        """Gives it a new secret; the present one goes on until then, one before that ends now.
        Raises `NotFound`."""
        ...

    async def tokens_used(self, token_ids: Sequence[int], used_at: Micros) -> None:
        """Sets their `last_used_at`; those that are gone are passed over."""
        ...

    async def remove_token(self, token_id: int) -> Token:
        """What it was. Raises `NotFound`."""
        ...


class SessionRegistry(Protocol):
    """Who is signed in."""

    async def add_session(self, session: Session) -> None: ...

    async def session(self, secret_sha256: bytes) -> Session | None: ...

    async def remove_session(self, secret_sha256: bytes) -> None: ...

    async def sessions_of(self, person_id: int) -> list[Session]:
        """Newest first."""
        ...

    async def session_seen(self, secret_sha256: bytes, seen_at: Micros) -> None:
        """Sets its `seen_at`; nothing when it is gone."""
        ...

    async def remove_expired_sessions(self, now: Micros) -> int: ...

    async def use_once(self, key: bytes, now: Micros, until: Micros) -> bool:
        """True for exactly one of those who come with this key before `until`."""
        ...


class AuditRegistry(Protocol):
    """Who changed what: only ever added to."""

    async def add_change(self, change: Change, at: Micros) -> AuditEntry:
        """Durable, and chained to the newest entry, also when several are added at once."""
        ...

    async def changes(
        self, limit: int, before_id: int | None = None, q: str = ""
    ) -> list[AuditEntry]:
        """Newest first; with `q` those that have it in actor, action, target or address."""
        ...

    async def changes_after(self, entry_id: int, limit: int) -> list[AuditEntry]:
        """Oldest first, as they are kept."""
        ...


class PeopleRegistry(Protocol):
    """Who may sign in, and who is asked to."""

    async def add_person(
        self,
        name: str,
        role: str,
        password_hash: str | None,
        created_at: Micros,
        *,
        created_by: str,
        issuer: str | None = None,
        subject: str | None = None,
    ) -> Person:
        """Raises `Conflict` when the name is taken, whatever its case, or when the issuer's subject
        is somebody already."""
        ...

    async def people(self) -> list[Person]:
        """In the order in which they came."""
        ...

    async def person(self, person_id: int) -> Person:
        """Raises `NotFound`."""
        ...

    async def person_named(self, name: str) -> Person | None: ...

    async def person_of(self, issuer: str, subject: str) -> Person | None: ...

    async def update_person(
        self, person_id: int, changes: Mapping[str, str | int | None]
    ) -> Person:
        """Sets the named fields and returns the result. Raises `NotFound`."""
        ...

    async def use_totp_step(self, person_id: int, step: int) -> bool:
        """True once for each step, and never for one before the last that was used."""
        ...

    async def remove_person(self, person_id: int) -> Person:
        """What he was; his sessions end. Raises `NotFound`."""
        ...

    async def add_invitation(self, invitation: Invitation) -> None: ...

    async def invitations(self) -> list[Invitation]:
        """Oldest first, also expired ones."""
        ...

    async def take_invitation(self, secret_sha256: bytes) -> bool:
        """Removes it; True for exactly one of those who try."""
        ...
