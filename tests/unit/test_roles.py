"""The table of permissions without a server; `tests/e2e/test_permissions.py` asks a real one."""

from __future__ import annotations

from fastapi.routing import APIRoute

from pipewatcher.api import app, status
from pipewatcher.identity.roles import PERMISSIONS, ROLES, roles_for
from pipewatcher.wiring.doors import INGEST_OPERATIONS


def test_every_route_has_a_line_in_the_table_and_every_line_a_route() -> None:
    there = set(INGEST_OPERATIONS)
    for module in (*app._RESOURCES, status):
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            there |= {f"{method} {route.path}" for method in route.methods}
    missing = sorted(there - PERMISSIONS.keys())
    assert not missing, f"give each a line in _TABLE of pipewatcher/identity/roles.py: {missing}"
    assert sorted(PERMISSIONS.keys() - there) == []


def test_a_route_that_nobody_thought_about_is_closed_to_everyone() -> None:
    assert roles_for("GET", "/api/v1/forgotten") == frozenset()
    assert roles_for("HEAD", "/healthz") is None


def test_only_roles_that_there_are_stand_in_the_table() -> None:
    for roles in PERMISSIONS.values():
        assert roles is None or roles <= set(ROLES)
