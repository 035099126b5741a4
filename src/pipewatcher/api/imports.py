"""CSV files: upload, progress, receipt, the rejected rows, cancel and resume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from python_multipart.multipart import parse_options_header

from pipewatcher.api.answers import Camel, answers, json_answer, maybe_rfc3339, problems, rfc3339
from pipewatcher.api.auth import Caller, answers_of, audited
from pipewatcher.api.file_part import FilePart
from pipewatcher.api.gaps import GapItem, item_of
from pipewatcher.errors import InvalidRequest, MalformedRequest, UnsupportedMediaType
from pipewatcher.model.gaps import GapsMet
from pipewatcher.model.imports import ImportJob, ImportState
from pipewatcher.model.readings import Rejection
from pipewatcher.problems import rejections

router = APIRouter(prefix="/api/v1/imports", tags=["imports"])

ImportId = Annotated[int, Path(alias="id", ge=1, le=2**53)]
BODY_TYPES = frozenset({"text/csv", "application/csv", "application/gzip", "application/x-gzip"})
UPLOAD_PARAMETERS = frozenset({"tz", "corrections", "dry_run", "fileName"})
GAPS_MAX = 1_000


class ImportStarted(Camel):
    id: int
    state: ImportState


class RowError(Camel, omit_defaults=True):
    field: str
    reason: str
    code: str
    line: int = 0


class ImportReceipt(Camel):
    """`received = accepted + rejected`; the other five add up to `accepted` once it is done."""

    received: int
    accepted: int
    rejected: int
    new: int | None
    identical: int | None
    corrected: int | None
    repeated: int | None
    skipped: int | None
    errors: list[RowError]


class ImportItem(Camel):
    id: int
    state: ImportState
    file_name: str
    created: str
    created_by: str
    started: str | None
    finished: str | None
    bytes_total: int
    bytes_done: int
    rows_done: int
    rows_per_second: float | None
    eta_seconds: float | None
    timezone: str | None
    corrections: Literal["apply", "skip"]
    receipt: ImportReceipt
    gaps_closed: int | None
    gaps_partly_filled: int | None
    gaps_untouched: int | None
    sensors: int
    unknown_columns: list[str]
    content_sha256: str
    error: str | None
    dry_run: bool
    undoable: bool
    undone: UndoneItem | None


class UndoneSensorItem(Camel):
    """`first` and `last` bound the sensor's readings that are touched."""

    equipment_id: str
    removed: int
    restored: int
    changed: int
    first: str
    last: str


class UndoPreviewItem(Camel):
    """`removed` readings would be gone; `restored` ones come back to what stood before, `changed`
    of them to another value. `overtaken` rows of the import do not stand, so nothing is seen of
    them. `items` are the first 100 of `sensors`, most touched first."""

    removed: int
    restored: int
    changed: int
    overtaken: int
    sensors: int
    items: list[UndoneSensorItem]


class UndoneItem(Camel):
    removed: int
    restored: int


class ImportGaps(Camel):
    """What the import did to the gaps that it met, as they were before it; `untouched` ones had
    been requested before it came and are still whole. The first 1,000 of each."""

    closed: list[GapItem]
    partly_filled: list[GapItem]
    untouched: list[GapItem]


class ImportsPage(Camel):
    items: list[ImportItem]
    next_cursor: str | None


