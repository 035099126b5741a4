"""What is missing: the gap ledger, what was done about it, and the request to a vendor."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import (
    Camel,
    answers,
    csv_answer,
    csv_file,
    instant_of,
    json_answer,
    maybe_rfc3339,
    problems,
    rfc3339,
    wants_csv,
)
from pipewatcher.api.auth import Caller, answers_of, audited
from pipewatcher.api.gap_letter import gap_list, gap_page
from pipewatcher.gaps.gap import Gap
from pipewatcher.model.gaps import GapCause, GapState, MarkState
from pipewatcher.model.time import DAY, Micros
from pipewatcher.queries import window_micros

router = APIRouter(prefix="/api/v1/gaps", tags=["gaps"])

BODY_BYTES_MAX = 8 * 2**20
INCIDENTS_WINDOW: Micros = 30 * DAY
GapId = Annotated[str, Path(alias="id", min_length=1, max_length=200)]
GapIdText = Annotated[str, Field(max_length=200)]
Instant = Annotated[str | None, Query(max_length=64)]
Id = Annotated[str, Field(max_length=64)]


class GapItem(Camel):
    """From the reading before it to the one after it; `end` is null while the silence goes on.
    `cause` is what a person says, else `downtime` where PipeWatcher itself was away."""

    id: str
    equipment_id: str
    start: str
    end: str | None
    expected: int
    state: GapState
    cause: GapCause | None
    note: str | None
    changed_by: str | None
    changed: str | None
    closed_by: list[str]


class GapsPage(Camel):
    items: list[GapItem]
    total: int
    next_cursor: str | None


class IncidentItem(Camel):
    """Gaps of `sensors` sensors that begin and end together; the first 20 are named."""

    start: str
    end: str | None
    sensors: int
    equipment_ids: list[str]
    expected: int
    cause: GapCause | None


class IncidentsPage(Camel):
    items: list[IncidentItem]
    total: int


class CoveragePage(Camel):
    """The share of the plant's sensor time outside gaps, in equal pieces of `[start, end)`, oldest
    first; null while no sensor has a cadence."""

    start: str
    end: str
    coverage: list[float] | None


class GapLetter(Camel):
    """What to send to the vendor: the list as CSV, and as an HTML page."""

    csv: str
    page: str


class GapChanges(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    state: MarkState | None = None
    cause: GapCause | None = None
    note: Annotated[str | None, Field(max_length=500)] = None


class GapRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    ids: Annotated[
        list[Annotated[str, Field(max_length=200)]] | None, Field(max_length=100_000)
    ] = None
    source: Annotated[str | None, Field(max_length=200)] = None


@router.get("", responses=answers(GapsPage, also_csv=True, errors=(409, 422)))
async def gaps(
    request: Request,
    _: Caller,
    start: Instant = None,
    end: Instant = None,
    equipment_id: Annotated[list[Id] | None, Query(alias="equipmentId", max_length=100)] = None,
    state: Annotated[list[GapState] | None, Query(max_length=5)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Gaps that overlap `[start, end)`, newest first; `equipmentId` and `state` may be given
    several times."""
    page = await answers_of(request).gaps.gaps(
        instant_of(start, "start"),
        instant_of(end, "end"),
        equipment_ids=equipment_id,
        states=state or (),
        limit=limit,
        cursor=cursor,
    )

    def encode() -> Response:
        if wants_csv(request):
            return _csv("gaps", page.items)
        return json_answer(
            GapsPage(
                items=[item_of(gap) for gap in page.items],
                total=page.total,
                next_cursor=page.next_cursor,
            )
        )

    return await asyncio.to_thread(encode)


