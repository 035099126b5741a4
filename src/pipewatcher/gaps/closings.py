"""What has been filled, for who is to be told of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from pipewatcher.model.gaps import GAP_FACTOR, Closing, GapColumns, MendedColumns
from pipewatcher.model.readings import IMPORT_ORIGIN_PREFIX
from pipewatcher.model.time import DAY, Micros


def closings_of(
    columns: GapColumns, mended: MendedColumns, asked_until: frozenset[Micros], since: Micros
) -> list[Closing]:
    ends = _due(columns, mended, asked_until)
    filled = np.flatnonzero((mended.times >= since) & ~_touched(columns, mended, ends))
    counts: Counter[tuple[str, int]] = Counter()
    sensors: dict[tuple[str, int], str] = {}
    days = (mended.times // DAY).tolist()
    for at in filled.tolist():
        origin = mended.origins[at]
        key = origin, 0 if origin.startswith(IMPORT_ORIGIN_PREFIX) else days[at]
        counts[key] += 1
        sensors[key] = mended.equipment_ids[mended.codes[at]]
    return [
        Closing(
            origin=origin,
            day=day,
            count=count,
            equipment_id=sensors[origin, day] if count == 1 else None,
        )
        for (origin, day), count in counts.items()
    ]


def _due(
    columns: GapColumns, mended: MendedColumns, asked_until: frozenset[Micros]
) -> npt.NDArray[np.int64]:
    """Where each mended span ends for a gap of now: see `asked_until_of`."""
    holds = np.zeros(len(columns.equipment_ids), np.int64)
    holds[columns.codes] = GAP_FACTOR * columns.cadences
    asked = np.isin(mended.ends, list(asked_until))
    due: npt.NDArray[np.int64] = mended.ends - np.where(asked, holds[mended.codes], 0)
    return due


def _touched(
    columns: GapColumns, mended: MendedColumns, ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which of the mended spans, up to `ends`, a gap of now overlaps: it would be the last one that
    begins before their end."""
    if not len(columns):
        return np.zeros(len(mended), bool)
    instants = np.concatenate([columns.starts, ends])
    ranks = np.unique(instants, return_inverse=True)[1].astype(np.int64)
    codes = np.concatenate([columns.codes, mended.codes]).astype(np.int64)
    keys = codes * len(instants) + ranks
    order = np.argsort(keys[: len(columns)], kind="stable")
    place = np.searchsorted(keys[: len(columns)][order], keys[len(columns) :]) - 1
    found = order[np.maximum(place, 0)]
    same = (place >= 0) & (columns.codes[found] == mended.codes)
    touched: npt.NDArray[np.bool_] = same & (columns.ends[found] > mended.starts)
    return touched
