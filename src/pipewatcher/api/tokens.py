"""Tokens of devices, gateways and scripts: made, listed, rotated, revoked."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import (
    JSON_BYTES_MAX,
    Camel,
    answers,
    instant_of,
    json_answer,
    maybe_rfc3339,
    problems,
    rfc3339,
)
from pipewatcher.api.auth import Caller, audited, services_of
from pipewatcher.errors import InvalidRequest
from pipewatcher.model.identity import Token, TokenLimits, WriteScope
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.validate import is_equipment_id

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"])

TokenId = Annotated[int, Path(alias="id", ge=1, le=2**53)]
DAY_S = 86_400


class TokenItem(Camel):
    id: int
    name: str
    role: str
    created: str
    created_by: str
    expires: str | None
    last_used: str | None
    writes_prefix: str | None
    equipment_ids: list[str] | None
    requests_per_second: int | None
    previous_valid_until: str | None


class TokensPage(Camel):
    items: list[TokenItem]
    total: int


class TokenMade(TokenItem, kw_only=True, rename="camel"):
    token: str


class NewToken(BaseModel):
    """`writesPrefix` and `equipmentIds` narrow a device to some sensors: those that either names.
    Other roles write all or none."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f]+$")
    role: Literal["viewer", "operator", "admin", "device"]
    expires: str | None = Field(None, max_length=64, examples=["2030-01-01T00:00:00Z"])
    writes_prefix: str | None = Field(None, alias="writesPrefix", min_length=1, max_length=64)
    equipment_ids: list[str] | None = Field(
        None, alias="equipmentIds", min_length=1, max_length=1_000
    )
    requests_per_second: int | None = Field(None, alias="requestsPerSecond", ge=1, le=1_000_000)


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    overlap_seconds: int = Field(DAY_S, alias="overlapSeconds", ge=0, le=90 * DAY_S)


@router.get("", responses=answers(TokensPage, errors=()))
async def tokens(request: Request, _: Caller) -> Response:
    """`lastUsed` is right to within a minute or two."""
    found = await services_of(request).tokens.all()
    return json_answer(TokensPage(items=[_item(token) for token in found], total=len(found)))


@router.post(
    "",
    status_code=201,
    responses=answers(TokenMade, status=201, errors=(400, 409, 413, 422)),
    max_body_size=JSON_BYTES_MAX,
)
async def make(request: Request, caller: Caller, body: NewToken) -> Response:
    """The text of the token is in this answer and nowhere else."""
    token, text = await services_of(request).tokens.make(
        body.name, body.role, _limits(body), created_by=caller.name
    )
    await audited(request, caller, "token.create", f"token:{token.name}", None, _item(token))
    return _shown_once(token, text, 201)


@router.post(
    "/{id}/rotate",
    responses=answers(TokenMade, errors=(400, 404, 413, 422)),
    max_body_size=JSON_BYTES_MAX,
)
async def rotate(
    request: Request, caller: Caller, token_id: TokenId, body: Rotation | None = None
) -> Response:
    """A new text; the one before it goes on for `overlapSeconds`, a day unless given."""
    overlap = (body or Rotation(overlapSeconds=DAY_S)).overlap_seconds * SECOND
    token, text = await services_of(request).tokens.rotate(token_id, overlap)
    await audited(request, caller, "token.rotate", f"token:{token.name}", None, _item(token))
    return _shown_once(token, text, 200)


@router.delete("/{id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
async def revoke(request: Request, caller: Caller, token_id: TokenId) -> Response:
    """Refused from now on, by other processes within a second."""
    token = await services_of(request).tokens.revoke(token_id)
    await audited(request, caller, "token.revoke", f"token:{token.name}", _item(token))
    return Response(status_code=204)


def _limits(body: NewToken) -> TokenLimits:
    """Raises `InvalidRequest`."""
    ids = body.equipment_ids or []
    prefix = body.writes_prefix
    if (ids or prefix) and body.role != "device":
        raise _invalid("role", "must be device for a token that may write only some sensors")
    for text, field in ((prefix or "x", "writesPrefix"), *((id_, "equipmentIds") for id_ in ids)):
        if not is_equipment_id(text):
            raise _invalid(field, "must be 1 to 64 visible characters without white space")
    scope = WriteScope(prefix=prefix, equipment_ids=frozenset(ids)) if ids or prefix else None
    return TokenLimits(
        expires_at=_future(body.expires), writes=scope, requests_per_s_max=body.requests_per_second
    )


def _future(text: str | None) -> Micros | None:
    instant = instant_of(text, "expires")
    if instant is not None and instant <= time.time() * SECOND:
        raise _invalid("expires", "must lie in the future")
    return instant


def _invalid(field: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {reason}", [Rejection(field=field, reason=reason)])


def _shown_once(token: Token, text: str, status: int) -> Response:
    item = _item(token)
    made = TokenMade(**{name: getattr(item, name) for name in item.__struct_fields__}, token=text)
    return json_answer(made, status)


def _item(token: Token) -> TokenItem:
    limits, writes = token.limits, token.limits.writes
    return TokenItem(
        id=token.id,
        name=token.name,
        role=token.role,
        created=rfc3339(token.created_at),
        created_by=token.created_by,
        expires=maybe_rfc3339(limits.expires_at),
        last_used=maybe_rfc3339(token.last_used_at),
        writes_prefix=writes.prefix if writes else None,
        equipment_ids=sorted(writes.equipment_ids) or None if writes else None,
        requests_per_second=limits.requests_per_s_max,
        previous_valid_until=maybe_rfc3339(token.previous_until),
    )
