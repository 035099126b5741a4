"""Stages that run until everything unwinds; one that ends on its own stops the process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Any

from pipewatcher.errors import PipeWatcherError, StageEnded

log = logging.getLogger(__name__)

CANCEL_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Stop:
    """Why and when to end: a signal sets `wanted`, and so does a stage that ended on its own."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[BaseException] = field(default_factory=list)


async def run_in(stack: contextlib.AsyncExitStack, work: Any, stop: Stop) -> None:
    """Runs `work` until the stack unwinds; should it end on its own, everything stops."""
    task = asyncio.create_task(work)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            stop.failures.append(task.exception() or StageEnded())
            log.critical("a stage ended", exc_info=stop.failures[-1])
            stop.wanted.set()

    task.add_done_callback(ended)

    async def cancel() -> None:
        task.remove_done_callback(ended)
        # Again until it ends: a driver may take a cancel for a connection that broke, as pymongo
        # does, and the stage would go on.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(cancel)


def cause_of(failure: BaseException) -> PipeWatcherError:
    """What the operator is told: the error that knows its hint, else that a stage ended."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure if isinstance(failure, PipeWatcherError) else StageEnded()
