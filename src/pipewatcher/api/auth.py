"""Who is asking, and whether he may. Every route but the few open ones passes here."""

from __future__ import annotations

import time
from collections import deque
from typing import Annotated

from fastapi import Depends, Request

from pipewatcher.api.services import Answers, Services
from pipewatcher.errors import Forbidden, TooManyRequests, Unauthorized
from pipewatcher.model import Principal

COOKIE = "pw_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_ADMIN = Principal(name="local", role="admin", by="local")

FAILURES_MAX = 10
FAILURE_WINDOW_S = 60.0
ADDRESSES_MAX = 10_000


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def answers_of(request: Request) -> Answers:
    answers = services_of(request).answers
    assert answers is not None, "routes that answer are only there with the role api"
    return answers


async def signed_in(request: Request) -> Principal:
    """Raises `Unauthorized` or, for a forged request of another site, `Forbidden`."""
    services = services_of(request)
    if is_local(request):
        return _LOCAL_ADMIN
    header = request.headers.get("authorization")
    if header is not None:
        principal = services.authenticator.bearer(header.encode("latin-1"))
    else:
        cookie = request.cookies.get(COOKIE)
        principal = await services.sessions.principal(cookie) if cookie else None
        if principal is not None and request.method not in _SAFE_METHODS:
            _refuse_other_sites(request)
    if principal is None:
        raise Unauthorized
    return principal


async def reader(principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
    """Devices may write readings and nothing else."""
    if principal.role == "device":
        raise Forbidden
    return principal


Reader = Annotated[Principal, Depends(reader)]


async def operator(principal: Reader) -> Principal:
    """Viewers read; what changes readings is for others."""
    if principal.role == "viewer":
        raise Forbidden
    return principal


Operator = Annotated[Principal, Depends(operator)]


def is_local(request: Request) -> bool:
    """On the Unix socket, whose file mode lets only its owner in."""
    server = request.scope.get("server")
    return server is not None and server[1] is None


def _refuse_other_sites(request: Request) -> None:
    """The cookie is SameSite=Strict; this also stops other ports and subdomains of this site."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise Forbidden
        return
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise Forbidden


class SignInLimit:
    """At most 10 failed sign-ins per address and minute; a good one is never counted."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """Raises `TooManyRequests`."""
        failures = self._failures.get(address)
        if failures is None:
            return
        while failures and failures[0] < time.monotonic() - FAILURE_WINDOW_S:
            failures.popleft()
        if len(failures) >= FAILURES_MAX:
            raise TooManyRequests

    def failed(self, address: str) -> None:
        if address not in self._failures and len(self._failures) >= ADDRESSES_MAX:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(address, deque(maxlen=FAILURES_MAX)).append(time.monotonic())
