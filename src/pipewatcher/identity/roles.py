"""Who may do what: the one table. A route that is not in it is closed to everyone.

A new route needs one line here, under the roles that may use it; the test in
`tests/e2e/test_permissions.py` asks every route as every role and names the one that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Role: TypeAlias = Literal["viewer", "operator", "admin", "device"]
ROLES: tuple[Role, ...] = get_args(Role)

Roles: TypeAlias = frozenset[str]
ANYONE: Roles | None = None
"""Also somebody who shows nothing."""
READ: Roles = frozenset({"viewer", "operator", "admin"})
OPERATE: Roles = frozenset({"operator", "admin"})
ADMINISTER: Roles = frozenset({"admin"})
WRITE_READINGS: Roles = frozenset({"device", "admin"})
"""By whatever door: HTTP, MQTT, line protocol."""

_TABLE: dict[str, Roles | None] = {
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    "GET /metrics": READ,
    "GET /api/v1/status": READ,
    "POST /api/v1/readings": WRITE_READINGS,
    "POST /write": WRITE_READINGS,
    "POST /api/v2/write": WRITE_READINGS,
    "GET /ping": ANYONE,
    "GET /api/v1/readings": READ,
    "GET /api/v1/averages": READ,
    "GET /api/v1/series": READ,
    "GET /api/v1/sensors": READ,
    "GET /api/v1/sensors/{equipmentId}": READ,
    "PATCH /api/v1/sensors/{equipmentId}": OPERATE,
    "GET /api/v1/imports": READ,
    "POST /api/v1/imports": OPERATE,
    "GET /api/v1/imports/{id}": READ,
    "GET /api/v1/imports/{id}/rejected.csv": READ,
    "GET /api/v1/imports/{id}/gaps": READ,
    "GET /api/v1/imports/{id}/undo": READ,
    "GET /api/v1/imports/{id}/dry-run": READ,
    "POST /api/v1/imports/{id}/apply": OPERATE,
    "GET /api/v1/readings/history": READ,
    "POST /api/v1/imports/{id}/resume": OPERATE,
    "DELETE /api/v1/imports/{id}": OPERATE,
    "GET /api/v1/live": READ,
    "GET /api/v1/notifications": READ,
    "PUT /api/v1/notifications/read": READ,
    "GET /api/v1/gaps": READ,
    "GET /api/v1/gaps/incidents": READ,
    "GET /api/v1/gaps/coverage": READ,
    "GET /api/v1/plant": READ,
    "GET /prometheus/api/v1/query": READ,
    "POST /prometheus/api/v1/query": READ,
    "GET /prometheus/api/v1/query_range": READ,
    "POST /prometheus/api/v1/query_range": READ,
    "GET /prometheus/api/v1/series": READ,
    "POST /prometheus/api/v1/series": READ,
    "GET /prometheus/api/v1/labels": READ,
    "POST /prometheus/api/v1/labels": READ,
    "GET /prometheus/api/v1/label/{name}/values": READ,
    "GET /prometheus/api/v1/metadata": READ,
    "GET /prometheus/api/v1/status/buildinfo": READ,
    "PATCH /api/v1/gaps/{id}": OPERATE,
    "POST /api/v1/gaps/request": OPERATE,
    "GET /api/v1/dead-letters": READ,
    "GET /api/v1/dead-letters/{id}": READ,
    "PUT /api/v1/dead-letters/{id}": OPERATE,
    "DELETE /api/v1/dead-letters/{id}": OPERATE,
    "POST /api/v1/dead-letters/{id}/replay": OPERATE,
    "POST /api/v1/session": ANYONE,
    "GET /api/v1/session": READ,
    "DELETE /api/v1/session": READ,
    "GET /api/v1/session/openid": ANYONE,
    "POST /api/v1/session/openid/{provider}": ANYONE,
    "GET /api/v1/session/openid/{provider}/callback": ANYONE,
    "GET /api/v1/tokens": ADMINISTER,
    "POST /api/v1/tokens": ADMINISTER,
    "POST /api/v1/tokens/{id}/rotate": ADMINISTER,
    "DELETE /api/v1/tokens/{id}": ADMINISTER,
    "GET /api/v1/session/all": READ,
    "DELETE /api/v1/session/all/{id}": READ,
    "PUT /api/v1/session/password": READ,
    "POST /api/v1/session/factor": READ,
    "PUT /api/v1/session/factor": READ,
    "POST /api/v1/session/factor/remove": READ,
    "GET /api/v1/users": ADMINISTER,
    "POST /api/v1/users/invitations": ADMINISTER,
    "DELETE /api/v1/users/invitations/{id}": ADMINISTER,
    "POST /api/v1/users/invitations/show": ANYONE,
    "POST /api/v1/users/invitations/accept": ANYONE,
    "PATCH /api/v1/users/{id}": ADMINISTER,
    "DELETE /api/v1/users/{id}": ADMINISTER,
    "POST /api/v1/users/{id}/recovery": ADMINISTER,
    "DELETE /api/v1/users/{id}/sessions": ADMINISTER,
    "GET /api/v1/retention": READ,
    "PUT /api/v1/retention": ADMINISTER,
    "POST /api/v1/backups": ADMINISTER,
    "GET /api/v1/audit": ADMINISTER,
    "GET /api/v1/audit/verify": ADMINISTER,
}
PERMISSIONS: Mapping[str, Roles | None] = _TABLE
"""`METHOD /path` as OpenAPI writes it → the roles that may."""

_NOBODY: Roles = frozenset()


def roles_for(method: str, path: str) -> Roles | None:
    """`ANYONE`, or the roles that may; none at all for a route that nobody thought about."""
    return PERMISSIONS.get(f"{'GET' if method == 'HEAD' else method} {path}", _NOBODY)
