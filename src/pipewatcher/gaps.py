"""The gap ledger: what is missing, what people did about it, and what came of it.

The store knows the gaps of this moment and those into which readings came; the registry keeps what
people marked. A gap's state follows from both whenever it is asked for, so it can never fall behind
a late, imported, corrected or undone reading.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import bisect
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from pipewatcher.errors import InvalidRequest, NotFound, NotPossible
from pipewatcher.model import (
    DAY,
    IMPORT_ORIGIN_PREFIX,
    MINUTE,
    NO_END,
    SECOND,
    Cadence,
    Closing,
    Downtime,
    GapCause,
    GapColumns,
    GapMark,
    GapsMet,
    GapState,
    MarkState,
    MendedColumns,
    Micros,
    Rejection,
    expected_in_gap,
)
from pipewatcher.ports import ReadingsStore, Registry

REQUEST_MAX = 100_000
"""Gaps in one request to a vendor."""
INCIDENT_SENSORS_MIN = 3
INCIDENT_GRID_MIN: Micros = 30 * SECOND
SENDERS_BACK: Micros = MINUTE
"""How long after a downtime senders may take to connect again."""
EVER = (-NO_END, NO_END)

_Column = npt.NDArray[np.int64]


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


class GapPage(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    items: list[Gap]
    next_cursor: str | None


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of several sensors that begin and end together; or a gap that is alone."""

    start: Micros
    end: Micros | None
    equipment_ids: list[str]
    expected: int
    cause: GapCause | None
    """`downtime`, or not known."""


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


