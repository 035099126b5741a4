"""Instants and lengths of time."""

from __future__ import annotations

from typing import TypeAlias

Micros: TypeAlias = int


SECOND: Micros = 1_000_000


MINUTE: Micros = 60 * SECOND


HOUR: Micros = 60 * MINUTE


DAY: Micros = 24 * HOUR


NO_END: Micros = 2**62
"""Where a gap ends that has not ended yet: later than any reading."""
