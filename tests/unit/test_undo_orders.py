"""Five imports that overlap each other and live readings, undone in every order: after each undo
the store answers like one that never saw what was undone."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from contract.readings_suite import NOON, batches_of
from oracle import Write
from pipewatcher.model.time import DAY, HOUR, MINUTE
from pipewatcher.readings.duckdb import DuckDBStore

IMPORTS = (1, 2, 3, 4, 5)
ORDERS = int(os.environ.get("PIPEWATCHER_TEST_UNDO_ORDERS", "10"))
"""Of the 120; `=120` is the long run."""

pytestmark = pytest.mark.slow


def history(rng: random.Random) -> list[list[Write]]:
    """Live readings before, between and after the imports. Values are quarters: their sums are
    exact in any order, so that answers can be compared bit by bit."""

    def some(origin: str, count: int) -> list[Write]:
        return [
            Write(
                rng.choice(["EQ-1", "EQ-2", "EQ-3"]),
                NOON - rng.randrange(400) * 20 * MINUTE,
                rng.randrange(-40, 40) / 4,
                origin,
            )
            for _ in range(count)
        ]

    steps = [some("http:a", 300)]
    for number in IMPORTS:
        steps += [some(f"import:{number}", 400), some("mqtt:b", 40)]
    return steps


async def opened(folder: Path) -> DuckDBStore:
    store = DuckDBStore(folder / "readings.duckdb", memory_mb=256)
    await store.open()
    return store


async def made(folder: Path, steps: list[list[Write]], without: frozenset[int]) -> DuckDBStore:
    gone = {f"import:{number}" for number in without}
    store = await opened(folder)
    for position, step in enumerate(steps, start=1):
        if step[0].origin not in gone:
            await store.append(batches_of(step), {0: position})
            if position % 3:
                await store.settle()
    await store.settle()
    return store


async def answers(store: DuckDBStore) -> Any:
    names = ["EQ-1", "EQ-2", "EQ-3"]
    spans = [(NOON - span, NOON + 1) for span in (HOUR, DAY, 7 * DAY)]
    return [
        sorted(await store.averages(*span), key=lambda row: row.equipment_id) for span in spans
    ] + [
        [await store.series(names, *spans[-1], width) for width in (5 * MINUTE, HOUR, DAY)],
        [await store.readings(name, NOON - 8 * DAY, NOON + 1, 10_000) for name in names],
        (await store.stats()).readings,
    ]


async def test_undone_in_any_order_they_were_never_there(tmp_path: Path) -> None:
    rng = random.Random(6)
    steps = history(rng)
    expected: dict[frozenset[int], Any] = {}
    for count in range(len(IMPORTS) + 1):
        for gone in itertools.combinations(IMPORTS, count):
            folder = tmp_path / ("".join(map(str, gone)) or "all")
            store = await made(folder, steps, frozenset(gone))
            expected[frozenset(gone)] = await answers(store)
            await store.close()
    orders = list(itertools.permutations(IMPORTS))
    for order in rng.sample(orders, ORDERS):
        folder = tmp_path / "undoing"
        folder.mkdir()
        shutil.copy(tmp_path / "all" / "readings.duckdb", folder)
        store = await opened(folder)
        try:
            for done, number in enumerate(order, start=1):
                await store.undo(number)
                assert await answers(store) == expected[frozenset(order[:done])], order[:done]
        finally:
            await store.close()
        shutil.rmtree(folder)