class GapLedger:
    def __init__(
        self,
        store: ReadingsStore,
        registry: Registry,
        fresh: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._registry = registry
        self._fresh = fresh
        self._clock = clock
        self._marking = asyncio.Lock()
        self._closings: tuple[object, list[Closing]] = (None, [])

    @property
    def available(self) -> bool:
        return self._store.features.cadences

    async def gaps(
        self,
        start: Micros | None = None,
        end: Micros | None = None,
        *,
        equipment_ids: Sequence[str] | None = None,
        states: Sequence[GapState] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> GapPage:
        """Those that overlap `[start, end)`, newest first; no states: all. Raises `NotPossible`,
        `InvalidRequest`."""
        after = None if cursor is None else parse_id(cursor, "cursor")
        now, picture = await self._picture(equipment_ids)

        def page() -> GapPage:
            chosen = picture.chosen(start, end, states)
            total = len(chosen)
            if after is not None:
                chosen = picture.after(chosen, *after)
            newest = picture.newest(chosen, limit)
            items = [picture.gap(at, now) for at in newest.tolist()]
            more = len(chosen) > limit
            return GapPage(
                total=total, items=items, next_cursor=items[-1].id if more and items else None
            )

        return await asyncio.to_thread(page)

    async def change(
        self,
        gap_id: str,
        by: str,
        *,
        state: MarkState | None = None,
        changes: Mapping[str, str | None],
    ) -> Gap:
        """`state`: `accepted`, or `open` again; `changes`: cause and note. Raises `NotFound` for
        a gap that is not there (any more), `NotPossible`."""
        equipment_id, start = parse_id(gap_id)
        async with self._marking:
            now, picture = await self._picture([equipment_id])
            gap = picture.find(equipment_id, start, now)
            mark = GapMark(
                equipment_id=equipment_id,
                start=start,
                end=now if gap.end is None else gap.end,
                state=state or _kept(gap.state),
                cause=gap.cause,
                note=gap.note,
                changed_by=by,
                changed_at=now,
            )
            await self._registry.save_gap_marks([msgspec.structs.replace(mark, **changes)])
        _, picture = await self._picture([equipment_id])
        return picture.find(equipment_id, start, now)

    async def request(
        self, by: str, *, ids: Sequence[str] | None = None, source: str | None = None
    ) -> list[Gap]:
        """Marks these gaps as requested, or all that are open (of the sensors of a source), oldest
        first. Raises `NotFound` for one that is not there, `InvalidRequest` for more than 100,000
        or none, `NotPossible`."""
        async with self._marking:
            now, picture = await self._picture()
            if ids is not None:
                gaps = [
                    picture.find(*parse_id(gap_id, "ids"), now) for gap_id in dict.fromkeys(ids)
                ]
            else:
                gaps = await self._open_gaps(picture, source, now)
            if not 1 <= len(gaps) <= REQUEST_MAX:
                raise _invalid("ids", f"name 1 to {REQUEST_MAX} gaps; these are {len(gaps)}")
            gaps.sort(key=lambda gap: (gap.equipment_id, gap.start))
            await self._registry.save_gap_marks(
                [
                    GapMark(
                        equipment_id=gap.equipment_id,
                        start=gap.start,
                        end=now if gap.end is None else gap.end,
                        state="requested",
                        cause=gap.cause,
                        note=gap.note,
                        changed_by=by,
                        changed_at=now,
                    )
                    for gap in gaps
                ]
            )
        return gaps

    async def incidents(
        self, start: Micros, end: Micros, limit: int = 100
    ) -> tuple[int, list[Incident]]:
        """How many lines tell what is missing in `[start, end)`, and the newest of them: gaps of
        three and more sensors that begin and end together are one. Raises `NotPossible`."""
        self._check_possible()
        await self._fresh()
        now = int(self._clock() * SECOND)
        columns, _ = await self._store.gaps(start, end, now)
        downtimes = await self._registry.downtimes()
        return await asyncio.to_thread(_incidents, columns, downtimes, now, limit)

    async def coverage(self, start: Micros, end: Micros, parts: int) -> list[float] | None:
        """The share of the plant's sensor time outside gaps in each of `parts` equal pieces of
        `[start, end)`; None while no sensor has a cadence. Raises `NotPossible`."""
        self._check_possible()
        await self._fresh()
        now = int(self._clock() * SECOND)
        cadences = await self._store.cadences()
        sensors = sum(1 for cadence in cadences.values() if cadence.effective is not None)
        if not sensors:
            return None
        columns, _ = await self._store.gaps(start, end, now)
        return await asyncio.to_thread(_coverage, columns, start, min(end, now), parts, sensors)

    async def closed_by(self, import_id: int, created_at: Micros) -> Closed:
        """What an import came into, and what had been requested before it and is still whole."""
        return (await self.closed_by_each({import_id: created_at}))[import_id]

    async def closed_by_each(self, imports: Mapping[int, Micros]) -> dict[int, Closed]:
        now, picture = await self._picture()
        return await asyncio.to_thread(picture.closed_by, imports, now)

    async def met_by(self, imports: Mapping[int, Micros]) -> dict[int, GapsMet]:
        """Of each that is named with its `created_at`. Empty where gaps are not known."""
        if not imports or not self.available:
            return {}
        found = await self.closed_by_each(imports)
        return {import_id: closed.counts() for import_id, closed in found.items()}

    async def closings(self, since: Micros) -> list[Closing]:
        """What has been filled by readings of which the first came at `since` or later. Empty where
        gaps are not known."""
        if not self.available:
            return []
        await self._fresh()
        columns, mended = await self._store.gaps(*EVER, int(self._clock() * SECOND))
        return await asyncio.to_thread(self._closings_of, columns, mended, since)

    def _closings_of(
        self, columns: GapColumns, mended: MendedColumns, since: Micros
    ) -> list[Closing]:
        """The last answer again while nothing has changed: it is asked for all the time."""
        parts = (columns.starts, columns.ends, mended.starts, mended.times)
        seen = (since, *(zlib.crc32(part.tobytes()) for part in parts))
        if seen != self._closings[0]:
            self._closings = seen, _closings(columns, mended, since)
        return self._closings[1]

    async def _open_gaps(self, picture: Picture, source: str | None, now: Micros) -> list[Gap]:
        chosen = picture.chosen(None, None, ("open", "partly_filled"))
        gaps = [picture.gap(at, now) for at in chosen.tolist()]
        if source is None:
            return gaps
        named = {s.equipment_id for s in await self._registry.sensors() if s.source == source}
        return [gap for gap in gaps if gap.equipment_id in named]

    async def _picture(self, equipment_ids: Sequence[str] | None = None) -> tuple[Micros, Picture]:
        self._check_possible()
        await self._fresh()
        now = int(self._clock() * SECOND)
        columns, mended = await self._store.gaps(*EVER, now, equipment_ids)
        cadences = await self._store.cadences()
        marks = await self._registry.gap_marks()
        downtimes = await self._registry.downtimes()
        if equipment_ids is not None:
            marks = [mark for mark in marks if mark.equipment_id in equipment_ids]
        return now, await asyncio.to_thread(Picture, columns, mended, marks, cadences, downtimes)

    def _check_possible(self) -> None:
        if not self.available:
            raise NotPossible("This readings store does not learn cadences: gaps are not known.")


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
            raise _invalid("cursor", "is not one that an answer gave") from error
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
            left = self._left(code, start, end)
            if left == end - start:
                continue  # undone since
            gap = self._as_it_was(code, start, end, "filled" if not left else "partly_filled")
            (found[import_id].partly if left else found[import_id].closed).append(gap)
        asked = [(key, mark) for key, mark in self._marks.items() if mark.state == "requested"]
        for import_id, created_at in imports.items():
            for (code, start), mark in asked:
                if mark.changed_at >= created_at or (code, start) in met[import_id]:
                    continue
                if self._left(code, start, mark.end) == mark.end - start:
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
        return _cause(self._downtimes, start, end, step) if step else None

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
        return int(parts[parts > 0].sum())

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
            first = int(np.searchsorted(starts, start))
            last = int(np.searchsorted(starts, end))
            if origin:
                self._note_closer(code, start, end, origin, starts[first:last], filled)
            if last == first:
                if origin is not None and end > reach:
                    filled.append((code, start, end))
                    reach = end
                continue
            whole = last - first == 1 and starts[first] == start and ends[first] >= end
            mark = self._marks.get((code, start))
            if mark is not None and mark.state == "accepted" and origin is None:
                states[first:last] = ACCEPTED
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


_STATES: tuple[GapState, ...] = ("open", "requested", "partly_filled", "filled", "accepted")
REQUESTED, PARTLY, FILLED, ACCEPTED = range(1, 5)


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
        raise _invalid(where, "is not one that an answer gave") from error


def _kept(state: GapState) -> MarkState:
    """A change of cause or note leaves what the person wanted as it was."""
    return state if state == "requested" else "accepted" if state == "accepted" else "open"


def _invalid(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{name} {reason}", [Rejection(field=name, reason=reason)])


def _closings(columns: GapColumns, mended: MendedColumns, since: Micros) -> list[Closing]:
    filled = np.flatnonzero((mended.times >= since) & ~_touched(columns, mended))
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


def _touched(columns: GapColumns, mended: MendedColumns) -> npt.NDArray[np.bool_]:
    """Which of the mended spans a gap of now overlaps: it would be the last one that begins before
    their end."""
    if not len(columns):
        return np.zeros(len(mended), bool)
    instants = np.concatenate([columns.starts, mended.ends])
    ranks = np.unique(instants, return_inverse=True)[1].astype(np.int64)
    codes = np.concatenate([columns.codes, mended.codes]).astype(np.int64)
    keys = codes * len(instants) + ranks
    order = np.argsort(keys[: len(columns)], kind="stable")
    place = np.searchsorted(keys[: len(columns)][order], keys[len(columns) :]) - 1
    found = order[np.maximum(place, 0)]
    same = (place >= 0) & (columns.codes[found] == mended.codes)
    touched: npt.NDArray[np.bool_] = same & (columns.ends[found] > mended.starts)
    return touched


def _coverage(
    columns: GapColumns, start: Micros, end: Micros, parts: int, sensors: int
) -> list[float]:
    edges = np.linspace(start, end, parts + 1)
    starts = np.clip(columns.starts, start, end)
    ends = np.clip(columns.ends, start, end)
    # What is missing up to each edge; the differences are what is missing between two.
    missing = np.array([np.clip(edge - starts, 0, ends - starts).sum() for edge in edges])
    share = np.diff(missing) / ((end - start) / parts * sensors)
    found: list[float] = (1 - np.clip(share, 0, 1)).tolist()
    return found


def _cause(
    downtimes: Sequence[Downtime], start: Micros, end: Micros, cadence: Micros
) -> GapCause | None:
    """`downtime` when nothing is missing but what was due while we were away, and until the senders
    were back. Downtimes with nothing due between them are one."""
    first = start + cadence
    at = bisect.bisect_right(downtimes, first, key=lambda downtime: downtime.start) - 1
    if at < 0:
        return None
    back = downtimes[at].end
    for later in downtimes[at + 1 :]:
        if later.start > back + cadence + SENDERS_BACK:
            break
        back = later.end
    return "downtime" if end - cadence <= back + SENDERS_BACK else None


def _incidents(
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
                cause=_cause(downtimes, *spans[0]),
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
