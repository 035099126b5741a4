"""One to twenty sensors as buckets that never hide a spike, and the readings themselves."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pipewatcher.api.answers import (
    Camel,
    answers,
    compressed,
    csv_answer,
    instant_of,
    json_answer,
    maybe_rfc3339,
    rfc3339,
    takes_gzip,
    wants_csv,
)
from pipewatcher.api.auth import Caller, answers_of
from pipewatcher.errors import InvalidRequest
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND, Micros

router = APIRouter(prefix="/api/v1", tags=["readings"])

Instant = Annotated[str, Query(max_length=64)]


class BucketItem(Camel):
    start: str
    mean: float
    min: float
    max: float
    count: int
    imported: int


class GapSpan(Camel):
    """From a reading to the next; `end` is null while the silence goes on."""

    start: str
    end: str | None


class SeriesItem(Camel):
    equipment_id: str
    buckets: list[BucketItem]
    gaps: list[GapSpan]


class SeriesPage(Camel):
    start: str
    end: str
    bucket_seconds: float
    items: list[SeriesItem]


class ReadingItem(Camel):
    equipment_id: str
    timestamp: str
    value: float
    origin: str


class ReadingsPage(Camel):
    items: list[ReadingItem]
    next_cursor: str | None


@router.get("/series", responses=answers(SeriesPage))
async def series(
    request: Request,
    _: Caller,
    equipment_id: Annotated[list[str], Query(alias="equipmentId", max_length=20)],
    start: Instant,
    end: Instant,
    bucket: Annotated[str, Query(max_length=12)] = "auto",
) -> Response:
    """Mean, min, max and count of each bucket that holds readings; `auto` draws at most 1,440."""
    queries = answers_of(request).queries
    first, last = _instant(start, "start"), _instant(end, "end")
    width, found = await queries.series(equipment_id, first, last, bucket)
    gaps = await queries.gaps(equipment_id, first, last)

    def encode() -> Response:
        items = [
            SeriesItem(
                equipment_id=one.equipment_id,
                buckets=[
                    BucketItem(
                        start=rfc3339(max(b.start, first)),
                        mean=b.mean,
                        min=b.min,
                        max=b.max,
                        count=b.count,
                        imported=b.imported,
                    )
                    for b in one.buckets
                ],
                gaps=[
                    GapSpan(start=rfc3339(since), end=maybe_rfc3339(until))
                    for since, until in gaps.get(one.equipment_id, [])
                ],
            )
            for one in found
        ]
        return json_answer(
            SeriesPage(
                start=rfc3339(first),
                end=rfc3339(last),
                bucket_seconds=width / SECOND,
                items=items,
            )
        )

    return await asyncio.to_thread(lambda: compressed(encode(), gzipped=takes_gzip(request)))


@router.get("/readings", responses=answers(ReadingsPage, also_csv=True))
async def readings(
    request: Request,
    _: Caller,
    equipment_id: Annotated[str, Query(alias="equipmentId", min_length=1, max_length=64)],
    start: Instant,
    end: Instant,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Ascending in time; `nextCursor` goes on after the last one."""
    first, last = _instant(start, "start"), _instant(end, "end")
    if cursor is not None:
        first = max(first, _cursor_instant(cursor))
    more = False
    found = []
    if first < last or cursor is None:
        found = await answers_of(request).queries.readings(equipment_id, first, last, limit + 1)
        more = len(found) > limit
        found = found[:limit]
    rows = [(r.equipment_id, rfc3339(r.event_time), r.value, r.origin) for r in found]
    if wants_csv(request):
        header = ("equipmentId", "timestamp", "value", "origin")
        return csv_answer(f"readings-{len(rows)}", header, rows)
    items = [ReadingItem(equipment_id=i, timestamp=t, value=v, origin=o) for i, t, v, o in rows]
    next_cursor = _cursor(found[-1].event_time + 1) if more else None
    return json_answer(ReadingsPage(items=items, next_cursor=next_cursor))


def _instant(text: str, field: str) -> Micros:
    instant = instant_of(text, field)
    assert instant is not None
    return instant


def _cursor(instant: Micros) -> str:
    return base64.urlsafe_b64encode(str(instant).encode()).decode().rstrip("=")


def _cursor_instant(cursor: str) -> Micros:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        instant = int(text)
        if abs(instant) > 2**62:
            raise ValueError
        return instant
    except (ValueError, binascii.Error) as error:
        reason = "is not one that an answer gave"
        raise InvalidRequest(
            f"cursor {reason}", [Rejection(field="cursor", reason=reason)]
        ) from error
