"""Every kind of credential that a server can be shown: none, bad ones, one for each role."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from pipewatcher.identity.roles import ROLES
from server import AUTH, TOKEN, Server


@dataclass
class Credentials:
    server: Server
    bad: dict[str, dict[str, str]] = field(default_factory=dict)
    """Kind -> headers that must be refused everywhere with 401."""
    good: dict[str, dict[str, str]] = field(default_factory=dict)
    """Role -> headers."""
    cookies: dict[str, str] = field(default_factory=dict)
    """Role -> the session's cookie."""


def made(server: Server, **token: Any) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}/api/v1/tokens", json=token, headers=AUTH)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def bearer(token: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {token['token']}"}


def all_credentials(server: Server) -> Credentials:
    """The expired one has expired when it returns."""
    found = Credentials(server)
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    expired = made(server, name="expired", role="admin", expires=soon)
    revoked = made(server, name="revoked", role="admin")
    rotated = made(server, name="rotated", role="admin")
    url = f"{server.url}/api/v1/tokens"
    httpx.post(f"{url}/{rotated['id']}/rotate", json={"overlapSeconds": 0}, headers=AUTH)
    assert httpx.delete(f"{url}/{revoked['id']}", headers=AUTH).status_code == 204
    found.bad = {
        "nothing": {},
        "wrong token": {"authorization": f"Bearer pw_{'0' * 64}"},
        "no token": {"authorization": "Basic eDp4"},
        "wrong cookie": {"cookie": "pw_session=x"},
        "expired": bearer(expired),
        "revoked": bearer(revoked),
        "rotated away": bearer(rotated),
    }
    session = f"{server.url}/api/v1/session"
    ended = httpx.post(session, json={"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    assert httpx.delete(session, headers={"cookie": ended}).status_code == 204
    found.bad["ended session"] = {"cookie": ended}
    for role in ROLES:
        token = made(server, name=f"a-{role}", role=role)
        found.good[role] = bearer(token)
        signed = httpx.post(f"{server.url}/api/v1/session", json={"token": token["token"]})
        if role != "device":
            found.cookies[role] = signed.headers["set-cookie"].partition(";")[0]
    until_refused(server, found.bad["expired"])
    return found


def until_refused(server: Server, headers: dict[str, str]) -> None:
    until = time.monotonic() + 30
    while httpx.get(f"{server.url}/api/v1/session", headers=headers).status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.1)
