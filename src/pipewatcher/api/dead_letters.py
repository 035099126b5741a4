"""What could not be answered: read it, mend it, send it again, or throw it away."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import Camel, answers, json_answer, problems, rfc3339
from pipewatcher.api.auth import Caller, answers_of, audited
from pipewatcher.errors import InvalidRequest
from pipewatcher.model.readings import DeadLetter, Rejection
from pipewatcher.problems import rejections

router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"])

EDIT_BYTES_MAX = 512 * 1024
"""Of the JSON that carries a payload: escaped, it is longer than the payload."""
TOPIC_CHARS_MAX = 1_024

LetterId = Annotated[int, Path(alias="id", ge=1, le=2**53)]


class LetterError(Camel, omit_defaults=True):
    field: str
    reason: str
    code: str
    index: int | None = None
    line: int | None = None


class DeadLetterItem(Camel):
    """`payload` is there when it is UTF-8, else `payloadBase64`. `cut`: it is only the beginning
    of the `payloadBytes` that were sent, and has to be mended before it can be sent again."""

    id: int
    door: Literal["mqtt", "mqtt-broker", "store"]
    topic: str
    client: str
    received: str
    reason: str
    errors: list[LetterError]
    payload: str | None
    payload_base64: str | None
    payload_bytes: int
    cut: bool
    edited_by: str | None


class DeadLettersPage(Camel):
    items: list[DeadLetterItem]
    total: int
    next_cursor: str | None


class ReplayReceipt(Camel):
    """What was not accepted stays in the letter, with its reasons."""

    received: int
    accepted: int
    rejected: int
    errors: list[LetterError]


class Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    payload: str | None = None
    payload_base64: str | None = Field(None, alias="payloadBase64")
    topic: Annotated[str | None, Field(max_length=TOPIC_CHARS_MAX)] = None


@router.get("", responses=answers(DeadLettersPage))
async def dead_letters(
    request: Request,
    _: Caller,
    door: Literal["mqtt", "mqtt-broker", "store"] | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Newest first; `q` is looked for in reason and topic."""
    desk = answers_of(request).dead_letters
    found = await desk.letters(limit + 1, cursor, door=door, text=q or None)
    items = [_item(letter) for letter in found[:limit]]
    total = await desk.count(door=door, text=q or None)
    next_cursor = str(items[-1].id) if len(found) > limit else None
    return json_answer(DeadLettersPage(items=items, total=total, next_cursor=next_cursor))


@router.get("/{id}", responses=answers(DeadLetterItem, errors=(404, 422)))
async def one(request: Request, _: Caller, letter_id: LetterId) -> Response:
    return json_answer(_item(await answers_of(request).dead_letters.letter(letter_id)))


@router.put(
    "/{id}",
    responses=answers(DeadLetterItem, errors=(400, 404, 413, 422)),
    max_body_size=EDIT_BYTES_MAX,
)
async def edit(request: Request, principal: Caller, letter_id: LetterId, body: Edit) -> Response:
    """Another payload (text, or bytes in base64) and, if given, topic. `errors` is what would
    still be refused; nothing is sent yet."""
    letter = await answers_of(request).dead_letters.edit(
        letter_id, payload=_payload(body), topic=body.topic, by=principal.name
    )
    await audited(
        request,
        principal,
        "dead_letter.edit",
        f"dead_letter:{letter_id}",
        None,
        {"topic": body.topic},
    )
    return json_answer(_item(letter))


@router.delete(
    "/{id}",
    status_code=204,
    responses=problems(401, 403, 404, 422, 503),
)
async def delete(request: Request, caller: Caller, letter_id: LetterId) -> Response:
    await answers_of(request).dead_letters.remove(letter_id)
    await audited(request, caller, "dead_letter.delete", f"dead_letter:{letter_id}")
    return Response(status_code=204)


@router.post(
    "/{id}/replay",
    responses={
        **answers(ReplayReceipt, errors=(404, 409, 422)),
        207: {**answers(ReplayReceipt)[200], "description": "Some stay in the letter."},
    },
)
async def replay(request: Request, principal: Caller, letter_id: LetterId) -> Response:
    """Sends it again by the rules of every door. When this answers, what was accepted is durable;
    the letter is gone, or holds what was not."""
    receipt = await answers_of(request).dead_letters.replay(letter_id, principal.name)
    counts = {"accepted": receipt.accepted, "rejected": receipt.rejected}
    await audited(
        request, principal, "dead_letter.replay", f"dead_letter:{letter_id}", None, counts
    )
    answer = ReplayReceipt(
        received=receipt.received,
        accepted=receipt.accepted,
        rejected=receipt.rejected,
        errors=_errors(receipt.errors),
    )
    return json_answer(answer, 207 if receipt.rejected else 200)


def _payload(body: Edit) -> bytes:
    if (body.payload is None) == (body.payload_base64 is None):
        raise _invalid("payload", "send payload or payloadBase64")
    try:
        if body.payload is not None:
            return body.payload.encode()
        return base64.b64decode(body.payload_base64 or "", validate=True)
    except UnicodeEncodeError:
        raise _invalid("payload", "has half of a character") from None
    except (binascii.Error, ValueError):
        raise _invalid("payloadBase64", "is not base64") from None


def _invalid(field: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {reason}", [Rejection(field=field, reason=reason)])


def _item(letter: DeadLetter) -> DeadLetterItem:
    text = _text(letter)
    return DeadLetterItem(
        id=letter.id,
        door=letter.door,
        topic=letter.topic,
        client=letter.client,
        received=rfc3339(letter.received_at),
        reason=letter.reason,
        errors=_errors(letter.rejections),
        payload=text,
        payload_base64=None if text is not None else base64.b64encode(letter.payload).decode(),
        payload_bytes=letter.payload_bytes,
        cut=letter.cut,
        edited_by=letter.edited_by,
    )


def _text(letter: DeadLetter) -> str | None:
    try:
        return letter.payload.decode()
    except UnicodeDecodeError as error:
        # A text stays one when the cut went through its last character.
        if letter.cut and error.start >= len(letter.payload) - 3:
            return letter.payload[: error.start].decode()
    return None


def _errors(found: list[Rejection]) -> list[LetterError]:
    return [LetterError(**error) for error in rejections(found)]  # type: ignore[arg-type]
