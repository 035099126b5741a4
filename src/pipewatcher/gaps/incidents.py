"""Gaps of many sensors that begin and end together."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from pipewatcher.gaps.causes import cause_of
from pipewatcher.model.gaps import Downtime, GapCause, GapColumns, expected_in_gap
from pipewatcher.model.time import NO_END, SECOND, Micros

INCIDENT_SENSORS_MIN = 3
INCIDENT_GRID_MIN: Micros = 30 * SECOND
_Column = npt.NDArray[np.int64]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of several sensors that begin and end together; or a gap that is alone."""

    start: Micros
    end: Micros | None
    equipment_ids: list[str]
    expected: int
    cause: GapCause | None
    """`downtime`, or not known."""


def incidents_of(
    columns: GapColumns, downtimes: Sequence[Downtime], now: Micros, limit: int
) -> tuple[int, list[Incident]]:
    if not len(columns):
        return 0, []
    ends = np.minimum(columns.ends, now)
    together = _together(columns.starts, ends, columns.cadences)
    order = np.lexsort((columns.codes, together))
    firsts = np.flatnonzero(np.diff(together[order], prepend=together[order[0]] - 1))
    begins = np.minimum.reduceat(columns.starts[order], firsts)
    groups = np.split(order, firsts[1:])
    found = []
    for number in np.argsort(-begins, kind="stable")[:limit].tolist():
        members = groups[number]
        last = int(columns.ends[members].max())
        spans = list(zip(
            columns.starts[members].tolist(), ends[members].tolist(),
            columns.cadences[members].tolist(), strict=True,
        ))  # fmt: skip
        found.append(
            Incident(
                start=int(begins[number]),
                end=None if last == NO_END else last,
                equipment_ids=[columns.equipment_ids[c] for c in columns.codes[members].tolist()],
                expected=sum(expected_in_gap(*span) for span in spans),
                cause=cause_of(downtimes, *spans[0]),
            )
        )
    return len(groups), found


def _together(starts: _Column, ends: _Column, cadences: _Column) -> _Column:
    """The same number for gaps that are one incident. They are put into cells of a grid by start
    and end: what belongs together lies within a cadence, half a cell, of each other, so one of
    four grids, moved by halves, has it in one cell."""
    cell = 2 * np.maximum(cadences, INCIDENT_GRID_MIN)
    many = np.zeros(len(starts), np.int64)
    group = np.zeros(len(starts), np.int64)
    for number, (a, b) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        # A hash of the cell, wrapping around: that two of them meet is no practical chance.
        mixed = (starts + a * cell // 2) // cell * 0x9E3779B97F4A7C1
        mixed += (ends + b * cell // 2) // cell * 0x2545F4914F6CDD1D + cell * 0x632BE59BD9B4E019
        _, key, counts = np.unique(mixed, return_inverse=True, return_counts=True)
        better = counts[key] > many
        many[better] = counts[key][better]
        group[better] = key[better] * 4 + number
    alone = many < INCIDENT_SENSORS_MIN
    group[alone] = -1 - np.arange(len(starts))[alone]
    return group
