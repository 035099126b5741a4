"""The gap ledger: what is missing, what people did about it, and what came of it.

The store knows the gaps of this moment and those into which readings came; the registry keeps what
people marked. A gap's state follows from both whenever it is asked for, so it can never fall behind
a late, imported, corrected or undone reading.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import numpy as np

from pipewatcher.errors import NotPossible
from pipewatcher.gaps.closings import closings_of
from pipewatcher.gaps.gap import Closed, Gap, asked_until_of, invalid_gap, parse_id
from pipewatcher.gaps.incidents import Incident, incidents_of
from pipewatcher.gaps.picture import Picture
from pipewatcher.model.gaps import (
    Closing,
    GapColumns,
    GapMark,
    GapsMet,
    GapState,
    MarkState,
    MendedColumns,
)
from pipewatcher.model.time import NO_END, SECOND, Micros
from pipewatcher.ports import ReadingsStore, Registry

REQUEST_MAX = 100_000
"""Gaps in one request to a vendor."""
EVER = (-NO_END, NO_END)


class GapPage(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    items: list[Gap]
    next_cursor: str | None


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
                raise invalid_gap("ids", f"name 1 to {REQUEST_MAX} gaps; these are {len(gaps)}")
            gaps.sort(key=lambda gap: (gap.equipment_id, gap.start))
            # Before the marks: a crash in between leaves what is asked for again.
            await self._store.await_filling(
                [(gap.equipment_id, gap.start, now) for gap in gaps if gap.end is None]
            )
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
        return await asyncio.to_thread(incidents_of, columns, downtimes, now, limit)

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
        asked_until = asked_until_of(await self._registry.gap_marks())
        return await asyncio.to_thread(self._closings_of, columns, mended, asked_until, since)

    def _closings_of(
        self,
        columns: GapColumns,
        mended: MendedColumns,
        asked_until: frozenset[Micros],
        since: Micros,
    ) -> list[Closing]:
        """The last answer again while nothing has changed: it is asked for all the time."""
        parts = (columns.starts, columns.ends, mended.starts, mended.times)
        seen = (since, asked_until, *(zlib.crc32(part.tobytes()) for part in parts))
        if seen != self._closings[0]:
            self._closings = seen, closings_of(columns, mended, asked_until, since)
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


def _kept(state: GapState) -> MarkState:
    """A change of cause or note leaves what the person wanted as it was."""
    return state if state == "requested" else "accepted" if state == "accepted" else "open"


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
