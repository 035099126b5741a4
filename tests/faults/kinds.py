"""The kinds of faults: each is a function that makes it, lets it last, and ends it.

Which set-ups a kind is for follows from what it needs: a shim, proxies, servers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import signal
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from faults import power
from faults.proxy import Mode, Proxy
from faults.scene import POLL_S, Scene, address_space, descriptors
from faults.shim import Control
from server import Server

Act: TypeAlias = Callable[[Scene], Awaitable[None]]
STRUCK_WITHIN_S = 30.0


@dataclass(frozen=True)
class Kind:
    name: str
    act: Act
    possible: Callable[[Scene], bool]


KINDS: dict[str, Kind] = {}


def kind(name: str, possible: Callable[[Scene], bool] = lambda scene: True) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        assert name not in KINDS
        KINDS[name] = Kind(name, act, possible)
        return act

    return add


async def until_struck(struck: Callable[[], bool]) -> None:
    """A fault may last for less than what lies between two of what it is to meet."""
    loop = asyncio.get_running_loop()
    until = loop.time() + STRUCK_WITHIN_S
    while not struck():
        assert loop.time() < until, "the fault met nothing"
        await asyncio.sleep(POLL_S)


def has_shim(scene: Scene) -> bool:
    return bool(scene.shims)


# ---- processes of ours


@kind("kill -9")
async def kill(scene: Scene) -> None:
    name, _ = scene.one_of_ours()
    await scene.kill(name)
    await scene.start(name)


@kind("kill -9 while it starts")
async def kill_while_starting(scene: Scene) -> None:
    name, server = scene.one_of_ours()
    await scene.kill(name)
    starting = asyncio.create_task(asyncio.to_thread(_start_in_vain, server))
    await asyncio.sleep(scene.rng.uniform(0.1, 1.5))
    if server.runs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGKILL)
    if await starting:
        await scene.kill(name)
    if name in scene.shims:
        power.tidy(scene.shims[name].journal)
    await scene.start(name)


@kind("stopped and started")
async def stop(scene: Scene) -> None:
    name, server = scene.one_of_ours()
    assert await asyncio.to_thread(server.stop) == 0
    await scene.start(name)


@kind("stands still (SIGSTOP)")
async def pause(scene: Scene) -> None:
    _, server = scene.one_of_ours()
    os.kill(server.pid, signal.SIGSTOP)
    await asyncio.sleep(scene.rng.uniform(0.5, 4))
    os.kill(server.pid, signal.SIGCONT)


@kind("no descriptors left")
async def no_descriptors(scene: Scene) -> None:
    """By the limit that the system itself has for it, which also stands for a system's own."""
    _, server = scene.one_of_ours()
    limit = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (descriptors(server) + 1, limit[1]))
    host, port = scene.gateway_url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as held:
        for _ in range(20):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_connection((host, int(port)), 1))
        await asyncio.sleep(scene.rng.uniform(0.5, 2))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit)


@kind("no memory left")
async def no_memory(scene: Scene) -> None:
    """A process that ends by it is started again, as its supervisor does."""
    name, server = scene.one_of_ours()
    limit = resource.prlimit(server.pid, resource.RLIMIT_AS)
    room = scene.rng.choice([0, 2**20, 16 * 2**20])
    resource.prlimit(server.pid, resource.RLIMIT_AS, (address_space(server) + room, limit[1]))
    await asyncio.sleep(scene.rng.uniform(0.5, 2))
    if server.runs:
        resource.prlimit(server.pid, resource.RLIMIT_AS, limit)
        await asyncio.sleep(1)
    if not server.runs:
        await scene.kill(name)
        await scene.start(name)


# ---- disk and clock


async def _for_a_while(scene: Scene, number: Control, value: int, seconds: float) -> None:
    [(_, shim)] = scene.shims.items()
    before = shim.struck
    shim.set(number, value)
    await asyncio.sleep(seconds)
    if number is not Control.CLOCK_OFFSET_S:
        await until_struck(lambda: shim.struck > before)
    shim.set(number, 0)


@kind("slow disk", has_shim)
async def slow_disk(scene: Scene) -> None:
    delay_ms = scene.rng.choice([20, 100, 400])
    await _for_a_while(scene, Control.SYNC_DELAY_MS, delay_ms, 3)


@kind("EIO on fsync", has_shim)
async def sync_fails(scene: Scene) -> None:
    await _for_a_while(scene, Control.SYNC_ERRNO, errno.EIO, scene.rng.uniform(0.2, 3))


@kind("EIO on write", has_shim)
async def write_fails(scene: Scene) -> None:
    await _for_a_while(scene, Control.WRITE_ERRNO, errno.EIO, scene.rng.uniform(0.2, 3))


