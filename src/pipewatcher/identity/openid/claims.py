"""What the claims about a person make of him here: a name and a role."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pipewatcher.identity.openid.config import ProviderConfig

Claims: TypeAlias = Mapping[str, Any]

STRONGEST_FIRST = ("admin", "operator", "viewer")
ANY = "*"
"""A role with this value is everybody's whom the provider lets in."""
NAME_CHARS_MAX = 64
_EMAIL = "email"
_SEPARATORS = frozenset({"Zs", "Zl", "Zp"})
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def role_of(config: ProviderConfig, claims: Claims) -> str | None:
    """The strongest role that the claims give; None when they give none."""
    values = set(_texts(claim(claims, config.roles_claim)))
    if config.roles_claim == _EMAIL and claims.get("email_verified") is not True:
        values = set()  # anybody may write anybody's address there
    for role in STRONGEST_FIRST:
        wanted = config.roles.get(role, frozenset())
        if ANY in wanted or values & wanted:
            return role
    return None


def name_of(config: ProviderConfig, claims: Claims) -> str:
    """As it is shown; who he is, is told by issuer and `sub` alone."""
    for name in (config.name_claim, "preferred_username", _EMAIL, "name", "sub"):
        for text in _texts(claim(claims, name)):
            if readable := _readable(text):
                return readable
    return config.name


def missing(config: ProviderConfig, claims: Claims) -> bool:
    """Whether a claim that is needed is not there, and perhaps at the userinfo endpoint."""
    needed = {config.roles_claim, config.name_claim}
    if config.roles_claim == _EMAIL:
        needed.add("email_verified")
    return any(claim(claims, name) is None for name in needed)


def claim(claims: Claims, name: str) -> Any:
    """The claim of this name; else the way along the dots, as in `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> Iterator[str]:
    """A text, a list of them, or the keys of an object, as some providers write roles."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | Mapping):
        yield from (one for one in value if isinstance(one, str))


def _readable(text: str) -> str:
    """Without white space, which names have none of here, and without what cannot be seen."""
    shown = "".join(
        " " if unicodedata.category(sign) in _SEPARATORS else sign
        for sign in text
        if unicodedata.category(sign) not in _CONTROLS
    )
    return ".".join(shown.split())[:NAME_CHARS_MAX]
