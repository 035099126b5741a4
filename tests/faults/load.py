"""Load by all doors, until the faults are over."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Sequence

from faults.doors import Door
from faults.edits import Editor
from faults.imports import Importer
from faults.ledger import Key, Ledger
from workload import instant

KEYS = 300
"""Instants of a sensor that are overwritten again and again."""
PAUSE_S = 0.02


@contextlib.asynccontextmanager
async def load(
    doors: Sequence[Door],
    importer: Importer,
    editor: Editor,
    ledger: Ledger,
    rng: random.Random,
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The senders; what one of them found wrong ends it, and is raised at the end."""
    numbers = itertools.count(1)
    tasks = [
        asyncio.create_task(_send(door, sensor_of(n, door), ledger, numbers))
        for n, door in enumerate(doors)
    ]
    tasks += [asyncio.create_task(importer.run(rng)), asyncio.create_task(editor.run())]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        endings = await asyncio.gather(*tasks, return_exceptions=True)
        for door in doors:
            await door.close()
        for ending in endings:
            assert isinstance(ending, asyncio.CancelledError), f"answered wrongly: {ending!r}"


def sensor_of(number: int, door: Door) -> str:
    """What the scene's door of that number sends readings of, and no other does."""
    return f"{door.name}-{number}".replace(" ", "-")


async def _send(door: Door, sensor: str, ledger: Ledger, numbers: itertools.count[int]) -> None:
    for keys in _keys(sensor, door.size, ledger):
        value = float(next(numbers))
        readings = [(key, value) for key in keys]
        ledger.sent(readings)
        while not await door.deliver(readings):
            ledger.unanswered(readings)
            await asyncio.sleep(0.1)
        ledger.acked(door.name, readings)
        await asyncio.sleep(PAUSE_S)


def _keys(sensor: str, size: int, ledger: Ledger) -> Iterator[list[Key]]:
    """For ever, `size` at a time: the same instants over and over, but no spent one."""
    live = [(sensor, instant(n)) for n in range(KEYS)]
    fresh = (instant(n) for n in itertools.count(KEYS))
    at = 0
    while True:
        live = [key if key not in ledger.spent else (sensor, next(fresh)) for key in live]
        yield [live[(at + n) % KEYS] for n in range(size)]
        at += size
