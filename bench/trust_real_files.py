"""The gap ledger on real files: equal to a brute-force pass, and closed exactly by what was lost.

The file is imported without 30 random spans, each inside a stretch that has no gap; then the spans
come back as another import.

    python bench/trust_real_files.py machine_temperature.csv pump_loop.csv
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipewatcher.gaps.ledger import GapLedger
from pipewatcher.model.gaps import GAP_FACTOR
from pipewatcher.model.readings import Batch, ImportBlock
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.sources.csv_reader import CsvReader
from pipewatcher.sources.csv_rows import RowRules
from pipewatcher.validate import EventTimeBounds

SPANS = 30
RULES = RowRules(bounds=EventTimeBounds(latest=2**62))


@dataclass(frozen=True)
class Span:
    """From the reading before it to the one after it."""

    sensor: str
    start: int
    end: int


def read(path: Path) -> dict[str, dict[int, float]]:
    """By sensor and time; the last write stands."""
    found: dict[str, dict[int, float]] = {}
    with path.open("rb") as file:
        for block in CsvReader(file, RULES):
            batch = block.batch("import:1")
            for code, instant, value in zip(
                batch.codes.tolist(), batch.event_times.tolist(), batch.values.tolist(), strict=True
            ):
                found.setdefault(batch.equipment_ids[code], {})[instant] = value
    return found


def batch_of(rows: list[tuple[str, int, float]], import_id: int) -> Batch:
    names = sorted({name for name, _, _ in rows})
    codes = {name: code for code, name in enumerate(names)}
    return Batch(
        equipment_ids=names,
        codes=np.array([codes[name] for name, _, _ in rows], np.uint32),
        event_times=np.array([instant for _, instant, _ in rows], np.int64),
        values=np.array([value for _, _, value in rows]),
        origins=[f"import:{import_id}"],
        block=ImportBlock(import_id=import_id, block=0),
    )


def gaps_of(times: Iterable[int], cadence: int) -> set[tuple[int, int]]:
    pairs = itertools.pairwise(sorted(times))
    return {(a, b) for a, b in pairs if b - a > GAP_FACTOR * cadence}


def lose(
    readings: dict[str, dict[int, float]], cadences: dict[str, int], chance: random.Random
) -> list[Span]:
    """Spans that become gaps of their own, apart from each other and from those that are there."""
    spans: list[Span] = []
    times = {name: sorted(some) for name, some in readings.items()}
    taken: dict[str, set[int]] = {name: set() for name in readings}
    while len(spans) < SPANS:
        name = chance.choice(sorted(times))
        some, cadence = times[name], cadences[name]
        length = chance.randrange(5, 60)
        first = chance.randrange(1, len(some) - length - 1)
        around = range(first - 1, first + length + 2)
        near = some[first - 1 : first + length + 2]
        if taken[name] & set(around) or gaps_of(near, cadence):
            continue
        start, end = some[first], some[first + length]
        if end - start > GAP_FACTOR * cadence:
            taken[name] |= set(around)
            spans.append(Span(name, start, end))
    return spans


async def prove(path: Path, seed: int) -> None:
    readings = read(path)
    rows = sum(len(some) for some in readings.values())
    newest = max(max(some) for some in readings.values())
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        store = DuckDBStore(Path(folder) / "readings.duckdb")
        registry = SQLiteRegistry(Path(folder) / "registry.sqlite")
        await store.open()
        await registry.open()

        async def fresh() -> None: ...

        async def listed(*states: str) -> set[Span]:
            page = await ledger.gaps(states=states, limit=1_000_000)
            return {Span(g.equipment_id, g.start, g.end) for g in page.items if g.end is not None}

        ledger = GapLedger(store, registry, fresh, lambda: newest / 1e6)
        whole = [(name, t, v) for name, some in readings.items() for t, v in some.items()]
        # First everything, to know each cadence as it is learned; it is then set, so that what is
        # taken out cannot move it.
        await store.append([batch_of(whole, 1)], {0: 1})
        await store.settle()
        cadences = {name: c.effective for name, c in (await store.cadences()).items()}
        known = {name: step for name, step in cadences.items() if step is not None}
        await store.set_cadences(known)
        brute = {
            Span(name, *gap)
            for name, step in known.items()
            for gap in gaps_of(readings[name], step)
        }
        assert await listed("open") == brute, "the ledger is not what a pass over the file finds"
        spans = lose({name: readings[name] for name in known}, known, chance)
        await store.undo(1)
        lost = [
            row
            for row in whole
            if any(row[0] == s.sensor and s.start < row[1] < s.end for s in spans)
        ]
        gone = {(name, instant) for name, instant, _ in lost}
        kept = [row for row in whole if row[:2] not in gone]
        await store.append([batch_of(kept, 2)], {0: 2})
        await store.settle()
        assert await listed("open") == brute | set(spans), (
            "what was taken out is not what is missed"
        )
        began = time.perf_counter()
        await store.append([batch_of(lost, 3)], {0: 3})
        await store.settle()
        took = time.perf_counter() - began
        assert await listed("open") == brute, "a gap is left, or one too many was closed"
        closed = await ledger.closed_by(3, newest)
        assert {Span(g.equipment_id, g.start, g.end or 0) for g in closed.closed} == set(spans)
        assert not closed.partly
        await registry.close()
        await store.close()
    print(
        f"{path.name}: {rows:,} readings of {len(readings)} sensors, {len(brute):,} gaps as by "
        f"brute force; {len(spans)} spans ({len(lost):,} readings) taken out, listed, and closed "
        f"by their import in {1e3 * took:.0f} ms"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--seed", type=int, default=4)
    given = arguments.parse_args()
    for path in given.files:
        asyncio.run(prove(path, given.seed))


if __name__ == "__main__":
    main()