_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "", status_code=202, responses=answers(ImportStarted, status=202, errors=(400, 413, 415, 422)),
    openapi_extra=_UPLOAD,
)  # fmt: skip
async def upload(
    request: Request,
    principal: Caller,
    tz: Annotated[str | None, Query(max_length=64, examples=["America/Sao_Paulo"])] = None,
    corrections: Literal["apply", "skip"] = "apply",
    dry_run: bool = False,
    file_name: Annotated[str, Query(alias="fileName", max_length=200)] = "upload.csv",
) -> Response:
    """A CSV with the columns equipmentId, timestamp and value, plain or gzip, of any size. The
    answer comes when the upload is synced to disk; the import goes on behind it. With `dry_run`
    nothing is stored: once it is done, `…/dry-run` says what it would do and `…/apply` does it."""
    _refuse_unknown(request)
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise MalformedRequest("The multipart body has no boundary.")
        part = FilePart(request.stream(), boundary)
        chunks = await part.begin()
        file_name = part.file_name or file_name
    elif content_type.decode("latin-1") in BODY_TYPES:
        chunks = request.stream()
    else:
        raise UnsupportedMediaType("Send multipart/form-data with a file, or text/csv.")
    job = await answers_of(request).imports.upload(
        chunks,
        file_name=file_name,
        created_by=principal.name,
        timezone=tz,
        keep_stored=corrections == "skip",
        dry_run=dry_run,
    )
    what = {"fileName": job.file_name, "bytes": job.bytes_total, "sha256": job.content_sha256}
    await audited(request, principal, "import.create", f"import:{job.id}", None, what)
    started = ImportStarted(id=job.id, state=job.state)
    return json_answer(started, 202, {"location": f"/api/v1/imports/{job.id}"})


def _refuse_unknown(request: Request) -> None:
    """A misspelt `dry_run` must not import the file."""
    for name in request.query_params.keys() - UPLOAD_PARAMETERS:
        reason = f"is not one of {', '.join(sorted(UPLOAD_PARAMETERS))}"
        raise InvalidRequest(f"{name} {reason}", [Rejection(field=name, reason=reason)])


