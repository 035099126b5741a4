"""What happened and a person may want to know."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import JSON_BYTES_MAX, Camel, answers, json_answer, rfc3339
from pipewatcher.api.auth import Caller, answers_of
from pipewatcher.model.plant import Notification, NotificationKind

router = APIRouter(prefix="/api/v1/notifications", tags=["notifications"])
UNREAD_MAX = 1_000


class NotificationItem(Camel):
    """`count` sensors of one `source`, or gaps that one `detail` (a file, or an origin) closed, are
    one line; `equipmentId` names the only one. A line that grows comes again under a new id."""

    id: int
    kind: NotificationKind
    equipment_id: str | None
    count: int
    source: str | None
    import_id: int | None
    detail: str | None
    created: str
    unread: bool


class NotificationsPage(Camel):
    """`unread` is for who asks, and at most 1,000."""

    items: list[NotificationItem]
    unread: int
    next_cursor: str | None


class Unread(Camel):
    unread: int


class ReadUpTo(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    up_to: Annotated[int, Field(alias="upTo", ge=0, le=2**53)]


@router.get("", responses=answers(NotificationsPage))
async def notifications(
    request: Request,
    principal: Caller,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Newest first."""
    registry = answers_of(request).registry
    found = await registry.notifications(limit + 1, cursor)
    read = await registry.read_up_to(principal.name)
    items = [notification_item(one, unread=one.id > read) for one in found[:limit]]
    return json_answer(
        NotificationsPage(
            items=items,
            unread=await registry.count_unread(principal.name, UNREAD_MAX),
            next_cursor=str(items[-1].id) if len(found) > limit else None,
        )
    )


@router.put(
    "/read", responses=answers(Unread, errors=(400, 413, 422)), max_body_size=JSON_BYTES_MAX
)
async def mark_read(request: Request, principal: Caller, body: ReadUpTo) -> Response:
    """All up to this id are read by who asks; it never goes back."""
    registry = answers_of(request).registry
    await registry.mark_read(principal.name, body.up_to)
    return json_answer(Unread(unread=await registry.count_unread(principal.name, UNREAD_MAX)))


def notification_item(one: Notification, *, unread: bool) -> NotificationItem:
    return NotificationItem(
        id=one.id,
        kind=one.kind,
        equipment_id=one.equipment_id,
        count=one.count,
        source=one.source,
        import_id=one.import_id,
        detail=one.detail,
        created=rfc3339(one.created_at),
        unread=unread,
    )
