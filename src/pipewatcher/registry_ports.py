"""What the registry promises of identity; `ports.Registry` is made of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipewatcher.model import AuditEntry, Change, Micros, Session, Token, TokenLimits

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

    async def remove_expired_sessions(self, now: Micros) -> int: ...


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
