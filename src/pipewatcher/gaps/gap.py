"""A gap, and the name by which it is asked for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from pipewatcher.errors import InvalidRequest, NotFound
from pipewatcher.model.gaps import GapCause, GapMark, GapsMet, GapState
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import Micros


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """From the reading before it to the one after it; `end` is None while the silence goes on.
    `closed_by`: the origins whose readings came into it."""

    id: str
    equipment_id: str
    start: Micros
    end: Micros | None
    expected: int
    state: GapState
    cause: GapCause | None = None
    note: str | None = None
    changed_by: str | None = None
    changed_at: Micros | None = None
    closed_by: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What an import did to the gaps that it met, and the requested ones that it did not."""

    closed: list[Gap] = field(default_factory=list)
    partly: list[Gap] = field(default_factory=list)
    untouched: list[Gap] = field(default_factory=list)

    def counts(self) -> GapsMet:
        return GapsMet(
            closed=len(self.closed), partly=len(self.partly), untouched=len(self.untouched)
        )


def asked_until_of(marks: Iterable[GapMark]) -> frozenset[Micros]:
    """When people marked silences that went on. A span that ends then, and not with a reading, is
    whole as soon as the step over its end is no gap."""
    return frozenset(mark.end for mark in marks if mark.end == mark.changed_at)


def gap_id_of(equipment_id: str, start: Micros) -> str:
    """Stable as long as the gap has its sensor and the reading before it."""
    return base64.urlsafe_b64encode(f"{start}:{equipment_id}".encode()).decode().rstrip("=")


def parse_id(gap_id: str, where: str = "id") -> tuple[str, Micros]:
    """Raises `NotFound`, or `InvalidRequest` for one in a query or body."""
    try:
        padded = gap_id + "=" * (-len(gap_id) % 4)
        start, _, equipment_id = base64.urlsafe_b64decode(padded).decode().partition(":")
        return equipment_id, int(start)
    except (ValueError, binascii.Error) as error:
        if where == "id":
            raise NotFound("There is no such gap.") from error
        raise invalid_gap(where, "is not one that an answer gave") from error


def invalid_gap(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{name} {reason}", [Rejection(field=name, reason=reason)])
