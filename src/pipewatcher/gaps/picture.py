"""Gaps of one moment with what people marked and what came into them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipewatcher.errors import NotFound
from pipewatcher.gaps.causes import cause_of
from pipewatcher.gaps.gap import Closed, Gap, asked_until_of, gap_id_of, invalid_gap
from pipewatcher.model.gaps import (
    GAP_FACTOR,
    Cadence,
    Downtime,
    GapCause,
    GapColumns,
    GapMark,
    GapState,
    MendedColumns,
    expected_in_gap,
)
from pipewatcher.model.time import NO_END, Micros

_Column = npt.NDArray[np.int64]
_STATES: tuple[GapState, ...] = ("open", "requested", "partly_filled", "filled", "accepted")
REQUESTED, PARTLY, FILLED, ACCEPTED = range(1, 5)


class Picture:
    """Gaps, marks and what was mended at one moment, as columns: gaps of now first, then those
    that are filled."""

    def __init__(
        self,
        columns: GapColumns,
        mended: MendedColumns,
        marks: Sequence[GapMark],
        cadences: Mapping[str, Cadence],
        downtimes: Sequence[Downtime],
    ) -> None:
        self._downtimes = downtimes
        self._steps = cadences
        self._names = columns.equipment_ids
        codes = {name: code for code, name in enumerate(self._names)} if marks else {}
        self._codes = columns.codes.astype(np.int64)
        self._starts = columns.starts
        self._ends = columns.ends
        self._now_count = len(columns)
        self._marks = {
            (codes[mark.equipment_id], mark.start): mark
            for mark in marks
            if mark.equipment_id in codes
        }
        self._asked_until = asked_until_of(marks)
        self._states = np.zeros(self._now_count, np.int8)
        self._closed_by: dict[tuple[int, int], list[str]] = {}
        self._mended = mended
        if self._marks or len(mended):
            self._judge()

    def chosen(
        self, start: Micros | None, end: Micros | None, states: Sequence[GapState]
    ) -> npt.NDArray[np.intp]:
        wanted = np.ones(len(self._starts), bool)
        if start is not None:
            wanted &= self._ends > start
        if end is not None:
            wanted &= self._starts < end
        if states:
            wanted &= np.isin(self._states, [_STATES.index(state) for state in states])
        return np.flatnonzero(wanted)

    def newest(self, chosen: npt.NDArray[np.intp], limit: int) -> npt.NDArray[np.intp]:
        """The first so many of these gaps, newest first."""
        if len(chosen) > limit:
            starts = self._starts[chosen]
            chosen = chosen[starts >= np.partition(starts, -limit)[-limit]]
        order = np.lexsort((self._codes[chosen], -self._starts[chosen]))
        newest: npt.NDArray[np.intp] = chosen[order[:limit]]
        return newest

    def after(
        self, chosen: npt.NDArray[np.intp], equipment_id: str, start: Micros
    ) -> npt.NDArray[np.intp]:
        try:
            code = self._names.index(equipment_id)
        except ValueError as error:
            raise invalid_gap("cursor", "is not one that an answer gave") from error
        starts, codes = self._starts[chosen], self._codes[chosen]
        later: npt.NDArray[np.intp] = chosen[
            (starts < start) | ((starts == start) & (codes > code))
        ]
        return later

    def gap(self, at: int, now: Micros) -> Gap:
        code, start, end = int(self._codes[at]), int(self._starts[at]), int(self._ends[at])
        mark = self._marks.get((code, start))
        return Gap(
            id=gap_id_of(self._names[code], start),
            equipment_id=self._names[code],
            start=start,
            end=None if end == NO_END else end,
            expected=self._expected(code, start, min(end, now)),
            state=_STATES[self._states[at]],
            cause=(mark.cause if mark else None) or self._cause(code, start, min(end, now)),
            note=mark.note if mark else None,
            changed_by=mark.changed_by if mark else None,
            changed_at=mark.changed_at if mark else None,
            closed_by=self._closed_by.get((code, start), []),
        )

    def find(self, equipment_id: str, start: Micros, now: Micros) -> Gap:
        """Raises `NotFound`."""
        if equipment_id in self._names:
            code = self._names.index(equipment_id)
            found = np.flatnonzero((self._codes == code) & (self._starts == start))
            if len(found):
                return self.gap(int(found[0]), now)
        raise NotFound("There is no such gap (any more).")

    def closed_by(self, imports: Mapping[int, Micros], now: Micros) -> dict[int, Closed]:
        found = {import_id: Closed() for import_id in imports}
        met: dict[int, set[tuple[int, int]]] = {import_id: set() for import_id in imports}
        wanted = {f"import:{import_id}": import_id for import_id in imports}
        mended = self._mended
        for at, origin in enumerate(mended.origins):
            import_id = wanted.get(origin)
            if import_id is None:
                continue
            code, start, end = (int(c[at]) for c in (mended.codes, mended.starts, mended.ends))
            met[import_id].add((code, start))
            if self._is_whole(code, start, end):
                continue  # undone since
            left = self._left(code, start, end)
            gap = self._as_it_was(code, start, end, "filled" if not left else "partly_filled")
            (found[import_id].partly if left else found[import_id].closed).append(gap)
        asked = [(key, mark) for key, mark in self._marks.items() if mark.state == "requested"]
        for import_id, created_at in imports.items():
            for (code, start), mark in asked:
                if mark.changed_at >= created_at or (code, start) in met[import_id]:
                    continue
                if self._is_whole(code, start, mark.end):
                    gap = self._as_it_was(code, start, mark.end, "requested")
                    found[import_id].untouched.append(gap)
        return found

    def _as_it_was(self, code: int, start: int, end: int, state: GapState) -> Gap:
        return Gap(
            id=gap_id_of(self._names[code], start),
            equipment_id=self._names[code],
            start=start,
            end=end,
            expected=self._expected(code, start, end),
            state=state,
        )

    def _cause(self, code: int, start: int, end: int) -> GapCause | None:
        cadence = self._steps.get(self._names[code])
        step = cadence.effective if cadence else None
        return cause_of(self._downtimes, start, end, step) if step else None

    def _expected(self, code: int, start: int, end: int) -> int:
        cadence = self._steps.get(self._names[code])
        step = cadence.effective if cadence else None
        return expected_in_gap(start, end, step) if step else 0

    def _of(self, code: int) -> slice:
        """Where a sensor's gaps of now are."""
        codes = self._codes[: self._now_count]
        return slice(int(np.searchsorted(codes, code)), int(np.searchsorted(codes, code, "right")))

    def _left(self, code: int, start: int, end: int) -> int:
        """How much of `[start, end)` lies in gaps of now."""
        of = self._of(code)
        starts, ends = self._starts[of], self._ends[of]
        parts = np.minimum(ends, end) - np.maximum(starts, start)
        return int(parts[(parts > 0) & (starts < self._due(code, end))].sum())

    def _is_whole(self, code: int, start: int, end: int) -> bool:
        """Whether one gap of now has all of it: a reading inside splits a gap, also where both
        parts are gaps again."""
        of = self._of(code)
        return bool(((self._starts[of] <= start) & (self._ends[of] >= end)).any())

    def _due(self, code: int, end: int) -> int:
        """Where a span ends for the gaps that begin in it: see `asked_until_of`."""
        if end not in self._asked_until:
            return end
        cadence = self._steps.get(self._names[code])
        return end - GAP_FACTOR * ((cadence.effective if cadence else None) or 0)

    def _judge(self) -> None:
        """States of the gaps of now, and the ones that are filled."""
        spans: dict[int, list[tuple[int, int, str | None]]] = defaultdict(list)
        for (code, start), mark in self._marks.items():
            spans[code].append((start, mark.end, None if mark.state != "requested" else ""))
        mended = self._mended
        for code, start, end, origin in zip(
            mended.codes.tolist(), mended.starts.tolist(), mended.ends.tolist(), mended.origins,
            strict=True,
        ):  # fmt: skip
            spans[code].append((start, end, origin))
        filled: list[tuple[int, int, int]] = []
        for code, found in spans.items():
            of = self._of(code)
            filled += self._judge_sensor(code, of, sorted(found, key=lambda s: (s[0], -s[1])))
        if filled:
            columns = np.array(filled, np.int64)
            self._codes = np.concatenate([self._codes, columns[:, 0]])
            self._starts = np.concatenate([self._starts, columns[:, 1]])
            self._ends = np.concatenate([self._ends, columns[:, 2]])
            self._states = np.concatenate([self._states, np.full(len(filled), FILLED, np.int8)])

    def _judge_sensor(
        self, code: int, of: slice, spans: list[tuple[int, int, str | None]]
    ) -> list[tuple[int, int, int]]:
        starts, ends = self._starts[of], self._ends[of]
        states = self._states[of]
        filled: list[tuple[int, int, int]] = []
        reach = -NO_END
        for start, end, origin in spans:
            inside = first = int(np.searchsorted(starts, start))
            last = max(first, int(np.searchsorted(starts, self._due(code, end))))
            if first and ends[first - 1] > start:
                first -= 1  # what stood at its start was taken back
            if origin:
                self._note_closer(code, start, end, origin, starts[first:last], filled)
            if last == first:
                if origin is not None and end > reach:
                    filled.append((code, start, end))
                    reach = end
                continue
            whole = last - first == 1 and starts[first] <= start and ends[first] >= end
            mark = self._marks.get((code, start))
            if mark is not None and mark.state == "accepted" and origin is None:
                states[inside:last] = ACCEPTED
            elif whole and origin == "":
                states[first] = max(states[first], REQUESTED)
            elif not whole and origin is not None:
                part = states[first:last]
                part[part < PARTLY] = PARTLY
        return filled

    def _note_closer(
        self,
        code: int,
        start: int,
        end: int,
        origin: str,
        rest: _Column,
        filled: list[tuple[int, int, int]],
    ) -> None:
        """Under the gap that it was, or the one that it was a part of; and under what is left."""
        keys = [(code, int(at)) for at in rest]
        keys.append((code, start))
        keys += [(c, s) for c, s, e in filled if c == code and s <= start and end <= e]
        for key in dict.fromkeys(keys):
            origins = self._closed_by.setdefault(key, [])
            if origin not in origins:
                origins.append(origin)
