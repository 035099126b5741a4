"""An ID token, believed only when everything about it is right (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from pipewatcher.errors import SignInRefused
from pipewatcher.identity.openid.keys import Key

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
)
"""Signatures by public keys. `none` and the HS family are never among them."""
LEEWAY_S = 60
"""How far the provider's clock may be from ours."""
TOKEN_CHARS_MAX = 64 * 1024
SUBJECT_CHARS_MAX = 255


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None


def key_id(token: str, algorithms: Collection[str]) -> str | None:
    """Which key it says that it is signed with. Raises `SignInRefused`, also for an algorithm
    that is not one of these."""
    if len(token) > TOKEN_CHARS_MAX:
        raise SignInRefused("the token is too long")
    text = token.partition(".")[0]
    try:
        padded = text + "=" * (-len(text) % 4)
        header = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Header)
    except (ValueError, RecursionError):
        raise SignInRefused("the token cannot be read") from None
    if header.alg not in ALGORITHMS & set(algorithms):
        raise SignInRefused("the token is signed by an algorithm that is not allowed")
    return header.kid


def checked(
    token: str,
    key: Key,
    *,
    algorithms: Collection[str],
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
    now_s: int,
) -> dict[str, Any]:
    """Its claims. Raises `SignInRefused` and says which part was wrong, for our log only."""
    allowed = sorted(ALGORITHMS & set(algorithms))
    registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
    try:
        read = jwt.decode(token, key, algorithms=allowed, registry=registry)
        claims = CodeIDToken(
            read.claims,
            read.header,
            {
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
                "nonce": {"essential": True, "value": nonce},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(now_s, LEEWAY_S)
    except (JoseError, ValueError, TypeError) as error:
        raise SignInRefused(f"the token is refused: {error}") from None
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS_MAX:
        raise SignInRefused("the token names nobody")
    return dict(claims)
