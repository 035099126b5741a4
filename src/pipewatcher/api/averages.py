"""The mean of every sensor over a window."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
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
from pipewatcher.model.plant import SensorState
from pipewatcher.queries import AverageRow, Averages

router = APIRouter(prefix="/api/v1/averages", tags=["averages"])

Sort = Literal[
    "equipmentId", "name", "kind", "unit", "location", "mean", "count", "min", "max",
    "lastTimestamp", "lastValue", "state", "timeWeightedMean", "expected", "coverage",
    "longestGapSeconds",
]  # fmt: skip
_SORTS = {"equipmentId": "equipment_id", "lastTimestamp": "last_timestamp"}
_SORTS["lastValue"] = "last_value"
_SORTS |= {"timeWeightedMean": "time_weighted_mean", "longestGapSeconds": "longest_gap_seconds"}


class AverageItem(Camel):
    equipment_id: str
    name: str | None
    kind: str | None
    unit: str | None
    location: str | None
    mean: float | None
    time_weighted_mean: float | None
    count: int
    expected: int | None
    min: float | None
    max: float | None
    coverage: float | None
    longest_gap_seconds: float | None
    last_timestamp: str | None
    last_value: float | None
    state: SensorState
    source: str | None


class AveragesPage(Camel):
    window: str
    start: str
    end: str
    total: int
    items: list[AverageItem]


@router.get("", responses=answers(AveragesPage, also_csv=True))
async def averages(
    request: Request,
    _: Caller,
    window: Annotated[str, Query(max_length=12, examples=["24h"])] = "24h",
    until: Annotated[str | None, Query(max_length=64)] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    sort: Sort = "equipmentId",
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Query(ge=1, le=20_000)] = 20_000,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """All sensors, also those without readings (count 0, mean null). Windows: 24h, 48h, 7d, 30d
    or any number of m, h, d. JSON, or CSV by `Accept: text/csv`."""
    served = answers_of(request)
    encode = _as_csv if wants_csv(request) else _as_json
    gzipped = takes_gzip(request)

    async def answer() -> Response:
        found = await served.queries.averages(
            window,
            instant_of(until, "until"),
            search=q,
            sort=_SORTS.get(sort, sort),
            descending=order == "desc",
            limit=limit,
            offset=offset,
        )
        return await asyncio.to_thread(lambda: compressed(encode(found), gzipped=gzipped))

    question = (window, until, q, sort, order, limit, offset, encode, gzipped)
    return await served.shared.ask(question, answer)


def _as_json(found: Averages) -> Response:
    return json_answer(
        AveragesPage(
            window=found.window,
            start=rfc3339(found.start),
            end=rfc3339(found.end),
            total=found.total,
            items=[_item(row) for row in found.items],
        )
    )


def _as_csv(found: Averages) -> Response:
    names = [field.encode_name for field in msgspec.structs.fields(AverageItem)]
    rows = (msgspec.structs.astuple(_item(row)) for row in found.items)
    return csv_answer(f"averages-{found.window}", names, rows)


def _item(row: AverageRow) -> AverageItem:
    values = msgspec.structs.asdict(row)
    values["last_timestamp"] = maybe_rfc3339(row.last_timestamp)
    return AverageItem(**values)
