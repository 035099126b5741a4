"""Who changed what: searched, exported, verified."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from pipewatcher.api.answers import Camel, answers, csv_answer, json_answer, rfc3339, wants_csv
from pipewatcher.api.auth import Caller, services_of
from pipewatcher.model.identity import AuditEntry

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

CSV_COLUMNS = ("id", "at", "actor", "by", "address", "action", "target", "before", "after",
               "sha256")  # fmt: skip


class AuditItem(Camel):
    id: int
    at: str
    actor: str
    by: str
    address: str
    action: str
    target: str
    before: msgspec.Raw | None
    after: msgspec.Raw | None
    sha256: str


class AuditPage(Camel):
    items: list[AuditItem]
    next_cursor: str | None


class AuditVerified(Camel):
    """`head` is the hash of the last good entry: one that was kept elsewhere shows whether the
    audit was cut."""

    entries: int
    broken_at: int | None
    head: str


@router.get("", responses=answers(AuditPage, also_csv=True))
async def audit(
    request: Request,
    _: Caller,
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Newest first; `q` is looked for in actor, action, target and address. CSV by Accept."""
    found = list(await services_of(request).audit.find(limit + 1, cursor, q))
    items = [_item(entry) for entry in found[:limit]]
    if wants_csv(request):
        rows = [[_cell(getattr(item, name)) for name in CSV_COLUMNS] for item in items]
        return csv_answer("audit", CSV_COLUMNS, rows)
    next_cursor = str(items[-1].id) if len(found) > limit else None
    return json_answer(AuditPage(items=items, next_cursor=next_cursor))


@router.get("/verify", responses=answers(AuditVerified, errors=()))
async def verify(request: Request, _: Caller) -> Response:
    """Follows the chain of hashes from the first entry to the last."""
    found = await services_of(request).audit.verify()
    return json_answer(
        AuditVerified(entries=found.entries, broken_at=found.broken_at, head=found.head)
    )


def _item(entry: AuditEntry) -> AuditItem:
    return AuditItem(
        id=entry.id,
        at=rfc3339(entry.at),
        actor=entry.actor,
        by=entry.by,
        address=entry.address,
        action=entry.action,
        target=entry.target,
        before=_raw(entry.before),
        after=_raw(entry.after),
        sha256=entry.sha256.hex(),
    )


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


def _cell(value: object) -> object:
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else value
