from __future__ import annotations

import inspect
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.api import app
from pipewatcher.audit_chain import chained, first_broken
from pipewatcher.identity.audit import Audit, verify
from pipewatcher.model.identity import AuditEntry, Change, Principal
from pipewatcher.registry.sqlite import SQLiteRegistry

ANNA = Principal(name="anna", role="admin", by="session")
PROMETHEUS_ASKS = ("query", "query_range", "series", "labels")
CHANGES_NOTHING: dict[str, str] = {
    "PUT /api/v1/notifications/read": "what somebody has looked at is nobody else's business",
    "POST /api/v1/session": "`signed_in` records it",
    "POST /api/v1/session/openid/{provider}": "the way back is recorded",
    "POST /api/v1/session/factor": "only offers a secret",
    "POST /api/v1/users/invitations/show": "only shows",
    **{f"POST /prometheus/api/v1/{what}": "only asks" for what in PROMETHEUS_ASKS},
}
"""Route -> why it does not call `audited`."""


def a_chain(length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for n in range(length):
        change = Change(actor="a", by="token", address="", action="x.y", target=f"x:{n}")
        entries.append(chained(change, n, entries[-1] if entries else None))
    return entries


@given(st.integers(1, 12), st.data())
def test_a_chain_shows_where_it_was_changed_cut_or_mixed(length: int, data: Any) -> None:
    entries = a_chain(length)
    assert first_broken(entries) is None
    at = data.draw(st.integers(0, length - 1))
    field, other = data.draw(
        st.sampled_from(
            [("actor", "eve"), ("at", 99), ("target", ""), ("after", "{}"), ("sha256", b"")]
        )
    )
    changed = list(entries)
    changed[at] = msgspec.structs.replace(entries[at], **{field: other})
    assert first_broken(changed) == at + 1
    if at < length - 1:
        assert first_broken(entries[:at] + entries[at + 1 :]) == at + 2


async def test_other_hands_in_the_file_are_found(tmp_path: Path) -> None:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    audit = Audit(registry)
    for n in range(3):
        await audit.record(ANNA, "10.0.0.7", "token.create", f"token:{n}", None, {"n": n})
    whole = await audit.verify()
    assert (whole.entries, whole.broken_at) == (3, None)
    with closing(sqlite3.connect(tmp_path / "registry.sqlite")) as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET actor = 'eve' WHERE id = 2")
        connection.commit()
    found = await verify(registry)
    assert (found.entries, found.broken_at) == (1, 2)
    await registry.close()


def test_every_route_that_changes_something_is_audited() -> None:
    for module in app._RESOURCES:
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods - {"GET", "HEAD"}:
                if f"{method} {route.path}" in CHANGES_NOTHING:
                    continue
                assert "await audited(" in inspect.getsource(route.endpoint), (
                    f"{method} {route.path} changes something: let it call `audited`, or say in "
                    "CHANGES_NOTHING why not"
                )
