"""Who is asking, and whether he may. Every route but the few open ones passes here."""

from __future__ import annotations

import time
from collections import deque
from typing import Annotated

from fastapi import Depends, Request

from pipewatcher.api.services import Answers, Services
from pipewatcher.errors import Forbidden, RateExceeded, TooManyRequests, Unauthorized
from pipewatcher.identity.roles import roles_for
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


async def caller(request: Request) -> Principal:
    """Who asks, when the table of `identity.roles` lets him.

    Raises `Unauthorized`, `RateExceeded`, or `Forbidden`, also for a forged request of another
    site.
    """
    principal = await _who(request)
    if principal is None:
        raise Unauthorized
    roles = roles_for(request.method, request.scope["route"].path)
    if roles is not None and principal.role not in roles:
        raise Forbidden
    if principal.rate is not None and (wait_s := principal.rate.take()):
        raise RateExceeded(retry_after_s=wait_s)
    return principal


Caller = Annotated[Principal, Depends(caller)]
"""In the parameters of every route but the open ones; which roles may is in the table."""


async def audited(
    request: Request,
    who: Principal,
    action: str,
    target: str,
    before: object = None,
    after: object = None,
) -> None:
    """Records a change that was made; every route that changes something calls it."""
    await services_of(request).audit.record(who, address_of(request), action, target, before, after)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


async def _who(request: Request) -> Principal | None:
    services = services_of(request)
    if is_local(request):
        return _LOCAL_ADMIN
    header = request.headers.get("authorization")
    if header is not None:
        return services.authenticator.bearer(header.encode("latin-1"))
    cookie = request.cookies.get(COOKIE)
    principal = await services.sessions.principal(cookie) if cookie else None
    if principal is not None and request.method not in _SAFE_METHODS:
        _refuse_other_sites(request)
    return principal


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
