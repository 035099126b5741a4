"""What is set up of one OpenID provider."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    name: str
    """In addresses: `/api/v1/session/openid/<name>/callback`."""
    title: str
    """On the button."""
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    name_claim: str
    roles_claim: str
    roles: Mapping[str, frozenset[str]]
    """Role → the claim's values that give it."""


def is_safe(url: str) -> bool:
    """https, or a way that does not leave this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and (host == "localhost" or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
