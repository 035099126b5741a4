"""Signing in with name and password or with a token, who I am, signing out, my own sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import (
    JSON_BYTES_MAX,
    Camel,
    answers,
    json_answer,
    problems,
    rfc3339,
)
from pipewatcher.api.auth import (
    KNOWN_COOKIE,
    Caller,
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
from pipewatcher.errors import (
    Conflict,
    InvalidRequest,
    SecondFactorRequired,
    Unauthorized,
)
from pipewatcher.identity.people import known_browser, knows, refuse_provided
from pipewatcher.model.identity import Person, Principal, Session
from pipewatcher.model.readings import Rejection

router = APIRouter(prefix="/api/v1/session", tags=["session"])

_HIDDEN = ConfigDict(extra="forbid", hide_input_in_errors=True)
SessionId = Annotated[str, Path(alias="id", pattern="^[0-9a-f]{32}$")]
Password = Annotated[str, Field(min_length=1, max_length=512)]


class SignIn(BaseModel):
    """A token, or name and password, with the code of the second factor where there is one."""

    model_config = _HIDDEN
    token: str | None = Field(None, min_length=1, max_length=512)
    name: str | None = Field(None, min_length=1, max_length=64)
    password: Password | None = None
    code: str | None = Field(None, min_length=6, max_length=8)


class NewPassword(BaseModel):
    model_config = _HIDDEN
    present: Password
    new: Password


class Factor(BaseModel):
    model_config = _HIDDEN
    secret: str = Field(pattern="^[A-Z2-7]{32}$")
    code: str = Field(min_length=6, max_length=8)
    password: Password


class Confirmation(BaseModel):
    model_config = _HIDDEN
    password: Password


class WhoAmI(Camel):
    name: str
    role: str
    is_person: bool
    """False for a token and for the local administrator: they have no password."""
    second_factor: bool
    provider: str | None
    """By which he signs in, where he has no password here."""


class SignedOut(Camel):
    location: str
    """Where the session at the provider ends too."""


class SessionItem(Camel):
    id: str
    created: str
    seen: str
    expires: str
    address: str
    agent: str
    present: bool


class SessionsPage(Camel):
    items: list[SessionItem]


class FactorOffered(Camel):
    secret: str
    uri: str
    svg: str


@router.post(
    "",
    status_code=204,
    responses=problems(400, 401, 403, 413, 422, 429, 503),
    max_body_size=JSON_BYTES_MAX,
)
async def sign_in(request: Request, body: SignIn) -> Response:
    """Answers a session cookie."""
    refuse_other_sites(request)
    if body.token is not None:
        secret, session = await _by_token(request, body.token)
        person = None
    elif body.name is not None and body.password is not None:
        person = await _by_password(request, body.name, body.password, body.code)
        secret, session = await services_of(request).sessions.begin(
            person, address=address_of(request), agent=request.headers.get("user-agent", "")
        )
    else:
        reason = "or name and password are required"
        raise InvalidRequest(f"token {reason}", [Rejection(field="token", reason=reason)])
    return await signed_in(request, Response(status_code=204), secret, session, person)


async def signed_in(
    request: Request, response: Response, secret: str, session: Session, person: Person | None
) -> Response:
    """The response with the cookies, and an entry in the audit; `person` has shown a password.
    What this browser was signed in as before ends."""
    if before := cookie_of(request):
        await services_of(request).sessions.sign_out(before)
    who = Principal(name=session.name, role=session.role, by="session")
    by = None if session.provider is None else {"provider": session.provider}
    await audited(request, who, "session.begin", f"session:{session.id}", None, by)
    set_cookie(request, response, secret)
    if person is not None:
        set_cookie(request, response, known_browser(person), KNOWN_COOKIE)
    return response


async def _by_token(request: Request, token: str) -> tuple[str, Session]:
    address = address_of(request)
    limit: SignInLimit = request.app.state.sign_in_limit
    limit.check(address, "token")
    found = await services_of(request).sessions.sign_in(
        token, address=address, agent=request.headers.get("user-agent", "")
    )
    if found is None:
        limit.failed(address, "token")
        raise Unauthorized
    return found


async def _by_password(request: Request, name: str, password: str, code: str | None) -> Person:
    people, address = services_of(request).people, address_of(request)
    limit: SignInLimit = request.app.state.sign_in_limit
    known = cookie_of(request, KNOWN_COOKIE)
    person = await people.named(name) if known else None
    if person is None or not knows(person, known):
        limit.check(address, f"name:{name.casefold()}")
    try:
        return await people.sign_in(name, password, code, known)
    except SecondFactorRequired:
        raise
    except Unauthorized:
        limit.failed(address, f"name:{name.casefold()}")
        raise


@router.get("", responses=answers(WhoAmI))
async def who_am_i(request: Request, caller: Caller) -> Response:
    factor, provider = False, None
    if caller.person_id is not None:
        person = await services_of(request).people.one(caller.person_id)
        factor = person.totp_secret is not None
        provider = provider_of(request, person)
    return json_answer(
        WhoAmI(
            name=caller.name,
            role=caller.role,
            is_person=caller.person_id is not None,
            second_factor=factor,
            provider=provider,
        )
    )


def provider_of(request: Request, person: Person) -> str | None:
    openid = services_of(request).openid
    if person.issuer is None or openid is None:
        return person.issuer
    return openid.title_of(person.issuer)


@router.delete(
    "", status_code=204, responses=answers(SignedOut, errors=()) | {204: {"description": "Done."}}
)
async def sign_out(request: Request, caller: Caller) -> Response:
    """204, or 200 where the browser is to go on to the provider to sign out there too."""
    services, cookie = services_of(request), cookie_of(request)
    response = Response(status_code=204)
    if cookie:
        session = await services.sessions.sign_out(cookie)
        await audited(request, caller, "session.end", f"person:{caller.name}")
        if session is not None and services.openid is not None:
            location = await services.openid.ending(session, f"{origin_of(request)}/")
            if location is not None:
                response = json_answer(SignedOut(location=location))
    forget_cookie(request, response)
    return response


@router.get("/all", responses=answers(SessionsPage, errors=(409,)))
async def my_sessions(request: Request, caller: Caller) -> Response:
    """Where I am signed in."""
    sessions = services_of(request).sessions
    cookie = cookie_of(request)
    items = [
        SessionItem(
            id=session.id,
            created=rfc3339(session.created_at),
            seen=rfc3339(session.seen_at),
            expires=rfc3339(session.expires_at),
            address=session.address,
            agent=session.agent,
            present=cookie is not None and sessions.is_of(session, cookie),
        )
        for session in await sessions.of(_person_id(caller))
    ]
    return json_answer(SessionsPage(items=items))


@router.delete("/all/{id}", status_code=204, responses=problems(401, 403, 404, 409, 422, 503))
async def end_my_session(request: Request, caller: Caller, session_id: SessionId) -> Response:
    await services_of(request).sessions.end(_person_id(caller), session_id)
    await audited(request, caller, "session.end", f"session:{session_id}")
    return Response(status_code=204)


@router.put(
    "/password",
    status_code=204,
    responses=problems(400, 401, 403, 409, 413, 422, 429, 503),
    max_body_size=JSON_BYTES_MAX,
)
async def change_password(request: Request, caller: Caller, body: NewPassword) -> Response:
    """All other sessions end."""
    services, person_id = services_of(request), await _own_password(request, caller)
    with _guessing(request, caller):
        await services.people.change_password(person_id, body.present, body.new)
    await services.sessions.end_all(person_id, but=cookie_of(request))
    await audited(request, caller, "person.password", f"person:{caller.name}")
    return Response(status_code=204)


@router.post("/factor", responses=answers(FactorOffered, errors=(409,)))
async def offer_factor(request: Request, caller: Caller) -> Response:
    """A new secret for an authenticator app; nothing is kept until `PUT` confirms it."""
    offered = await services_of(request).people.new_factor(await _own_password(request, caller))
    return json_answer(FactorOffered(secret=offered.secret, uri=offered.uri, svg=offered.svg))


@router.put(
    "/factor",
    status_code=204,
    responses=problems(400, 401, 403, 409, 413, 422, 429, 503),
    max_body_size=JSON_BYTES_MAX,
)
async def set_factor(request: Request, caller: Caller, body: Factor) -> Response:
    """From now on signing in takes a code; all other sessions end."""
    services, person_id = services_of(request), await _own_password(request, caller)
    with _guessing(request, caller):
        await services.people.set_factor(person_id, body.secret, body.code, body.password)
    await services.sessions.end_all(person_id, but=cookie_of(request))
    await audited(request, caller, "person.factor", f"person:{caller.name}", None, {"on": True})
    return Response(status_code=204)


@router.post(
    "/factor/remove",
    status_code=204,
    responses=problems(400, 401, 403, 409, 413, 422, 429, 503),
    max_body_size=JSON_BYTES_MAX,
)
async def remove_factor(request: Request, caller: Caller, body: Confirmation) -> Response:
    person_id = await _own_password(request, caller)
    with _guessing(request, caller):
        await services_of(request).people.remove_factor(person_id, body.password)
    await audited(request, caller, "person.factor", f"person:{caller.name}", None, {"on": False})
    return Response(status_code=204)


@contextmanager
def _guessing(request: Request, caller: Principal) -> Iterator[None]:
    """A wrong present password is counted, and no reason to sign in anew."""
    limit: SignInLimit = request.app.state.sign_in_limit
    address, name = address_of(request), f"confirm:{caller.name}"
    limit.check(address, name)
    try:
        yield
    except Unauthorized:
        limit.failed(address, name)
        reason = "is not the present one"
        raise InvalidRequest(
            f"password {reason}", [Rejection(field="password", reason=reason)]
        ) from None


def _person_id(caller: Principal) -> int:
    """Raises `Conflict`."""
    if caller.person_id is None:
        raise Conflict("This is for people who are signed in, not for tokens.")
    return caller.person_id


async def _own_password(request: Request, caller: Principal) -> int:
    """Raises `Conflict` for who has none."""
    person = await services_of(request).people.one(_person_id(caller))
    refuse_provided(person)
    return person.id
