"""Which plant this is: its name and the time zone of its clocks."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pipewatcher import __version__
from pipewatcher.api.answers import Camel, answers, json_answer
from pipewatcher.api.auth import Caller, services_of

router = APIRouter(prefix="/api/v1/plant", tags=["status"])


class PlantItem(Camel):
    """Null is what was not set. `timezone` is an IANA name, as America/Sao_Paulo."""

    name: str | None
    timezone: str | None
    version: str


@router.get("", responses=answers(PlantItem, errors=()))
async def plant(request: Request, _: Caller) -> Response:
    known = services_of(request).plant
    return json_answer(PlantItem(name=known.name, timezone=known.timezone, version=__version__))
