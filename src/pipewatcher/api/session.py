"""Signing in with a token, who I am, signing out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import JSON_BYTES_MAX, Camel, answers, json_answer, problems
from pipewatcher.api.auth import COOKIE, Caller, SignInLimit, audited, services_of
from pipewatcher.errors import Unauthorized
from pipewatcher.model import SECOND, Principal

router = APIRouter(prefix="/api/v1/session", tags=["session"])


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    token: str = Field(min_length=1, max_length=512)


class WhoAmI(Camel):
    name: str
    role: str


@router.post(
    "", status_code=204, responses=problems(400, 401, 413, 422, 429), max_body_size=JSON_BYTES_MAX
)
async def sign_in(request: Request, body: SignIn) -> Response:
    """Answers a session cookie for a valid token."""
    address = request.client.host if request.client else "local"
    limit: SignInLimit = request.app.state.sign_in_limit
    limit.check(address)
    found = await services_of(request).sessions.sign_in(body.token)
    if found is None:
        limit.failed(address)
        raise Unauthorized
    secret, session = found
    who = Principal(name=session.name, role=session.role, by="session")
    await audited(request, who, "session.begin", f"person:{session.name}")
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=(session.expires_at - session.created_at) // SECOND,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.get("", responses=answers(WhoAmI))
async def who_am_i(principal: Caller) -> Response:
    return json_answer(WhoAmI(name=principal.name, role=principal.role))


@router.delete("", status_code=204, responses=problems(401, 403))
async def sign_out(request: Request, caller: Caller) -> Response:
    cookie = request.cookies.get(COOKIE)
    if cookie:
        await services_of(request).sessions.sign_out(cookie)
        await audited(request, caller, "session.end", f"person:{caller.name}")
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
