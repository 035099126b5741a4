"""What lies between the last mark and being ready again is a downtime, whatever ended the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipewatcher.errors import StoreUnavailable
from pipewatcher.model.gaps import Downtime
from pipewatcher.model.time import SECOND
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.uptime import Uptime


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[SQLiteRegistry]:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    yield registry
    await registry.close()


async def run_until(uptime: Uptime, mark: Path, instant: int) -> None:
    """Up until the mark says so."""

    def wait() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if mark.exists() and mark.read_text() == str(instant * SECOND):
                return
            time.sleep(0.01)
        raise AssertionError("there is no mark")

    task = asyncio.create_task(uptime.run())
    await asyncio.to_thread(wait)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_time_between_two_runs_is_a_downtime(
    registry: SQLiteRegistry, tmp_path: Path
) -> None:
    mark = tmp_path / "up"
    now = 100
    uptime = Uptime(registry, mark, lambda: now)
    await run_until(uptime, mark, 100)
    assert await registry.downtimes() == []
    now = 400
    await run_until(uptime, mark, 400)
    assert await registry.downtimes() == [Downtime(start=100 * SECOND, end=400 * SECOND)]


async def test_a_downtime_that_could_not_be_kept_is_counted_again_from_the_same_mark(
    registry: SQLiteRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "up"
    mark.write_text(str(100 * SECOND))

    async def away(_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(registry, "add_downtime", away)
        with pytest.raises(StoreUnavailable):
            await Uptime(registry, mark, lambda: 200).run()
    await run_until(Uptime(registry, mark, lambda: 300), mark, 300)
    assert await registry.downtimes() == [Downtime(start=100 * SECOND, end=300 * SECOND)]


@pytest.mark.parametrize("text", ["", "yesterday"])
async def test_a_mark_that_cannot_be_read_is_none(
    registry: SQLiteRegistry, tmp_path: Path, text: str
) -> None:
    mark = tmp_path / "up"
    mark.write_text(text)
    await run_until(Uptime(registry, mark, lambda: 200), mark, 200)
    assert await registry.downtimes() == []
