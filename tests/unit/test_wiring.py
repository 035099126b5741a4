"""Stages end when the wiring unwinds, whatever they make of it."""

from __future__ import annotations

import asyncio
import contextlib

from pipewatcher.wiring import supervision


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
