"""Who did what, when, from where, on what: recorded, searched, verified."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from pipewatcher.audit_chain import first_broken
from pipewatcher.errors import PipeWatcherError
from pipewatcher.model.identity import AuditEntry, Change, Principal
from pipewatcher.model.time import SECOND
from pipewatcher.registry_ports import AuditRegistry

log = logging.getLogger(__name__)

ENTRIES_PER_READ = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    entries: int
    """That follow from each other, from the first one on."""
    broken_at: int | None
    """The first that does not follow from the one before it."""
    head: str
    """The hash of the last good entry, in hexadecimal: it stands for all before it."""


class Audit:
    def __init__(self, registry: AuditRegistry, clock: Callable[[], float] = time.time) -> None:
        self._registry = registry
        self._clock = clock

    async def record(
        self,
        who: Principal,
        address: str,
        action: str,
        target: str,
        before: object = None,
        after: object = None,
    ) -> None:
        """Durable when it returns. What cannot be recorded is at least logged."""
        change = Change(
            actor=who.name,
            by=who.by,
            address=address,
            action=action,
            target=target,
            before=_json(before),
            after=_json(after),
        )
        try:
            await self._registry.add_change(change, int(self._clock() * SECOND))
        except PipeWatcherError:
            log.error("done, but not recorded: %s", change)
            raise

    async def find(self, limit: int, before_id: int | None, q: str) -> Sequence[AuditEntry]:
        return await self._registry.changes(limit, before_id, q)

    async def verify(self) -> Verified:
        return await verify(self._registry)


async def verify(registry: AuditRegistry) -> Verified:
    """Reads the whole audit and follows its chain."""
    last: AuditEntry | None = None
    while entries := await registry.changes_after(last.id if last else 0, ENTRIES_PER_READ):
        broken_at = first_broken(entries, last)
        if broken_at is not None:
            good = [entry for entry in entries if entry.id < broken_at]
            last = good[-1] if good else last
            return _verified(last, broken_at)
        last = entries[-1]
    return _verified(last, None)


def _verified(last: AuditEntry | None, broken_at: int | None) -> Verified:
    if last is None:
        return Verified(entries=0, broken_at=broken_at, head="")
    return Verified(entries=last.id, broken_at=broken_at, head=last.sha256.hex())


def _json(state: object) -> str | None:
    return None if state is None else msgspec.json.encode(state).decode()
