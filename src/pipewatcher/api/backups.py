"""A backup of the embedded engines while they are in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipewatcher.api.answers import Camel, answers, json_answer
from pipewatcher.api.auth import Caller, answers_of, audited, is_local
from pipewatcher.errors import Forbidden, NotPossible

router = APIRouter(prefix="/api/v1/backups", tags=["backups"])


class BackupItem(Camel):
    """While it `stoodStillSeconds`, what was acknowledged waited in the commit log."""

    folder: str
    files: int
    bytes: int
    seconds: float
    stood_still_seconds: float


class BackupWanted(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    folder: Annotated[str, Field(min_length=1, max_length=4_096)]


@router.post("", responses=answers(BackupItem, errors=(400, 409, 413, 422)))
async def make(request: Request, caller: Caller, body: BackupWanted) -> Response:
    """Into a new folder of the machine that PipeWatcher runs on, so only who has a shell there may
    ask, by `pipewatcher backup`. The answer comes when all of it is on the disk."""
    if not is_local(request):
        raise Forbidden(hint="On the machine itself: `pipewatcher backup FOLDER`.")
    backups = answers_of(request).backups
    if backups is None:
        raise NotPossible(
            "Only the embedded engines are backed up by PipeWatcher.",
            hint="Kafka, InfluxDB and MongoDB have their own tools for it: docs/reliability.md.",
        )
    made = await backups.make(Path(body.folder))
    after = {"folder": made.folder, "bytes": made.bytes}
    await audited(request, caller, "backup.create", "backup", None, after)
    return json_answer(
        BackupItem(
            folder=made.folder,
            files=made.files,
            bytes=made.bytes,
            seconds=made.seconds,
            stood_still_seconds=made.stood_still_s,
        )
    )
