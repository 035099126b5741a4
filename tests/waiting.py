"""Waits for what nothing tells of: another process, or a look on a clock."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

LOOK_S = 0.02


async def eventually(
    look: Callable[[], Any], within_s: float | None = 60.0, *, every_s: float = LOOK_S
) -> Any:
    """What `look` gives, awaited where it has to be, once that is true; raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while True:
            found = look()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(every_s)
