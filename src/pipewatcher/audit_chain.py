"""The chain of the audit: each entry carries the hash of the one before it.

Who changes, removes or inserts an entry has to make every later hash anew. Cutting entries off the
end leaves a chain that is whole: keep a hash that `pipewatcher doctor` printed to notice it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from pipewatcher.model.identity import AuditEntry, Change
from pipewatcher.model.time import Micros

BEGINNING = bytes(32)
"""What stands before the first entry."""

_encode = msgspec.json.Encoder().encode


def chained(change: Change, at: Micros, last: AuditEntry | None) -> AuditEntry:
    """The entry that follows `last`."""
    entry = AuditEntry(
        **msgspec.structs.asdict(change),
        id=last.id + 1 if last else 1,
        at=at,
        previous=last.sha256 if last else BEGINNING,
        sha256=b"",
    )
    return msgspec.structs.replace(entry, sha256=_hash(entry))


def first_broken(entries: Iterable[AuditEntry], last: AuditEntry | None = None) -> int | None:
    """The id of the first of these, ascending, that does not follow from the one before it."""
    for entry in entries:
        expected_id = last.id + 1 if last else 1
        expected = last.sha256 if last else BEGINNING
        if (entry.id, entry.previous) != (expected_id, expected) or entry.sha256 != _hash(entry):
            return entry.id
        last = entry
    return None


def words(change: Change) -> str:
    """What a search looks through."""
    parts = (change.actor, change.action, change.target, change.address)
    return " ".join(parts).casefold()


def _hash(entry: AuditEntry) -> bytes:
    fields = msgspec.structs.astuple(msgspec.structs.replace(entry, previous=b"", sha256=b""))
    return hashlib.sha256(entry.previous + _encode(fields)).digest()
