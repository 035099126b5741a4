"""People: invited, listed, given a role, shut out; and the link with which one comes in."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import (
    JSON_BYTES_MAX,
    Camel,
    answers,
    json_answer,
    maybe_rfc3339,
    problems,
    rfc3339,
)
from pipewatcher.api.auth import Caller, address_of, audited, refuse_other_sites, services_of
from pipewatcher.api.limits import SignInLimit
from pipewatcher.api.session import provider_of, signed_in
from pipewatcher.errors import Conflict, InvalidRequest, NotFound
from pipewatcher.identity.people import refuse_provided
from pipewatcher.model.identity import Invitation, Person, Principal
from pipewatcher.model.readings import Rejection

router = APIRouter(prefix="/api/v1/users", tags=["users"])

_HIDDEN = ConfigDict(extra="forbid", hide_input_in_errors=True)
Role = Literal["viewer", "operator", "admin"]
UserId = Annotated[int, Path(alias="id", ge=1, le=2**53)]
InvitationId = Annotated[str, Path(alias="id", pattern="^[0-9a-f]{32}$")]
Text = Annotated[str, Field(min_length=1, max_length=128)]


class UserItem(Camel):
    id: int
    name: str
    role: str
    created: str
    created_by: str
    disabled: bool
    second_factor: bool
    signed_in: str | None
    provider: str | None
    """By which he signs in, where he has no password here."""


class InvitationItem(Camel):
    id: str
    role: str
    name: str | None
    created: str
    created_by: str
    expires: str


class UsersPage(Camel):
    items: list[UserItem]
    invitations: list[InvitationItem]


class InvitationMade(InvitationItem, kw_only=True, rename="camel"):
    path: str
    """Behind the address of this server; what follows the # never reaches it by itself."""


class InvitationShown(Camel):
    name: str | None
    role: str


class NewInvitation(BaseModel):
    model_config = _HIDDEN
    role: Role


class UserChanges(BaseModel):
    model_config = _HIDDEN
    role: Role | None = None
    disabled: bool | None = None


class Acceptance(BaseModel):
    model_config = _HIDDEN
    invitation: Text
    name: str | None = Field(None, min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f]+$")
    password: str = Field(min_length=1, max_length=512)


class Shown(BaseModel):
    model_config = _HIDDEN
    invitation: Text


@router.get("", responses=answers(UsersPage, errors=()))
async def users(request: Request, _: Caller) -> Response:
    people = services_of(request).people
    return json_answer(
        UsersPage(
            items=[_item(request, person) for person in await people.all()],
            invitations=[_invitation(one) for one in await people.invitations()],
        )
    )


@router.post(
    "/invitations",
    status_code=201,
    responses=answers(InvitationMade, status=201, errors=(400, 413, 422)),
    max_body_size=JSON_BYTES_MAX,
)
async def invite(request: Request, caller: Caller, body: NewInvitation) -> Response:
    """A link that makes one person, within 24 hours; it is in this answer and nowhere else."""
    made, text = await services_of(request).people.invite(body.role, created_by=caller.name)
    await audited(
        request, caller, "person.invite", f"invitation:{made.id}", None, _invitation(made)
    )
    return _made(made, text)


