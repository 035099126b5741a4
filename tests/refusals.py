"""For a writer whose store takes everything."""

from __future__ import annotations

from collections.abc import Sequence

from pipewatcher.model.readings import RefusedReading


async def none_refused(refused: Sequence[RefusedReading]) -> None:
    raise AssertionError(refused)
