"""Signing in by an OpenID provider: where to go, and coming back."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import JSON_BYTES_MAX, Camel, answers, json_answer, problems
from pipewatcher.api.auth import (
    OPENID_COOKIE,
    address_of,
    audited,
    cookie_of,
    forget_cookie,
    origin_of,
    refuse_other_sites,
    services_of,
    set_cookie,
)
from pipewatcher.api.limits import SignInLimit
from pipewatcher.api.services import OpenId
from pipewatcher.api.session import signed_in
from pipewatcher.errors import NotFound, PipeWatcherError, SignInRefused
from pipewatcher.model.identity import Principal

router = APIRouter(prefix="/api/v1/session/openid", tags=["session"])

ProviderName = Annotated[str, Path(alias="provider", pattern="^[a-z0-9-]{1,32}$")]


class ProviderItem(Camel):
    name: str
    title: str


class ProvidersPage(Camel):
    items: list[ProviderItem]


class ElsewhereBegun(Camel):
    location: str
    """Where to send the browser."""


class Beginning(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    # A path of this page, never another site: `//` and `/\\` would be one.
    return_to: str = Field("/", alias="returnTo", pattern=r"^/([^/\\\s\x00-\x1f][!-~]{0,499})?$")


@router.get("", responses=answers(ProvidersPage, errors=()))
async def providers(request: Request) -> Response:
    """By which providers one may sign in here."""
    openid = services_of(request).openid
    offered = openid.offered() if openid is not None else ()
    return json_answer(
        ProvidersPage(items=[ProviderItem(name=name, title=title) for name, title in offered])
    )


@router.post(
    "/{provider}",
    responses=answers(ElsewhereBegun, errors=(400, 404, 413, 422, 429)),
    max_body_size=JSON_BYTES_MAX,
)
async def begin(request: Request, name: ProviderName, body: Beginning) -> Response:
    """Where the provider asks who it is; it sends the browser back to `callback`."""
    refuse_other_sites(request)
    _limit(request).check(address_of(request))
    begun = await _openid(request).begin(name, _callback(request, name), body.return_to)
    response = json_answer(ElsewhereBegun(location=begun.location))
    set_cookie(request, response, begun.cookie, OPENID_COOKIE)
    return response


@router.get(
    "/{provider}/callback",
    status_code=303,
    response_class=Response,
    responses={
        303: {"description": "Back to the page, signed in or told why not."},
        **problems(404, 422, 429, 503),
    },
)
async def callback(request: Request, name: ProviderName) -> Response:
    """Where the provider sends the browser; opens the session, or tells the page why not."""
    address, limit = address_of(request), _limit(request)
    limit.check(address)
    openid = _openid(request)
    try:
        done = await openid.finish(
            name, _callback(request, name), cookie_of(request, OPENID_COOKIE), request.query_params
        )
    except NotFound:
        raise
    except PipeWatcherError as error:
        if isinstance(error, SignInRefused):
            limit.failed(address)
        return _back(request, f"/?{urlencode({'fault': error.code})}")
    person, before = done.person, done.before
    who = Principal(name=person.name, role=person.role, by="session", person_id=person.id)
    if before is None:
        made = {"role": person.role, "issuer": person.issuer}
        await audited(request, who, "person.create", f"person:{person.name}", None, made)
    elif before.role != person.role:
        roles = [{"role": one.role} for one in (before, person)]
        await audited(request, who, "person.change", f"person:{person.name}", *roles)
    secret, session = await services_of(request).sessions.begin(
        person,
        address=address,
        agent=request.headers.get("user-agent", ""),
        provider=name,
        id_token=done.id_token,
    )
    return await signed_in(request, _back(request, done.return_to), secret, session, None)


def _back(request: Request, path: str) -> Response:
    """To the page itself: it is open, and asks who is there once it is loaded."""
    response = Response(status_code=303, headers={"location": path})
    forget_cookie(request, response, OPENID_COOKIE)
    return response


def _openid(request: Request) -> OpenId:
    """Raises `NotFound`."""
    openid = services_of(request).openid
    if openid is None:
        raise NotFound("There is no such provider.")
    return openid


def _limit(request: Request) -> SignInLimit:
    limit: SignInLimit = request.app.state.sign_in_limit
    return limit


def _callback(request: Request, name: str) -> str:
    return f"{origin_of(request)}{router.prefix}/{name}/callback"
