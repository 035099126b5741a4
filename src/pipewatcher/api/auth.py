"""Who is asking, and whether he may. Every route but the few open ones passes here."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from fastapi import Depends, Request, Response

from pipewatcher.api.services import Answers, Services
from pipewatcher.errors import Forbidden, RateExceeded, Unauthorized
from pipewatcher.identity.roles import roles_for
from pipewatcher.model.identity import Principal

COOKIE = "pw_session"
KNOWN_COOKIE = "pw_known"
OPENID_COOKIE = "pw_openid"
OPENID_SECONDS = 600
PROMETHEUS_PATH = "/prometheus/"
KNOWN_SECONDS = 180 * 86_400
_LIFETIMES_S = {KNOWN_COOKIE: KNOWN_SECONDS, OPENID_COOKIE: OPENID_SECONDS}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_ADMIN = Principal(name="local", role="admin", by="local")


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
        if request.url.path.startswith(PROMETHEUS_PATH):
            header = _password_as_bearer(header)
        return services.authenticator.bearer(header.encode("latin-1"))
    cookie = cookie_of(request)
    principal = await services.sessions.principal(cookie) if cookie else None
    if principal is not None and request.method not in _SAFE_METHODS:
        refuse_other_sites(request)
    return principal


def _password_as_bearer(header: str) -> str:
    """What asks Prometheus often knows Basic only: any user name, and the token as password."""
    scheme, _, credential = header.partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        _, _, token = base64.b64decode(credential, validate=True).decode("latin-1").partition(":")
    except binascii.Error:
        return header
    return f"Bearer {token}"


def is_local(request: Request) -> bool:
    """On the Unix socket, whose file mode lets only its owner in."""
    server = request.scope.get("server")
    return server is not None and server[1] is None


def refuse_other_sites(request: Request) -> None:
    """The cookie is SameSite=Strict; this also stops other ports and subdomains of this site."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise Forbidden
        return
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise Forbidden


def cookie_of(request: Request, name: str = COOKIE) -> str | None:
    return request.cookies.get(_full_name(request, name))


def set_cookie(request: Request, response: Response, text: str, name: str = COOKIE) -> None:
    """The session's ends with the browser, however long the session may last."""
    response.set_cookie(
        _full_name(request, name),
        text,
        max_age=_LIFETIMES_S.get(name),
        httponly=True,
        samesite=_same_site(name),
        secure=_encrypted(request),
    )


def forget_cookie(request: Request, response: Response, name: str = COOKIE) -> None:
    response.delete_cookie(
        _full_name(request, name),
        httponly=True,
        samesite=_same_site(name),
        secure=_encrypted(request),
    )


def _same_site(name: str) -> Literal["lax", "strict"]:
    """A provider sends the browser back from another site: only Lax cookies come along."""
    return "lax" if name == OPENID_COOKIE else "strict"


def origin_of(request: Request) -> str:
    """Where people reach this page, as `https://host:port`."""
    public_url = services_of(request).public_url
    return public_url or f"{request.url.scheme}://{request.url.netloc}"


def _full_name(request: Request, name: str) -> str:
    """`__Host-`: no other host of this domain and no plain connection can set it."""
    return f"__Host-{name}" if _encrypted(request) else name


def _encrypted(request: Request) -> bool:
    return request.url.scheme == "https"
