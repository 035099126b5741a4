"""What was rejected since ever: by the registry's counts, and by the receipts of imports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.rejections import Rejections
from waiting import eventually


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[SQLiteRegistry]:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    yield registry
    await registry.close()


class Process:
    """From a start to a stop or a crash."""

    def __init__(self, registry: SQLiteRegistry, imported: list[int]) -> None:
        self.counted: Counter[str] = Counter()
        self.rejections = Rejections(registry, self.counted, lambda: imported[0])

    async def start(self) -> None:
        await self.rejections.start()
        self._runs = asyncio.create_task(self.rejections.run())
        await asyncio.sleep(0)

    async def stop(self) -> None:
        self._runs.cancel()
        await asyncio.gather(self._runs, return_exceptions=True)


async def test_rejections_go_on_from_what_earlier_processes_counted(
    registry: SQLiteRegistry,
) -> None:
    imported = [40]
    first = Process(registry, imported)
    await first.start()
    first.counted["http"] += 3
    imported[0] += 2
    assert first.rejections.ever() == {"http": 3, "import": 42}
    assert first.rejections.since_start() == {"http": 3, "import": 2}
    await first.stop()
    second = Process(registry, imported)
    await second.start()
    second.counted.update({"http": 1, "mqtt": 5})
    # The file of an import that goes on is read from its first row.
    imported[0] -= 2
    assert second.rejections.ever() == {"http": 4, "mqtt": 5, "import": 40}
    assert second.rejections.since_start() == {"http": 1, "mqtt": 5}
    await second.stop()
    # Of imports the registry keeps no second count.
    assert await registry.rejected() == {"http": 4, "mqtt": 5}


async def test_a_crash_loses_at_most_what_was_rejected_since_the_last_second(
    registry: SQLiteRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipewatcher.rejections.INTERVAL_S", 0.01)
    killed = Process(registry, [0])
    await killed.start()
    killed.counted["mqtt-broker"] += 7

    async def are_kept() -> bool:
        return await registry.rejected() == {"mqtt-broker": 7}

    await eventually(are_kept)
    later = Process(registry, [0])
    await later.start()
    assert later.rejections.ever() == {"mqtt-broker": 7}
    assert later.rejections.since_start() == {}
    for process in (killed, later):
        await process.stop()
