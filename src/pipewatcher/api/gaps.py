"""What is missing: the gap ledger, what was done about it, and the request to a vendor."""

from __future__ import annotations

import asyncio
import html
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import (
    Camel,
    answers,
    csv_answer,
    instant_of,
    json_answer,
    maybe_rfc3339,
    problems,
    rfc3339,
    wants_csv,
)
from pipewatcher.api.auth import Caller, answers_of, audited
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
    `source`). Answers the CSV to send along, or a page to print by `Accept: text/html`."""
    found = await answers_of(request).gaps.request(caller.name, ids=body.ids, source=body.source)
    asked = {"gaps": len(found), "source": body.source}
    await audited(request, caller, "gap.request", "gaps", None, asked)
    now = answers_of(request).queries.now()
    if "text/html" in request.headers.get("accept", ""):
        return Response(_page(found, now), media_type="text/html; charset=utf-8")
    header = ("equipmentId", "start", "end", "expected")
    return csv_answer("gaps-requested", header, [_row(gap, now) for gap in found])


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


def _row(gap: Gap, now: Micros) -> tuple[str, str, str, int]:
    """A silence that goes on is asked for up to now."""
    end = now if gap.end is None else gap.end
    return gap.equipment_id, rfc3339(gap.start), rfc3339(end), gap.expected


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Readings we miss</title>
<style>body{{font:14px/1.5 sans-serif;margin:2rem}}table{{border-collapse:collapse}}
td,th{{border:1px solid #bbb;padding:.25rem .6rem;text-align:left}}td:last-child{{text-align:right}}
</style>
<h1>Readings we miss</h1>
<p>{count} gaps of {sensors} sensors, {expected} readings; listed {now}. Please send what your
instruments have kept as a CSV file with the columns <code>equipmentId,timestamp,value</code>.
Times are UTC; each gap lies between the two readings that we have.</p>
<table><thead><tr><th>Sensor</th><th>After</th><th>Before</th><th>Readings</th></tr></thead>
<tbody>{rows}</tbody></table></html>
"""


def _page(gaps: list[Gap], now: Micros) -> str:
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in _row(gap, now))
        + "</tr>\n"
        for gap in gaps
    )
    return _PAGE.format(
        count=len(gaps),
        sensors=len({gap.equipment_id for gap in gaps}),
        expected=sum(gap.expected for gap in gaps),
        now=rfc3339(now),
        rows=rows,
    )
