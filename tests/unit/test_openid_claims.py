"""Which name and role the claims give."""

from __future__ import annotations

from typing import Any

import pytest

from pipewatcher.identity.openid.claims import missing, name_of, role_of
from pipewatcher.identity.openid.config import ProviderConfig, is_safe
from pipewatcher.settings_openid import parse_roles


def config(roles: str = "admin=bosses, operator=ops, viewer=all", **values: str) -> ProviderConfig:
    told = {"name_claim": "preferred_username", "roles_claim": "roles", **values}
    return ProviderConfig(
        name="oidc",
        title="Directory",
        issuer="https://id.example.com",
        client_id="pipewatcher",
        client_secret="hush",
        scopes="openid",
        roles=parse_roles(roles),
        **told,
    )


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"roles": ["all", "bosses", "ops"]}, "admin"),
        ({"roles": ["ops", "all"]}, "operator"),
        ({"roles": "all"}, "viewer"),
        ({"roles": {"ops": {"org": 1}}}, "operator"),
        ({"roles": "bosses ops"}, None),
        ({"roles": ["BOSSES", 7, None]}, None),
        ({"roles": []}, None),
        ({"roles": None}, None),
        ({"roles": 7}, None),
        ({"groups": ["bosses"]}, None),
        ({}, None),
    ],
)
def test_the_strongest_role_that_a_claim_gives_counts(
    claims: dict[str, Any], role: str | None
) -> None:
    assert role_of(config(), claims) == role


def test_a_claim_may_lie_deeper_or_have_dots_in_its_name() -> None:
    deep = config(roles_claim="realm_access.roles")
    assert role_of(deep, {"realm_access": {"roles": ["ops"]}}) == "operator"
    assert role_of(deep, {"realm_access": ["ops"]}) is None
    named = config(roles_claim="https://example.com/roles")
    assert role_of(named, {"https://example.com/roles": ["ops"]}) == "operator"


def test_whom_the_provider_lets_in_may_be_a_viewer() -> None:
    everybody = config("admin=bosses, viewer=*")
    assert role_of(everybody, {}) == "viewer"
    assert role_of(everybody, {"roles": ["bosses"]}) == "admin"


def test_an_address_gives_a_role_only_when_it_is_known_to_be_his() -> None:
    by_email = config("admin=ana@example.com, viewer=*", roles_claim="email")
    ana = {"email": "ana@example.com"}
    assert role_of(by_email, {**ana, "email_verified": True}) == "admin"
    for unknown in ({}, {"email_verified": False}, {"email_verified": "true"}):
        assert role_of(by_email, {**ana, **unknown}) == "viewer"
    assert missing(by_email, {**ana, "preferred_username": "ana"})


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "ana", "email": "a@b", "sub": "7"}, "ana"),
        ({"preferred_username": "", "email": "a@b", "sub": "7"}, "a@b"),
        ({"preferred_username": 7, "sub": "x7"}, "x7"),
        ({"preferred_username": " Ana \u00a0 Müller\n"}, "Ana.Müller"),
        ({"preferred_username": "a\u202edmin\x00"}, "admin"),
        ({"preferred_username": "x" * 100}, "x" * 64),
        ({"preferred_username": "\u200b"}, "oidc"),
    ],
)
def test_people_are_shown_by_what_can_be_read(claims: dict[str, Any], name: str) -> None:
    assert name_of(config(), claims) == name


@pytest.mark.parametrize(
    "roles",
    ["", "admin", "admin=", "boss=x", "=x", "device=x", "admin=*", "operator=*", "admin=x,"],
)
def test_roles_that_make_no_sense_are_refused(roles: str) -> None:
    with pytest.raises(ValueError, match=r"admin=value|\* is for viewer"):
        parse_roles(roles)


def test_what_leaves_this_machine_is_encrypted() -> None:
    for safe in (
        "https://id.example.com/x",
        "http://127.0.0.1:9/",
        "http://localhost",
        "http://[::1]",
    ):
        assert is_safe(safe)
    for unsafe in (
        "http://id.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "javascript:alert(1)",
        "ftp://x",
        "https:",
        "http://[",
        "x",
    ):
        assert not is_safe(unsafe)


def test_a_provider_does_not_show_its_secret() -> None:
    assert "hush" not in repr(config())
