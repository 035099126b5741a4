"""How instants are written in answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.api.answers import rfc3339
from pipewatcher.model.time import SECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@given(st.integers(FIRST, LAST), st.sampled_from([1, 1_000, SECOND]))
def test_an_instant_reads_back_as_itself_with_no_more_digits_than_it_needs(
    instant: int, unit: int
) -> None:
    instant = max(FIRST, instant // unit * unit)
    text = rfc3339(instant)
    assert text.endswith("Z")
    assert (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) == instant
    assert len(text) == len("0001-01-01T00:00:00.000Z" if instant % 1_000 == 0 else
                            "0001-01-01T00:00:00.000000Z")  # fmt: skip
