"""What a client is told: means, gaps and readings. Instants are aware, in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from pipewatcher.client.readings import rfc3339
from pipewatcher.client.transport import Transport

PAGE = 10_000


class Average(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One sensor over a window. What cannot be known is None."""

    equipment_id: str
    name: str | None
    unit: str | None
    location: str | None
    mean: float | None
    time_weighted_mean: float | None
    count: int
    expected: int | None
    min: float | None
    max: float | None
    coverage: float | None
    """0 to 1: the share of the window that lies in no gap."""
    longest_gap_seconds: float | None
    last_timestamp: datetime | None
    last_value: float | None
    state: str


class Gap(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """From the reading before it to the reading after it."""

    id: str
    equipment_id: str
    start: datetime
    end: datetime | None
    """None while the silence goes on."""
    state: str
    cause: str | None


class StoredReading(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    equipment_id: str
    timestamp: datetime
    value: float
    origin: str
    """The door it came by, and whose token it was: `http:gateway-1`."""


class _Averages(msgspec.Struct):
    items: list[Average]


class _Gaps(msgspec.Struct, rename="camel"):
    items: list[Gap]
    next_cursor: str | None = None


class _Readings(msgspec.Struct, rename="camel"):
    items: list[StoredReading]
    next_cursor: str | None


def averages(transport: Transport, window: str, until: datetime | None, q: str) -> list[Average]:
    asked: dict[str, str | int] = {"window": window, "q": q}
    if until is not None:
        asked["until"] = rfc3339(until)
    return transport.ask("/api/v1/averages", asked, _Averages).items


def gaps(
    transport: Transport, start: datetime, end: datetime, equipment_id: str | None
) -> Iterator[Gap]:
    asked: dict[str, str | int] = {"start": rfc3339(start), "end": rfc3339(end), "limit": PAGE}
    if equipment_id is not None:
        asked["equipmentId"] = equipment_id
    while True:
        page = transport.ask("/api/v1/gaps", asked, _Gaps)
        yield from page.items
        if page.next_cursor is None:
            return
        asked["cursor"] = page.next_cursor


def readings(
    transport: Transport, equipment_id: str, start: datetime, end: datetime
) -> Iterator[StoredReading]:
    asked: dict[str, str | int] = {
        "equipmentId": equipment_id,
        "start": rfc3339(start),
        "end": rfc3339(end),
        "limit": PAGE,
    }
    while True:
        page = transport.ask("/api/v1/readings", asked, _Readings)
        yield from page.items
        if page.next_cursor is None:
            return
        asked["cursor"] = page.next_cursor
