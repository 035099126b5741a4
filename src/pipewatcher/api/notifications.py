"""What happened and a person may want to know."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from pipewatcher.api.answers import Camel, answers, json_answer, rfc3339
from pipewatcher.api.auth import Caller, answers_of

router = APIRouter(prefix="/api/v1/notifications", tags=["notifications"])


class NotificationItem(Camel):
    id: int
    kind: Literal["new_sensor"]
    equipment_id: str | None
    created: str


class NotificationsPage(Camel):
    items: list[NotificationItem]
    next_cursor: str | None


@router.get("", responses=answers(NotificationsPage))
async def notifications(
    request: Request,
    _: Caller,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Newest first."""
    found = await answers_of(request).registry.notifications(limit + 1, cursor)
    items = [
        NotificationItem(
            id=happened.id,
            kind=happened.kind,
            equipment_id=happened.equipment_id,
            created=rfc3339(happened.created_at),
        )
        for happened in found[:limit]
    ]
    next_cursor = str(items[-1].id) if len(found) > limit else None
    return json_answer(NotificationsPage(items=items, next_cursor=next_cursor))
