"""The kinds of faults: each is a function that makes it, lets it last, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from faults import power
from faults.proxy import Mode, Proxy
from faults.scene import POLL_S, Scene, address_space, descriptors
from server import Server

Act: TypeAlias = Callable[[Scene], Awaitable[None]]
STRUCK_WITHIN_S = 30.0
ONE_PROCESS = frozenset({"embedded", "broker"})
SPLIT = frozenset({"split"})
EVERYWHERE = ONE_PROCESS | SPLIT


@dataclass(frozen=True)
class Kind:
    name: str
    act: Act
    set_ups: frozenset[str]


KINDS: dict[str, Kind] = {}


def kind(name: str, set_ups: frozenset[str] = EVERYWHERE) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        assert name not in KINDS
        KINDS[name] = Kind(name, act, set_ups)
        return act

    return add


async def until_struck(struck: Callable[[], bool]) -> None:
    """A fault may last for less than what lies between two of what it is to meet."""
    loop = asyncio.get_running_loop()
    until = loop.time() + STRUCK_WITHIN_S
    while not struck():
        assert loop.time() < until, "the fault met nothing"
        await asyncio.sleep(POLL_S)


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
    starting = asyncio.create_task(asyncio.to_thread(start_in_vain, server))
    await asyncio.sleep(scene.rng.uniform(0.1, 1.5))
    if server.runs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGKILL)
    if await starting:
        await scene.kill(name)
    if name in scene.disks:
        power.tidy(scene.disks[name].journal)
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
    host, port = server.url.removeprefix("http://").split(":")
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
    await scene.supervise(name)


# ---- networks


def _a_link(scene: Scene) -> Proxy:
    scene.note = scene.rng.choice(sorted(scene.proxies))
    return scene.proxies[scene.note]


async def _link_in(link: Proxy, mode: Mode, seconds: float) -> None:
    await link.set(mode)
    await asyncio.sleep(seconds)
    await link.set(Mode.PASS)


@kind("link delays")
async def delays(scene: Scene) -> None:
    link = _a_link(scene)
    link.delay_s = scene.rng.choice([0.05, 0.3])
    await _link_in(link, Mode.DELAY, 3)


@kind("link is cut")
async def cut(scene: Scene) -> None:
    link = _a_link(scene)
    for _ in range(scene.rng.randrange(1, 4)):
        link.cut()
        await asyncio.sleep(scene.rng.uniform(0.05, 0.5))


@kind("link is refused")
async def refused(scene: Scene) -> None:
    await _link_in(_a_link(scene), Mode.REFUSE, scene.rng.uniform(0.5, 3))


@kind("link is half closed")
async def half_closed(scene: Scene) -> None:
    _a_link(scene).half_close()
    await asyncio.sleep(0.5)


@kind("link is a black hole")
async def black_hole(scene: Scene) -> None:
    await _link_in(_a_link(scene), Mode.BLACK_HOLE, scene.rng.uniform(0.5, 4))


@kind("link loses the answers")
async def mute(scene: Scene) -> None:
    await _link_in(_a_link(scene), Mode.MUTE, scene.rng.uniform(0.5, 4))


def start_in_vain(server: Server) -> bool:
    """Whether it came up, though it was to be killed."""
    try:
        server.start()
    except (AssertionError, OSError):
        return False
    return True
