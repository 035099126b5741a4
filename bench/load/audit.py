"""The loss audit: every acknowledgement beside what is stored, by the public API alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from plan import sensor, text_of, values_of
from system import System

PAGE = 10_000
WINDOW = "60d"


@dataclass
class Ledger:
    """Of all phases: each connection's ranges that were sent, and what was not acknowledged."""

    begin_s: int
    next: int = 0
    """Number of the first reading of the next phase."""
    sent: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    not_acknowledged: dict[int, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, first: int, found: Any) -> None:
        """Of one phase, as the generator wrote it."""
        for connection, number in enumerate(found["next"].tolist()):
            if number > first:
                self.sent[connection].append((first, number))
                self.next = max(self.next, number)
        for connection, number, readings in found["not_acknowledged"].tolist():
            self.not_acknowledged[connection].append((number, number + readings))

    def acknowledged(self, connection: int) -> np.ndarray:
        sent = _numbers(self.sent[connection])
        return np.setdiff1d(sent, self.uncertain(connection), assume_unique=True)

    def uncertain(self, connection: int) -> np.ndarray:
        return _numbers(self.not_acknowledged.get(connection, ()))


@dataclass
class Found:
    """Readings. `lost`: acknowledged, not stored, or with another value. `doubled`: stored more
    than once. `unasked`: stored, though never sent. `kept`: stored, though not acknowledged, which
    is allowed: the sender does not know and sends again."""

    sensors: int = 0
    acknowledged: int = 0
    uncertain: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    unasked: int = 0
    kept: int = 0


def _numbers(ranges: Iterable[tuple[int, int]]) -> np.ndarray:
    parts = [np.arange(start, end) for start, end in ranges]
    return np.concatenate(parts) if parts else np.array([], dtype=np.int64)


class _Reading(msgspec.Struct):
    timestamp: str
    value: float


class _Page(msgspec.Struct, rename="camel"):
    items: list[_Reading]
    next_cursor: str | None


_decode = msgspec.json.Decoder(_Page).decode


def by_counts(system: System, ledger: Ledger) -> Found:
    """Per sensor the number of readings and their mean, both of the acknowledged ones alone. What
    is stored can only be what was sent; were a refused reading stored in the place of a lost one,
    their values would show in the mean. Sensors that differ are compared reading by reading."""
    means = {item["equipmentId"]: item for item in averages(system)}
    found = Found()
    for connection in ledger.sent:
        numbers = ledger.acknowledged(connection)
        item = means.get(sensor(connection), {"count": 0, "mean": None})
        mean = float(values_of(connection, numbers).mean()) if len(numbers) else None
        same = item["count"] == len(numbers) and (
            mean is None or abs(item["mean"] - mean) < 1e-10 * mean
        )
        if same:
            found.sensors += 1
            found.acknowledged += len(numbers)
            found.stored += len(numbers)
            found.uncertain += len(ledger.uncertain(connection))
        else:
            _compare(system, ledger, connection, found)
    return found


def by_readings(system: System, ledger: Ledger, sensors: int | None = None) -> Found:
    """Reading by reading: every sensor, or so many evenly over all."""
    found = Found()
    every = 1 if sensors is None else max(1, len(ledger.sent) // sensors)
    for connection in sorted(ledger.sent)[::every]:
        _compare(system, ledger, connection, found)
    return found


def averages(system: System) -> list[dict[str, Any]]:
    answer = system.ask("/api/v1/averages", window=WINDOW, limit=20_000)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def stored_with_prefix(system: System, prefix: str) -> int:
    return sum(item["count"] for item in averages(system) if item["equipmentId"].startswith(prefix))


def _compare(system: System, ledger: Ledger, connection: int, found: Found) -> None:
    acknowledged, uncertain = ledger.acknowledged(connection), ledger.uncertain(connection)
    times, values = _stored(system, ledger, connection)
    numbers, counts = np.unique(times - ledger.begin_s, return_counts=True)
    first = np.unique(times, return_index=True)[1]
    right = np.abs(values[first] - values_of(connection, numbers)) < 5e-3 if len(first) else first
    good = numbers[np.asarray(right, dtype=bool)]
    found.sensors += 1
    found.acknowledged += len(acknowledged)
    found.uncertain += len(uncertain)
    found.stored += len(times)
    found.lost += len(np.setdiff1d(acknowledged, good))
    found.doubled += int((counts - 1).sum())
    found.kept += len(np.intersect1d(uncertain, numbers))
    found.unasked += len(np.setdiff1d(numbers, np.concatenate([acknowledged, uncertain])))


def _stored(system: System, ledger: Ledger, connection: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since the epoch, and values."""
    times: list[float] = []
    values: list[float] = []
    cursor: str | None = None
    query = {
        "equipmentId": sensor(connection),
        "start": text_of(ledger.begin_s - 86_400),
        "end": text_of(int(datetime.now(UTC).timestamp()) + 86_400),
        "limit": str(PAGE),
    }
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = _decode(system.ask("/api/v1/readings", **query, **more).content)
        times += [datetime.fromisoformat(item.timestamp).timestamp() for item in page.items]
        values += [item.value for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return np.array(times, dtype=np.int64), np.array(values)
