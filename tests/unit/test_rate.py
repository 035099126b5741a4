from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.rate import RateLimit


def test_a_burst_is_taken_up_to_the_rate_and_then_one_after_the_other() -> None:
    now = [0.0]
    rate = RateLimit(5, lambda: now[0])
    assert [rate.take() for _ in range(6)] == [0] * 5 + [1]
    now[0] = 0.2
    assert [rate.take(), rate.take()] == [0, 1]


@given(st.integers(1, 50), st.lists(st.floats(0, 3), max_size=200))
def test_never_more_than_the_rate_and_one_burst_is_taken(per_s: int, pauses: list[float]) -> None:
    now = [0.0]
    rate = RateLimit(per_s, lambda: now[0])
    taken = 0
    for pause in pauses:
        now[0] += pause
        waited = rate.take()
        taken += not waited
        if waited:
            now[0] += waited
            assert rate.take() == 0
            taken += 1
    assert taken <= per_s * (now[0] + 1) + 1


@pytest.mark.parametrize("per_s", [1, 3, 1_000])
def test_whoever_waits_as_long_as_he_was_told_is_served(per_s: int) -> None:
    now = [7.0]
    rate = RateLimit(per_s, lambda: now[0])
    for _ in range(per_s):
        rate.take()
    now[0] += rate.take()
    assert rate.take() == 0
