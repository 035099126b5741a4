"""For how long raw readings are kept, and what a change would drop."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from pipewatcher.api.answers import Camel, answers, json_answer, maybe_rfc3339
from pipewatcher.api.auth import Caller, answers_of, audited
from pipewatcher.model.plant import Dropped
from pipewatcher.retention import Keeper

router = APIRouter(prefix="/api/v1/retention", tags=["retention"])


class DroppedItem(Camel):
    readings: int
    sensors: int
    first: str | None
    last: str | None


class RetentionItem(Camel):
    """`days`: so many whole UTC days before today are kept, null: for ever. `oldest`: what is older
    is refused. `keptFrom`: before it only rollups are left. `wouldDrop`: what the `days` that were
    asked about would drop, a day after they are set."""

    days: int | None
    changed_by: str | None
    oldest: str | None
    kept_from: str | None
    would_drop: DroppedItem | None


class RetentionChange(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    days: int | None


@router.get("", responses=answers(RetentionItem, errors=(409, 422)))
async def retention(
    request: Request, _: Caller, days: Annotated[int | None, Query()] = None
) -> Response:
    """With `days`: what keeping only so many would drop. Nothing is changed."""
    keeper = answers_of(request).retention
    dropped = None if days is None else await keeper.would_drop(days)
    return json_answer(_item(keeper, answers_of(request).queries.now(), dropped))


@router.put("", responses=answers(RetentionItem, errors=(400, 409, 413, 422)))
async def change(request: Request, caller: Caller, body: RetentionChange) -> Response:
    """Older readings are refused at once, and dropped a day later; their means stay."""
    keeper = answers_of(request).retention
    before, after = await keeper.change(body.days, caller.name)
    await audited(
        request,
        caller,
        "retention.change",
        "retention",
        {"days": before.days},
        {"days": after.days},
    )
    return json_answer(_item(keeper, answers_of(request).queries.now(), None))


def _item(keeper: Keeper, now: int, dropped: Dropped | None) -> RetentionItem:
    return RetentionItem(
        days=keeper.retention.days,
        changed_by=keeper.retention.changed_by,
        oldest=maybe_rfc3339(keeper.oldest(now)),
        kept_from=maybe_rfc3339(keeper.kept_from),
        would_drop=None
        if dropped is None
        else DroppedItem(
            readings=dropped.readings,
            sensors=dropped.sensors,
            first=maybe_rfc3339(dropped.first_time),
            last=maybe_rfc3339(dropped.last_time),
        ),
    )