@router.get("/incidents", responses=answers(IncidentsPage, errors=(409, 422)))
async def incidents(
    request: Request,
    _: Caller,
    start: Instant = None,
    end: Instant = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """What is missing as lines, newest first: sensors that fell silent together are one. Without
    `start`: the last 30 days."""
    found = answers_of(request)
    last = instant_of(end, "end") or found.queries.now()
    first = instant_of(start, "start")
    total, lines = await found.gaps.incidents(
        last - INCIDENTS_WINDOW if first is None else first, last, limit
    )
    items = [
        IncidentItem(
            start=rfc3339(line.start),
            end=maybe_rfc3339(line.end),
            sensors=len(line.equipment_ids),
            equipment_ids=line.equipment_ids[:20],
            expected=line.expected,
            cause=line.cause,
        )
        for line in lines
    ]
    return json_answer(IncidentsPage(items=items, total=total))


@router.get("/coverage", responses=answers(CoveragePage))
async def coverage(
    request: Request,
    _: Caller,
    window: Annotated[str, Query(max_length=12, examples=["24h"])] = "24h",
    parts: Annotated[int, Query(ge=1, le=400)] = 96,
) -> Response:
    """How whole the plant's data is over the window up to now."""
    found = answers_of(request)
    end = found.queries.now()
    start = end - window_micros(window)
    shares = await found.gaps.coverage(start, end, parts)
    return json_answer(CoveragePage(start=rfc3339(start), end=rfc3339(end), coverage=shares))


@router.patch("/{id}", responses=answers(GapItem, errors=(400, 404, 409, 413, 422)))
async def change(request: Request, caller: Caller, gap_id: GapId, body: GapChanges) -> Response:
    """`accepted`: nobody will bring these readings; `open`: they are missed again. Cause and note
    are set when they are sent; null clears one."""
    changes = body.model_dump(exclude_unset=True)
    state = changes.pop("state", None)
    gap = await answers_of(request).gaps.change(gap_id, caller.name, state=state, changes=changes)
    target = f"gap:{gap.equipment_id}/{rfc3339(gap.start)}"
    await audited(request, caller, "gap.change", target, None, body.model_dump(exclude_unset=True))
    return json_answer(item_of(gap))


@router.post(
    "/request",
    responses={
        200: {
            "description": "The list to send to the vendor.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/GapLetter"}},
                "text/csv": {"schema": {"type": "string"}},
                "text/html": {"schema": {"type": "string"}},
            },
        },
        **problems(400, 401, 403, 404, 409, 413, 422, 503),
    },
    max_body_size=BODY_BYTES_MAX,
)
async def ask(request: Request, caller: Caller, body: GapRequest) -> Response:
    """Marks gaps as requested: those in `ids`, else all that are open (of the sensors of one
    `source`). Answers the list to send to the vendor: as CSV, by `Accept: text/html` as a page for
    who reads it, by `Accept: application/json` as both. The page is in English or Portuguese, as
    `Accept-Language` wants it."""
    found = await answers_of(request).gaps.request(caller.name, ids=body.ids, source=body.source)
    asked = {"gaps": len(found), "source": body.source}
    await audited(request, caller, "gap.request", "gaps", None, asked)
    now = answers_of(request).queries.now()
    wanted = request.headers.get("accept", "")
    language = request.headers.get("accept-language", "")
    if "text/html" in wanted:
        page = await asyncio.to_thread(gap_page, found, now, language)
        return Response(page, media_type="text/html; charset=utf-8")
    rows = await asyncio.to_thread(gap_list, found, now)
    if "application/json" in wanted:
        page = await asyncio.to_thread(gap_page, found, now, language)
        return json_answer(GapLetter(csv=rows, page=page))
    return csv_file("gaps-requested", rows)


def item_of(gap: Gap) -> GapItem:
    return GapItem(
        id=gap.id,
        equipment_id=gap.equipment_id,
        start=rfc3339(gap.start),
        end=maybe_rfc3339(gap.end),
        expected=gap.expected,
        state=gap.state,
        cause=gap.cause,
        note=gap.note,
        changed_by=gap.changed_by,
        changed=maybe_rfc3339(gap.changed_at),
        closed_by=gap.closed_by,
    )


def _csv(name: str, gaps: list[Gap]) -> Response:
    header = ("id", "equipmentId", "start", "end", "expected", "state", "cause", "note")
    rows = [
        (g.id, g.equipment_id, rfc3339(g.start), maybe_rfc3339(g.end), g.expected, g.state,
         g.cause, g.note)
        for g in gaps
    ]  # fmt: skip
    return csv_answer(name, header, rows)
