"""What an import would do, before it does."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from pipewatcher.api.answers import Camel, answers, json_answer, maybe_rfc3339, rfc3339
from pipewatcher.api.auth import Caller, answers_of
from pipewatcher.gaps.gap import gap_id_of
from pipewatcher.model.imports import Forecast, Suspicion, SuspicionKind

router = APIRouter(prefix="/api/v1/imports", tags=["imports"])


class ChangeItem(Camel):
    """One sensor over the span of the file, as it is and as it would be by the cadence that it has
    now. Coverage is null without a cadence, the time-weighted mean of a sensor that is new."""

    equipment_id: str
    count_before: int
    count_after: int
    mean_before: float | None
    mean_after: float
    time_weighted_mean_before: float | None
    time_weighted_mean_after: float | None
    coverage_before: float | None
    coverage_after: float | None


class ClosedGapItem(Camel):
    """A gap that would be closed."""

    id: str
    equipment_id: str
    start: str
    end: str
    expected: int


class OverwrittenItem(Camel):
    """A live reading that would get another value."""

    equipment_id: str
    timestamp: str
    stored: float
    value: float
    origin: str


class SuspectItem(Camel):
    """A sensor with its first suspicious reading. `factor`: the file's mean by the stored one.
    `shiftHours`: what would have to be added to the file's times."""

    equipment_id: str
    readings: int
    timestamp: str
    value: float
    factor: float | None
    shift_hours: int | None


class SuspicionItem(Camel):
    """A sign, not a proof. `items` are the first 20 of `sensors`; `importId` is the earlier import
    of a duplicate file."""

    kind: SuspicionKind
    sensors: int
    readings: int
    items: list[SuspectItem]
    import_id: int | None


class ForecastItem(Camel):
    """`accepted` rows are new, identical, corrected, repeated or skipped. `changes` are the first
    100 sensors, most changed first; `liveRows` the first 100 of `liveOverwritten`; `closedGaps` the
    newest 100 of `gapsClosed`."""

    start: str | None
    end: str | None
    accepted: int
    new: int
    identical: int
    corrected: int
    repeated: int
    skipped: int
    sensors: int
    new_sensors: int
    new_sensor_ids: list[str]
    changes: list[ChangeItem]
    live_overwritten: int
    live_rows: list[OverwrittenItem]
    gaps_closed: int
    gaps_partly_filled: int
    closed_gaps: list[ClosedGapItem]
    suspicions: list[SuspicionItem]


@router.get("/{id}/dry-run", responses=answers(ForecastItem, errors=(404, 409, 422)))
async def forecast(
    request: Request, _: Caller, import_id: Annotated[int, Path(alias="id", ge=1, le=2**53)]
) -> Response:
    """What the dry run found, as of when it ended; `…/apply` judges every row anew."""
    return json_answer(_item(await answers_of(request).imports.forecast(import_id)))


def _item(found: Forecast) -> ForecastItem:
    counts = found.counts
    return ForecastItem(
        start=maybe_rfc3339(found.start),
        end=maybe_rfc3339(found.end),
        accepted=counts.accepted,
        new=counts.new,
        identical=counts.identical,
        corrected=counts.corrected,
        repeated=counts.repeated,
        skipped=counts.skipped,
        sensors=found.sensors,
        new_sensors=found.new_sensors,
        new_sensor_ids=found.new_sensor_ids,
        changes=[
            ChangeItem(
                equipment_id=change.equipment_id,
                count_before=change.count_before,
                count_after=change.count_after,
                mean_before=change.mean_before,
                mean_after=change.mean_after,
                time_weighted_mean_before=change.weighted_before,
                time_weighted_mean_after=change.weighted_after,
                coverage_before=change.coverage_before,
                coverage_after=change.coverage_after,
            )
            for change in found.changes
        ],
        live_overwritten=found.live_overwritten,
        live_rows=[
            OverwrittenItem(
                equipment_id=row.equipment_id,
                timestamp=rfc3339(row.event_time),
                stored=row.stored,
                value=row.value,
                origin=row.origin,
            )
            for row in found.live_rows
        ],
        gaps_closed=found.gaps_closed,
        gaps_partly_filled=found.gaps_partly,
        closed_gaps=[
            ClosedGapItem(
                id=gap_id_of(gap.equipment_id, gap.start),
                equipment_id=gap.equipment_id,
                start=rfc3339(gap.start),
                end=rfc3339(gap.end),
                expected=gap.expected,
            )
            for gap in found.closed
        ],
        suspicions=[_suspicion(suspicion) for suspicion in found.suspicions],
    )


def _suspicion(found: Suspicion) -> SuspicionItem:
    return SuspicionItem(
        kind=found.kind,
        sensors=found.sensors,
        readings=found.readings,
        items=[
            SuspectItem(
                equipment_id=suspect.equipment_id,
                readings=suspect.readings,
                timestamp=rfc3339(suspect.event_time),
                value=suspect.value,
                factor=suspect.factor,
                shift_hours=suspect.shift_hours,
            )
            for suspect in found.items
        ],
        import_id=found.import_id,
    )