@router.delete("/invitations/{id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
async def withdraw(request: Request, caller: Caller, invitation_id: InvitationId) -> Response:
    gone = await services_of(request).people.withdraw(invitation_id)
    await audited(request, caller, "person.uninvite", f"invitation:{gone.id}", _invitation(gone))
    return Response(status_code=204)


@router.post(
    "/invitations/show",
    responses=answers(InvitationShown, errors=(400, 404, 413, 422, 429)),
    max_body_size=JSON_BYTES_MAX,
)
async def show(request: Request, body: Shown) -> Response:
    """For whom a link is, as long as it works."""
    invitation = await _looked_up(request, body.invitation)
    return json_answer(InvitationShown(name=invitation.name, role=invitation.role))


@router.post(
    "/invitations/accept",
    status_code=204,
    responses=problems(400, 403, 404, 409, 413, 422, 429, 503),
    max_body_size=JSON_BYTES_MAX,
)
async def accept(request: Request, body: Acceptance) -> Response:
    """Uses the link up and signs in."""
    refuse_other_sites(request)
    services = services_of(request)
    invitation = await _looked_up(request, body.invitation)
    name = invitation.name or body.name
    if name is None:
        raise InvalidRequest("name is missing", [Rejection(field="name", reason="is missing")])
    person = await services.people.accept(body.invitation, name, body.password)
    who = Principal(name=person.name, role=person.role, by="session", person_id=person.id)
    if invitation.person_id is not None:
        await services.sessions.end_all(person.id)
        await audited(request, who, "person.recover", f"person:{person.name}")
    else:
        await audited(
            request, who, "person.create", f"person:{person.name}", None, _item(request, person)
        )
    secret, session = await services.sessions.begin(
        person, address=address_of(request), agent=request.headers.get("user-agent", "")
    )
    return await signed_in(request, Response(status_code=204), secret, session, person)


@router.patch(
    "/{id}",
    responses=answers(UserItem, errors=(400, 404, 409, 413, 422)),
    max_body_size=JSON_BYTES_MAX,
)
async def change(request: Request, caller: Caller, user_id: UserId, body: UserChanges) -> Response:
    """Who is disabled is signed out, within a second everywhere; so is nobody by a new role."""
    _refuse_oneself(caller, user_id)
    people = services_of(request).people
    before = await people.one(user_id)
    changes = body.model_dump(exclude_none=True)
    if not changes:
        return json_answer(_item(request, before))
    if "role" in changes:
        refuse_provided(before)
    person = await people.change(user_id, changes)
    state = {name: getattr(before, name) for name in changes}
    await audited(request, caller, "person.change", f"person:{person.name}", state, changes)
    return json_answer(_item(request, person))


@router.delete("/{id}", status_code=204, responses=problems(401, 403, 404, 409, 422, 503))
async def remove(request: Request, caller: Caller, user_id: UserId) -> Response:
    _refuse_oneself(caller, user_id)
    person = await services_of(request).people.remove(user_id)
    await audited(request, caller, "person.remove", f"person:{person.name}", _item(request, person))
    return Response(status_code=204)


@router.post(
    "/{id}/recovery",
    status_code=201,
    responses=answers(InvitationMade, status=201, errors=(404, 409, 422)),
)
async def recover(request: Request, caller: Caller, user_id: UserId) -> Response:
    """A link to a new password for who has lost it or the second factor. Nothing changes until
    it is used."""
    people = services_of(request).people
    person = await people.one(user_id)
    made, text = await people.invite(person.role, created_by=caller.name, person=person)
    await audited(request, caller, "person.recovery", f"person:{person.name}")
    return _made(made, text)


@router.delete("/{id}/sessions", status_code=204, responses=problems(401, 403, 404, 422, 503))
async def end_sessions(request: Request, caller: Caller, user_id: UserId) -> Response:
    """Signs somebody out everywhere."""
    services = services_of(request)
    person = await services.people.one(user_id)
    ended = await services.sessions.end_all(user_id)
    await audited(
        request, caller, "person.sign_out", f"person:{person.name}", None, {"sessions": ended}
    )
    return Response(status_code=204)


async def _looked_up(request: Request, text: str) -> Invitation:
    """Raises `NotFound`, or `TooManyRequests`."""
    limit: SignInLimit = request.app.state.sign_in_limit
    limit.check(address_of(request), "invitation")
    try:
        return await services_of(request).people.invitation(text)
    except NotFound:
        limit.failed(address_of(request), "invitation")
        raise


def _refuse_oneself(caller: Principal, user_id: int) -> None:
    """So there is always an admin left. Raises `Conflict`."""
    if caller.person_id == user_id:
        raise Conflict("Somebody else has to do this: nobody changes or removes himself.")


def _made(invitation: Invitation, text: str) -> Response:
    item = _invitation(invitation)
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    return json_answer(InvitationMade(**fields, path=f"/welcome#{text}"), 201)


def _item(request: Request, person: Person) -> UserItem:
    return UserItem(
        id=person.id,
        name=person.name,
        role=person.role,
        created=rfc3339(person.created_at),
        created_by=person.created_by,
        disabled=person.disabled,
        second_factor=person.totp_secret is not None,
        signed_in=maybe_rfc3339(person.signed_in_at),
        provider=provider_of(request, person),
    )


def _invitation(invitation: Invitation) -> InvitationItem:
    return InvitationItem(
        id=invitation.id,
        role=invitation.role,
        name=invitation.name,
        created=rfc3339(invitation.created_at),
        created_by=invitation.created_by,
        expires=rfc3339(invitation.expires_at),
    )
