"""What the registry knows of each sensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import JSON_BYTES_MAX, Camel, answers, json_answer, rfc3339
from pipewatcher.api.auth import Caller, answers_of, audited
from pipewatcher.errors import InvalidRequest
from pipewatcher.model.gaps import Cadence
from pipewatcher.model.plant import Sensor
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND

router = APIRouter(prefix="/api/v1/sensors", tags=["sensors"])

CADENCE_SECONDS_MIN = 0.001
EquipmentId = Annotated[str, Path(alias="equipmentId", min_length=1, max_length=64)]
Text = Annotated[str | None, Field(max_length=200)]
Finite = Annotated[float | None, Field(allow_inf_nan=False)]


class SensorItem(Camel):
    equipment_id: str
    created: str
    name: str | None
    kind: str | None
    unit: str | None
    location: str | None
    equipment: str | None
    source: str | None
    range_min: float | None
    range_max: float | None
    cadence_seconds: float | None
    """As it was set; 0: event-driven, there is none; null: the learned one is in force."""
    learned_cadence_seconds: float | None


class SensorsPage(Camel):
    items: list[SensorItem]
    total: int


class SensorChanges(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Text = None
    kind: Text = None
    unit: Text = None
    location: Text = None
    equipment: Text = None
    source: Text = None
    range_min: Finite = Field(None, alias="rangeMin")
    range_max: Finite = Field(None, alias="rangeMax")
    cadence_seconds: Annotated[float | None, Field(ge=0, le=31_536_000)] = Field(
        None, alias="cadenceSeconds"
    )


@router.get("", responses=answers(SensorsPage))
async def sensors(request: Request, _: Caller) -> Response:
    found = await answers_of(request).registry.sensors()
    cadences = await answers_of(request).cadences.known()
    items = [_item(s, cadences) for s in found]
    return json_answer(SensorsPage(items=items, total=len(items)))


@router.get("/{equipmentId}", responses=answers(SensorItem, errors=(404, 422)))
async def sensor(request: Request, _: Caller, equipment_id: EquipmentId) -> Response:
    found = await answers_of(request).registry.sensor(equipment_id)
    return json_answer(_item(found, await answers_of(request).cadences.known()))


@router.patch(
    "/{equipmentId}",
    responses=answers(SensorItem, errors=(400, 404, 413, 422)),
    max_body_size=JSON_BYTES_MAX,
)
async def change(
    request: Request, caller: Caller, equipment_id: EquipmentId, body: SensorChanges
) -> Response:
    """Sets the members that are sent; null clears one. `cadenceSeconds` is the usual step between
    readings, 0 for an event-driven sensor, which has no gaps; null has it learned. A sensor is
    registered within about a second after its first reading is acknowledged; until then it is not
    found."""
    registry = answers_of(request).registry
    changes = body.model_dump(exclude_unset=True)
    standing = await registry.sensor(equipment_id)
    low = changes.get("range_min", standing.range_min)
    high = changes.get("range_max", standing.range_max)
    if low is not None and high is not None and low > high:
        reason = "must not be above rangeMax"
        raise InvalidRequest(f"rangeMin {reason}", [Rejection(field="rangeMin", reason=reason)])
    seconds = changes.get("cadence_seconds")
    if seconds is not None and 0 < seconds < CADENCE_SECONDS_MIN:
        reason = f"must be 0 (event-driven) or at least {CADENCE_SECONDS_MIN}"
        raise InvalidRequest(
            f"cadenceSeconds {reason}", [Rejection(field="cadenceSeconds", reason=reason)]
        )
    changed = await registry.update_sensor(equipment_id, changes)
    if "cadence_seconds" in changes:
        await answers_of(request).cadences.follow(equipment_id)
    before = {name: getattr(standing, name) for name in changes}
    await audited(request, caller, "sensor.change", f"sensor:{equipment_id}", before, changes)
    return json_answer(_item(changed, await answers_of(request).cadences.known()))


def _item(sensor: Sensor, cadences: Mapping[str, Cadence]) -> SensorItem:
    values = msgspec.structs.asdict(sensor)
    cadence = cadences.get(sensor.equipment_id)
    learned = cadence.learned if cadence else None
    return SensorItem(
        created=rfc3339(values.pop("created_at")),
        learned_cadence_seconds=None if learned is None else learned / SECOND,
        **values,
    )
