"""The settings of OpenID providers: one by environment, any number as `[[openid]]` in TOML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from pipewatcher.identity.openid.claims import STRONGEST_FIRST
from pipewatcher.identity.openid.config import ProviderConfig, is_safe

DEFAULT_NAME = "oidc"


class OpenIdSettings(BaseModel):
    """One `[[openid]]`; `client_secret_file` names a file with the secret in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(DEFAULT_NAME, pattern="^[a-z0-9-]{1,32}$")
    title: str | None = Field(None, min_length=1, max_length=40)
    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    scopes: str = "openid profile email"
    name_claim: str = Field("preferred_username", min_length=1)
    roles_claim: str = Field("roles", min_length=1)
    roles: str

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        if not is_safe(issuer) or "?" in issuer or "#" in issuer:
            raise ValueError("an issuer is https://…, as its provider writes it")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _asks_who(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("openid is one of the scopes")
        return scopes

    @field_validator("roles")
    @classmethod
    def _gives_roles(cls, roles: str) -> str:
        parse_roles(roles)
        return roles

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.client_secret is None) == (self.client_secret_file is None):
            raise ValueError("client_secret or client_secret_file is required")
        if not self.secret():
            raise ValueError("the client secret is empty")
        return self

    def secret(self) -> str:
        if self.client_secret is not None:
            return self.client_secret.get_secret_value()
        assert self.client_secret_file is not None
        try:
            return self.client_secret_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"client_secret_file: {error}") from None

    def config(self) -> ProviderConfig:
        return ProviderConfig(
            name=self.name,
            title=self.title or urlsplit(self.issuer).hostname or self.name,
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=self.secret(),
            scopes=self.scopes,
            name_claim=self.name_claim,
            roles_claim=self.roles_claim,
            roles=parse_roles(self.roles),
        )


def of_environment(prefix: str, given: Mapping[str, Any]) -> OpenIdSettings:
    """Raises `ValueError`."""
    needed = ("issuer", "client_id", "client_secret", "roles")
    if missing := [f"{prefix}{name.upper()}" for name in needed if name not in given]:
        raise ValueError(f"an OpenID provider also needs {', '.join(missing)}")
    try:
        return OpenIdSettings(**given)
    except ValidationError as error:
        faults = (
            f"{prefix}{str(fault['loc'][0] if fault['loc'] else '').upper()}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ValueError("; ".join(faults)) from None


def parse_roles(text: str) -> Mapping[str, frozenset[str]]:
    """`admin=plant-admins, operator=shift-leads, viewer=*`; a role may stand there repeatedly.

    Raises `ValueError`.
    """
    found: dict[str, set[str]] = {}
    for part in text.split(","):
        role, equals, value = (piece.strip() for piece in part.partition("="))
        if role not in STRONGEST_FIRST or not equals or not value:
            raise ValueError("write admin=value, operator=value, viewer=value or viewer=*")
        if value == "*" and role != "viewer":
            raise ValueError("* is for viewer only: everybody would be " + role)
        found.setdefault(role, set()).add(value)
    return {role: frozenset(values) for role, values in found.items()}
