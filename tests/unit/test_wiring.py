"""Stages end when the wiring unwinds, whatever they make of it, and begin in their order."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from pipewatcher.errors import Lagging
from pipewatcher.model.readings import Position, covers
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.settings import load_settings
from pipewatcher.wiring import stages, supervision


def test_a_data_folder_has_one_name_and_a_power_cut_does_not_leave_it_empty(
    tmp_path: Path,
) -> None:
    """Imports are carried out by the folder that acknowledged them, known by this name."""
    path = tmp_path / "installation"
    name = stages._installation(path)
    assert len(name) == 32
    assert stages._installation(path) == name
    path.write_text("")
    again = stages._installation(path)
    assert len(again) == 32
    assert stages._installation(path) == again


async def test_a_stage_whose_driver_swallows_a_cancel_is_stopped_all_the_same() -> None:
    swallowed = 0

    async def stage() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    stop = supervision.Stop()
    async with asyncio.timeout(30), contextlib.AsyncExitStack() as stack:
        await supervision.run_in(stack, stage(), stop)
        await asyncio.sleep(0)
    assert swallowed == 2
    assert not stop.wanted.is_set()


async def test_a_stage_that_ends_on_its_own_stops_everything() -> None:
    async def stage() -> None:
        raise ValueError("broken")

    stop = supervision.Stop()
    async with contextlib.AsyncExitStack() as stack:
        await supervision.run_in(stack, stage(), stop)
        async with asyncio.timeout(10):
            await stop.wanted.wait()
    assert isinstance(stop.failures[0], ValueError)


async def test_what_waits_is_stored_once_doors_are_open_or_at_the_end(
    tmp_path: Path,
) -> None:
    settings = load_settings(environ={}, data_dir=tmp_path, disk_free_min_mb=0)

    async def take(running: stages.Historian) -> Position:
        await running.commit_log.append_reading("EQ-1", 0, 1.0, "http:a")
        return running.commit_log.end()

    async with stages.historian(settings) as running:
        assert running.writer is not None
        with pytest.raises(Lagging):
            await running.writer.stored(await take(running), timeout_s=0.3)
        running.doors_open.set()
        await running.writer.stored(running.commit_log.end())
    async with stages.historian(settings) as running:
        end = await take(running)
    store = DuckDBStore(tmp_path / "readings.duckdb")
    await store.open()
    assert covers(await store.position(), end)
    await store.close()