@kind("full disk", has_shim)
async def disk_full(scene: Scene) -> None:
    await _for_a_while(scene, Control.WRITE_ERRNO, errno.ENOSPC, scene.rng.uniform(2, 4))


@kind("clock jumps forward", has_shim)
async def clock_forward(scene: Scene) -> None:
    jump = scene.rng.choice([3_600, 86_400, 30 * 86_400])
    await _for_a_while(scene, Control.CLOCK_OFFSET_S, jump, scene.rng.uniform(1, 3))


@kind("clock jumps back", has_shim)
async def clock_back(scene: Scene) -> None:
    jump = scene.rng.choice([5, 3_600, 86_400])
    await _for_a_while(scene, Control.CLOCK_OFFSET_S, -jump, scene.rng.uniform(1, 3))


async def _power_cut(scene: Scene, keep: power.Keep) -> None:
    [(name, shim)] = scene.shims.items()
    await scene.kill(name)
    data = scene.ours[name].folder
    lost = await asyncio.to_thread(power.cut_power, data, shim.journal, keep, scene.rng)
    scene.note = f"{lost} unsynced writes"
    await scene.start(name)


@kind("power cut, unsynced writes lost", has_shim)
async def power_cut(scene: Scene) -> None:
    await _power_cut(scene, power.keep_nothing)


@kind("power cut, some unsynced writes kept", has_shim)
async def power_cut_some(scene: Scene) -> None:
    await _power_cut(scene, power.keep_some)


@kind("power cut, last write torn", has_shim)
async def power_cut_torn(scene: Scene) -> None:
    await _power_cut(scene, power.tear_last)


@kind("torn tail of the commit log", has_shim)
async def torn_tail(scene: Scene) -> None:
    """Behind the last commit stands what a write that nobody waited for had begun."""
    [(name, _)] = scene.shims.items()
    await scene.kill(name)
    wal = scene.ours[name].folder / "commit-log.sqlite-wal"
    if wal.exists():
        with wal.open("ab") as file:
            file.write(scene.rng.randbytes(scene.rng.randrange(1, 20_000)))
    await scene.start(name)


@kind("started by an older version", has_shim)
async def older_version(scene: Scene) -> None:
    """It refuses a data folder that is newer, and leaves it as it is."""
    [(name, _)] = scene.shims.items()
    server = scene.ours[name]
    assert await asyncio.to_thread(server.stop) == 0
    scene.note = scene.rng.choice(["commit-log.sqlite", "registry.sqlite"])
    file = server.folder / scene.note
    version = _set_version(file, 1_000)
    assert not await asyncio.to_thread(_start_in_vain, server), "a newer folder was opened"
    assert "Install the version that wrote it" in server.output()
    _set_version(file, version)
    await scene.start(name)


# ---- networks


def _a_link(scene: Scene) -> Proxy:
    scene.note = scene.rng.choice(sorted(scene.proxies))
    return scene.proxies[scene.note]


async def _link_in(link: Proxy, mode: Mode, seconds: float) -> None:
    await link.set(mode)
    await asyncio.sleep(seconds)
    await link.set(Mode.PASS)


def has_links(scene: Scene) -> bool:
    return bool(scene.proxies)


@kind("link delays", has_links)
async def delays(scene: Scene) -> None:
    link = _a_link(scene)
    link.delay_s = scene.rng.choice([0.05, 0.3])
    await _link_in(link, Mode.DELAY, 3)


@kind("link is cut", has_links)
async def cut(scene: Scene) -> None:
    link = _a_link(scene)
    for _ in range(scene.rng.randrange(1, 4)):
        link.cut()
        await asyncio.sleep(scene.rng.uniform(0.05, 0.5))


@kind("link is refused", has_links)
async def refused(scene: Scene) -> None:
    await _link_in(_a_link(scene), Mode.REFUSE, scene.rng.uniform(0.5, 3))


@kind("link is half closed", has_links)
async def half_closed(scene: Scene) -> None:
    _a_link(scene).half_close()
    await asyncio.sleep(0.5)


@kind("link is a black hole", has_links)
async def black_hole(scene: Scene) -> None:
    await _link_in(_a_link(scene), Mode.BLACK_HOLE, scene.rng.uniform(0.5, 4))


@kind("link loses the answers", has_links)
async def mute(scene: Scene) -> None:
    await _link_in(_a_link(scene), Mode.MUTE, scene.rng.uniform(0.5, 4))


def _set_version(file: Path, version: int) -> int:
    """The one before."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        (before,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version}")
    return int(before)


def _start_in_vain(server: Server) -> bool:
    """Whether it came up, though it was to be killed."""
    try:
        server.start()
    except (AssertionError, OSError):
        return False
    return True
