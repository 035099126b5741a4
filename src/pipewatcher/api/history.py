"""Where a reading came from: every write that is kept of it, and which one stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pipewatcher.api.answers import (
    Camel,
    answers,
    instant_of,
    json_answer,
    maybe_rfc3339,
    rfc3339,
)
from pipewatcher.api.auth import Caller, answers_of
from pipewatcher.errors import NotFound
from pipewatcher.model.readings import IMPORT_ORIGIN_PREFIX, ReadingVersion
from pipewatcher.model.time import Micros

router = APIRouter(prefix="/api/v1/readings", tags=["readings"])


class WriteItem(Camel):
    """One write. Of an import: its id, file, line (null when the file is not here any more) and
    when it had ended; of a live reading the instant of acceptance is not kept."""

    value: float
    origin: str
    stands: bool
    import_id: int | None
    file_name: str | None
    line: int | None
    accepted: str | None


class HistoryPage(Camel):
    """Newest first, down to the last live write: what is below it is not kept."""

    equipment_id: str
    timestamp: str
    items: list[WriteItem]


@router.get("/history", responses=answers(HistoryPage, errors=(404, 409, 422)))
async def history(
    request: Request,
    _: Caller,
    equipment_id: Annotated[str, Query(alias="equipmentId", min_length=1, max_length=64)],
    timestamp: str,
) -> Response:
    """Who wrote this reading, and what stood there before. The line is looked up in the kept
    upload: a second or two for each million rows."""
    event_time = instant_of(timestamp, "timestamp")
    assert event_time is not None
    found = await answers_of(request).queries.history(equipment_id, event_time)
    if not found:
        raise NotFound("There is no reading of this sensor at this instant.")
    items = [
        await _item(request, equipment_id, event_time, version, stands=number == 0)
        for number, version in enumerate(found)
    ]
    return json_answer(
        HistoryPage(equipment_id=equipment_id, timestamp=rfc3339(event_time), items=items)
    )


async def _item(
    request: Request,
    equipment_id: str,
    event_time: Micros,
    version: ReadingVersion,
    *,
    stands: bool,
) -> WriteItem:
    import_id = file_name = line = accepted = None
    if version.origin.startswith(IMPORT_ORIGIN_PREFIX):
        imports = answers_of(request).imports
        import_id = int(version.origin.removeprefix(IMPORT_ORIGIN_PREFIX))
        job = await imports.job(import_id)
        file_name, accepted = job.file_name, maybe_rfc3339(job.finished_at)
        line = await imports.line_of(import_id, equipment_id, event_time)
    return WriteItem(
        value=version.value,
        origin=version.origin,
        stands=stands,
        import_id=import_id,
        file_name=file_name,
        line=line,
        accepted=accepted,
    )
