"""Who is asking, and what was changed by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from pipewatcher.model.time import Micros
from pipewatcher.rate import RateLimit


class WriteScope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sensors whose readings somebody may write: those listed and those with the prefix."""

    prefix: str | None = None
    equipment_ids: frozenset[str] = frozenset()

    def allows(self, equipment_id: str) -> bool:
        return equipment_id in self.equipment_ids or (
            self.prefix is not None and equipment_id.startswith(self.prefix)
        )


class TokenLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token is good for beside its role; None is no limit."""

    expires_at: Micros | None = None
    writes: WriteScope | None = None
    requests_per_s_max: int | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is kept: only the SHA-256 of its 32 random bytes, never the secret.

    After a rotation the secret before it goes on until `previous_until`.
    """

    id: int
    name: str
    role: str
    secret_sha256: bytes
    created_at: Micros
    created_by: str = ""
    limits: TokenLimits = TokenLimits()
    previous_sha256: bytes | None = None
    previous_until: Micros | None = None
    last_used_at: Micros | None = None
    """To within a minute."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Who changed what. `before` and `after` are JSON, None where there is no such state."""

    actor: str
    by: str
    """How he showed who he is: `token`, `session` or `local`."""
    address: str
    """Where he asked from; empty on the Unix socket."""
    action: str
    """`noun.verb`, as in `token.revoke`."""
    target: str
    """`noun:name`, as in `sensor:EQ-1`."""
    before: str | None = None
    after: str | None = None


class AuditEntry(Change, frozen=True, kw_only=True):
    """A change as it is kept for ever: entries are numbered 1, 2, 3, … without a hole."""

    id: int
    at: Micros
    previous: bytes
    sha256: bytes


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `name` is kept as it was written and found whatever its case."""

    id: int
    name: str
    role: str
    password_hash: str | None
    created_at: Micros
    created_by: str
    totp_secret: str | None = None
    disabled: bool = False
    signed_in_at: Micros | None = None
    issuer: str | None = None
    """The OpenID provider that knows him, under `subject`; such a person has no password."""
    subject: str | None = None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A link that makes a person, or lets one in again; it works once."""

    secret_sha256: bytes
    role: str
    person_id: int | None
    name: str | None
    created_at: Micros
    created_by: str
    expires_at: Micros

    @property
    def id(self) -> str:
        return self.secret_sha256.hex()[:32]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person's signed-in browser; the cookie's secret is kept as its SHA-256 only."""

    secret_sha256: bytes
    name: str
    role: str
    created_at: Micros
    expires_at: Micros
    token_sha256: bytes | None = None
    """Signed in with this token: the session ends with it."""
    person_id: int | None = None
    """Signed in as this person, whose role counts as it is now."""
    seen_at: Micros = 0
    """To within a minute."""
    address: str = ""
    agent: str = ""
    provider: str | None = None
    """The name of the OpenID provider that it was begun by, where it is to be ended too."""
    id_token: str | None = None

    @property
    def id(self) -> str:
        """Names the session; who knows it cannot use it."""
        return self.secret_sha256.hex()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking: a token, a session or the local administrator on the Unix socket."""

    name: str
    role: str
    by: Literal["token", "session", "local"] = "token"
    person_id: int | None = None
    token_id: int | None = None
    writes: WriteScope | None = None
    """The sensors whose readings may be written; None is all."""
    rate: RateLimit | None = None
    """Every door takes one from it for each request."""
