"""Faults of disks and clocks, and power cuts: of our processes and of Kafka's nodes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sqlite3
import tempfile
from pathlib import Path

import frozen
from everything import everything
from faults import power
from faults.kinds import ONE_PROCESS, kind, start_in_vain, until_struck
from faults.scene import Scene
from faults.shim import Control, Shim
from server import Server

EMBEDDED = "all roles"
UNSYNCED_MS = 500
"""How long the disk takes for the sync in whose midst the power goes."""


def _a_disk(scene: Scene) -> str:
    scene.note = scene.rng.choice(sorted(scene.disks))
    return scene.note


async def _disk_in(scene: Scene, number: Control, value: int, seconds: float) -> None:
    """Kafka gives itself up when its disk fails."""
    name = _a_disk(scene)
    shim = scene.disks[name]
    before = shim.struck
    shim.set(number, value)
    await asyncio.sleep(seconds)
    await until_struck(lambda: shim.struck > before)
    shim.set(number, 0)
    await asyncio.sleep(0.5)
    await scene.supervise(name)


@kind("slow disk")
async def slow_disk(scene: Scene) -> None:
    delay_ms = scene.rng.choice([20, 100, 400])
    await _disk_in(scene, Control.SYNC_DELAY_MS, delay_ms, 3)


@kind("EIO on fsync")
async def sync_fails(scene: Scene) -> None:
    await _disk_in(scene, Control.SYNC_ERRNO, errno.EIO, scene.rng.uniform(0.2, 3))


@kind("EIO on write")
async def write_fails(scene: Scene) -> None:
    await _disk_in(scene, Control.WRITE_ERRNO, errno.EIO, scene.rng.uniform(0.2, 3))


@kind("full disk")
async def disk_full(scene: Scene) -> None:
    await _disk_in(scene, Control.WRITE_ERRNO, errno.ENOSPC, scene.rng.uniform(2, 4))


async def _clock_off(scene: Scene, seconds: int) -> None:
    scene.note = scene.rng.choice(sorted(scene.clocks))
    shim = scene.clocks[scene.note]
    shim.set(Control.CLOCK_OFFSET_S, seconds)
    await asyncio.sleep(scene.rng.uniform(1, 3))
    shim.set(Control.CLOCK_OFFSET_S, 0)


@kind("clock jumps forward")
async def clock_forward(scene: Scene) -> None:
    await _clock_off(scene, scene.rng.choice([3_600, 86_400, 30 * 86_400]))


@kind("clock jumps back")
async def clock_back(scene: Scene) -> None:
    await _clock_off(scene, -scene.rng.choice([5, 3_600, 86_400]))


async def _power_cut(scene: Scene, keep: power.Keep) -> None:
    name = _a_disk(scene)
    shim = scene.disks[name]
    before = shim.struck
    shim.set(Control.SYNC_DELAY_MS, UNSYNCED_MS)
    await until_struck(lambda: shim.struck > before)
    await scene.kill(name)
    shim.set(Control.SYNC_DELAY_MS, 0)
    lost = await asyncio.to_thread(_cut, shim, keep, scene)
    scene.note = f"{name}, {lost} unsynced writes"
    await scene.start(name)


def _cut(shim: Shim, keep: power.Keep, scene: Scene) -> int:
    return power.cut_power(shim.data, shim.journal, keep, scene.rng)


@kind("power cut, unsynced writes lost")
async def power_cut(scene: Scene) -> None:
    await _power_cut(scene, power.keep_nothing)


@kind("power cut, some unsynced writes kept")
async def power_cut_some(scene: Scene) -> None:
    await _power_cut(scene, power.keep_some)


@kind("power cut, last write torn")
async def power_cut_torn(scene: Scene) -> None:
    await _power_cut(scene, power.tear_last)


@kind("torn tail of the commit log", ONE_PROCESS)
async def torn_tail(scene: Scene) -> None:
    """Behind the last commit stands what a write that nobody waited for had begun."""
    await scene.kill(EMBEDDED)
    wal = scene.ours[EMBEDDED].folder / "commit-log.sqlite-wal"
    if wal.exists():
        with wal.open("ab") as file:
            file.write(scene.rng.randbytes(scene.rng.randrange(1, 20_000)))
    await scene.start(EMBEDDED)


@kind("started by an older version", ONE_PROCESS)
async def older_version(scene: Scene) -> None:
    """It refuses a data folder that is newer, and leaves it as it is."""
    server = scene.ours[EMBEDDED]
    assert await asyncio.to_thread(server.stop) == 0
    scene.note = scene.rng.choice(["commit-log.sqlite", "registry.sqlite"])
    file = server.folder / scene.note
    version = _set_version(file, 1_000)
    assert not await asyncio.to_thread(start_in_vain, server), "a newer folder was opened"
    assert "Install the version that wrote it" in server.output()
    _set_version(file, version)
    await scene.start(EMBEDDED)


@kind("an older folder is upgraded", ONE_PROCESS)
async def upgraded(scene: Scene) -> None:
    """It is killed while it opens what an older version wrote, and then answers as that did."""
    name = scene.rng.choice(frozen.names())
    folder = Path(tempfile.mkdtemp(dir=scene.folder)) / "data"
    then = await asyncio.to_thread(frozen.unpack, name, folder)
    server = Server(folder)
    starting = asyncio.create_task(asyncio.to_thread(start_in_vain, server))
    await asyncio.sleep(scene.rng.uniform(0.5, 3))
    with contextlib.suppress(ProcessLookupError, AssertionError):
        os.kill(server.pid, signal.SIGKILL)
    came_up = await starting
    scene.note = f"{name}, killed {'after' if came_up else 'before'} it was up"
    if came_up:
        await asyncio.to_thread(server.kill)
    try:
        await asyncio.to_thread(server.start)
        async with server.client() as api:
            frozen.check_same(then, await everything(api))
    finally:
        if server.runs:
            await asyncio.to_thread(server.kill)


def _set_version(file: Path, version: int) -> int:
    """The one before."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        (before,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version}")
    return int(before)