@router.get("", responses=answers(ImportsPage))
async def imports(
    request: Request,
    _: Caller,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Newest first."""
    found = list(await answers_of(request).imports.jobs(limit + 1, cursor))
    more = len(found) > limit
    items = await _items(request, found[:limit])
    next_cursor = str(found[limit - 1].id) if more else None
    return json_answer(ImportsPage(items=items, next_cursor=next_cursor))


@router.get("/{id}", responses=answers(ImportItem, errors=(404, 422)))
async def one(request: Request, _: Caller, import_id: ImportId) -> Response:
    return json_answer(await _one(request, await answers_of(request).imports.job(import_id)))


@router.get("/{id}/gaps", responses=answers(ImportGaps, errors=(404, 409, 422)))
async def gaps_of(request: Request, _: Caller, import_id: ImportId) -> Response:
    """The gaps that it closed or filled in part, and the requested ones that it left."""
    job = await answers_of(request).imports.job(import_id)
    found = await answers_of(request).gaps.closed_by(job.id, job.created_at)
    closed, partly, untouched = (
        [item_of(gap) for gap in gaps[:GAPS_MAX]]
        for gaps in (found.closed, found.partly, found.untouched)
    )
    return json_answer(ImportGaps(closed=closed, partly_filled=partly, untouched=untouched))


@router.get(
    "/{id}/rejected.csv",
    response_class=FileResponse,
    responses={
        200: {"description": "The rows.", "content": {"text/csv": {"schema": {"type": "string"}}}},
        **problems(401, 403, 404, 422, 503),
    },
)
async def rejected(request: Request, _: Caller, import_id: ImportId) -> Response:
    """The rows that were refused, as they came, with a `reason` column: mend them, send them."""
    path = await answers_of(request).imports.rejected_csv(import_id)
    return FileResponse(path, media_type="text/csv", filename=f"import-{import_id}-rejected.csv")


@router.post(
    "/{id}/apply",
    status_code=202,
    responses=answers(ImportItem, status=202, errors=(404, 409, 422)),
)
async def apply(request: Request, caller: Caller, import_id: ImportId) -> Response:
    """Imports what a dry run has looked at, without another upload."""
    job = await answers_of(request).imports.apply(import_id)
    await audited(
        request, caller, "import.apply", f"import:{import_id}", None, {"state": job.state}
    )
    return json_answer(await _one(request, job), 202)


@router.post(
    "/{id}/resume",
    status_code=202,
    responses=answers(ImportItem, status=202, errors=(404, 409, 422)),
)
async def resume(request: Request, caller: Caller, import_id: ImportId) -> Response:
    """Goes on where an interrupted, failed or cancelled import stood; no row counts twice."""
    job = await answers_of(request).imports.resume(import_id)
    await audited(
        request, caller, "import.resume", f"import:{import_id}", None, {"state": job.state}
    )
    return json_answer(await _one(request, job), 202)


@router.delete("/{id}", responses=answers(ImportItem, errors=(404, 409, 422)))
async def withdraw(request: Request, caller: Caller, import_id: ImportId) -> Response:
    """Cancels it while it is queued or running: what was stored stays, as the receipt says. Undoes
    it once it has ended: its readings go, and what they overwrote comes back; the state is
    `undoing` until that is done, then `undone`. Discards a dry run."""
    job = await answers_of(request).imports.withdraw(import_id)
    state = {"state": job.state}
    await audited(request, caller, "import.withdraw", f"import:{import_id}", None, state)
    return json_answer(await _one(request, job))


@router.get("/{id}/undo", responses=answers(UndoPreviewItem, errors=(404, 409, 422)))
async def preview_undo(request: Request, _: Caller, import_id: ImportId) -> Response:
    """What undoing it would do now; nothing is changed."""
    found = await answers_of(request).imports.preview_undo(import_id)
    items = [
        UndoneSensorItem(
            equipment_id=item.equipment_id,
            removed=item.removed,
            restored=item.restored,
            changed=item.changed,
            first=rfc3339(item.first_time),
            last=rfc3339(item.last_time),
        )
        for item in found.items
    ]
    return json_answer(
        UndoPreviewItem(
            removed=found.removed,
            restored=found.restored,
            changed=found.changed,
            overtaken=found.overtaken,
            sensors=found.sensors,
            items=items,
        )
    )


async def _one(request: Request, job: ImportJob) -> ImportItem:
    [item] = await _items(request, [job])
    return item


async def _items(request: Request, jobs: Sequence[ImportJob]) -> list[ImportItem]:
    ended = {job.id: job.created_at for job in jobs if job.finished_at is not None}
    met = await answers_of(request).gaps.met_by(ended)
    return [import_item(request, job, met.get(job.id)) for job in jobs]


def import_item(request: Request, job: ImportJob, gaps: GapsMet | None = None) -> ImportItem:
    live = answers_of(request).imports.progress(job.id)
    counts = job.counts
    receipt = ImportReceipt(
        received=job.received,
        accepted=job.accepted,
        rejected=job.rejected,
        new=counts.new if counts else None,
        identical=counts.identical if counts else None,
        corrected=counts.corrected if counts else None,
        repeated=counts.repeated if counts else None,
        skipped=counts.skipped if counts else None,
        errors=[RowError(**error) for error in rejections(job.errors)],  # type: ignore[arg-type]
    )
    return ImportItem(
        id=job.id,
        state=job.state,
        file_name=job.file_name,
        created=rfc3339(job.created_at),
        created_by=job.created_by,
        started=maybe_rfc3339(job.started_at),
        finished=maybe_rfc3339(job.finished_at),
        bytes_total=job.bytes_total,
        bytes_done=live.bytes_done if live else job.bytes_done,
        rows_done=live.rows_done if live else job.rows_done,
        rows_per_second=live.rows_per_s if live else None,
        eta_seconds=live.eta_s if live else None,
        timezone=job.timezone,
        corrections="skip" if job.keep_stored else "apply",
        receipt=receipt,
        gaps_closed=gaps.closed if gaps else None,
        gaps_partly_filled=gaps.partly if gaps else None,
        gaps_untouched=gaps.untouched if gaps else None,
        sensors=job.sensors,
        unknown_columns=job.unknown_columns,
        content_sha256=job.content_sha256,
        error=job.error,
        dry_run=job.dry_run,
        undoable=answers_of(request).imports.undoable(job),
        undone=UndoneItem(removed=job.undone.removed, restored=job.undone.restored)
        if job.undone
        else None,
    )
