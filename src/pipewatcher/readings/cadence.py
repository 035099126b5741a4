"""The usual step between a sensor's readings, learned from the steps that were seen."""

from __future__ import annotations

import math

from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND, Micros

STEPS_MIN = 20
"""So many steps are needed to learn from."""
READINGS_JUDGED = 200
"""The newest so many readings are looked at: a burst after an outage does not outvote hours."""
LADDER: tuple[Micros, ...] = (
    *(n * SECOND // 10 for n in (1, 2, 5)),
    *(n * SECOND for n in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(n * MINUTE for n in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
    DAY,
    7 * DAY,
)
FIRMNESS = 2.0
"""A step must be so much nearer to another rung than to the one that stands."""


def learned(median_step: float, standing: Micros | None) -> Micros:
    """The rung of the ladder nearest to the median step, by their ratio; the one that stands is
    left only for one that is clearly nearer, so that jitter between two does not flap."""
    nearest = min(LADDER, key=lambda rung: _distance(median_step, rung))
    if standing is None:
        return nearest
    firm = _distance(median_step, nearest) * FIRMNESS <= _distance(median_step, standing)
    return nearest if firm else standing


def _distance(step: float, rung: Micros) -> float:
    return abs(math.log(max(step, 1) / rung))
