"""A cadence is the rung nearest to the median step, and does not flap."""

from __future__ import annotations

import pytest

from pipewatcher.model.time import HOUR, MINUTE, SECOND
from pipewatcher.readings.cadence import LADDER, learned


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("jitter", [0.9, 1.0, 1.1])
def test_a_steady_step_is_its_rung_whatever_stood_before(rung: int, jitter: float) -> None:
    assert learned(rung * jitter, None) == rung
    assert learned(rung, 17 * MINUTE) == rung


def test_a_step_that_wanders_between_two_rungs_leaves_the_cadence_alone() -> None:
    standing = 10 * SECOND
    for step in (9, 11, 12.2, 8, 12.4, 10):
        standing = learned(step * SECOND, standing)
        assert standing == 10 * SECOND


def test_another_step_is_learned_once_it_is_clearly_another() -> None:
    assert learned(58 * SECOND, 5 * MINUTE) == MINUTE
    assert learned(14.5 * SECOND, 10 * SECOND) == 15 * SECOND


def test_steps_beyond_the_ladder_are_its_ends() -> None:
    assert learned(0, None) == LADDER[0]
    assert learned(10_000 * HOUR, None) == LADDER[-1]
