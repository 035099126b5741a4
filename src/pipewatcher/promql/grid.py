"""Figures of one sensor at each instant of a query.

A window `[t - range, t)` is half-open, as all of PipeWatcher's are: at the end of a bucket of its
chart, `avg_over_time` over the bucket's width is the bucket's mean. A value by itself stands from
its own instant until the next one, at most for the sensor's hold limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipewatcher.model.figures import Bucket, SensorAverage
from pipewatcher.model.readings import StoredReading
from pipewatcher.model.time import Micros
from pipewatcher.promql.errors import TooMuch

Values: TypeAlias = npt.NDArray[np.float64]
"""One for each instant; NaN where there is none."""
SUMMED_MAX = 100_000_000
"""Buckets of one sensor, counted in each window that they lie in."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The instants `start`, `start + step`, … up to `end`."""

    start: Micros
    end: Micros
    step: Micros

    @property
    def size(self) -> int:
        return (self.end - self.start) // self.step + 1

    @property
    def instants(self) -> npt.NDArray[np.int64]:
        return np.arange(self.size, dtype=np.int64) * self.step + self.start

    def width(self, window: Micros, offset: Micros) -> Micros:
        """The widest buckets that all its windows are made of."""
        return gcd(self.step, self.start, window, offset)

    def empty(self) -> Values:
        return np.full(self.size, np.nan)


def of_average(function: str, average: SensorAverage) -> float:
    """Over the one window that was asked for; NaN where there is no reading."""
    if not average.count:
        return np.nan
    values: dict[str, float | None] = {
        "avg": average.mean,
        "min": average.min,
        "max": average.max,
        "sum": None if average.mean is None else average.mean * average.count,
        "count": average.count,
        "last": average.last_value,
        "present": 1.0,
    }
    value = values[function.removesuffix("_over_time")]
    return np.nan if value is None else float(value)


def over_time(
    function: str, buckets: Sequence[Bucket], grid: Grid, window: Micros, offset: Micros
) -> Values:
    """Any but `last_over_time`. The buckets are of `grid.width(window, offset)`, ascending.

    Raises `TooMuch`.
    """
    found = grid.empty()
    if not buckets:
        return found
    starts = np.array([bucket.start for bucket in buckets], np.int64)
    after = grid.instants - offset
    low, high = starts.searchsorted(after - window), starts.searchsorted(after)
    if int((high - low).sum()) > SUMMED_MAX:
        raise TooMuch("the range is much longer than the step; take a shorter one or a wider step")
    filled = low < high
    spans = np.stack([low[filled], high[filled]], axis=1)
    found[filled] = _WINDOWS[function](buckets, spans)
    return found


def standing(
    readings: Sequence[StoredReading],
    grid: Grid,
    hold: Micros,
    offset: Micros,
    *,
    own_instant: bool,
) -> Values:
    """The newest reading before each instant, or at it with `own_instant`, and not older than
    `hold`."""
    found = grid.empty()
    if not readings:
        return found
    times = np.array([reading.event_time for reading in readings], np.int64)
    values = np.array([reading.value for reading in readings])
    at = grid.instants - offset
    place = times.searchsorted(at, "right" if own_instant else "left") - 1
    fresh = (place >= 0) & (at - times[place] <= hold)
    found[fresh] = values[place[fresh]]
    return found


_Spans: TypeAlias = npt.NDArray[np.int64]


def _sums(buckets: Sequence[Bucket], spans: _Spans) -> Values:
    return _reduced(np.add, np.array([b.mean * b.count for b in buckets]), spans)


def _counts(buckets: Sequence[Bucket], spans: _Spans) -> Values:
    total = np.concatenate([[0], np.cumsum([bucket.count for bucket in buckets])])
    counts: Values = (total[spans[:, 1]] - total[spans[:, 0]]).astype(np.float64)
    return counts


def _means(buckets: Sequence[Bucket], spans: _Spans) -> Values:
    means = np.array([bucket.mean for bucket in buckets])
    # Of one bucket it is the bucket's own, to the last bit.
    single = spans[:, 1] - spans[:, 0] == 1
    of_several = _sums(buckets, spans) / _counts(buckets, spans)
    return np.where(single, means[spans[:, 0]], of_several)


def _least(buckets: Sequence[Bucket], spans: _Spans) -> Values:
    return _reduced(np.minimum, np.array([bucket.min for bucket in buckets]), spans)


def _greatest(buckets: Sequence[Bucket], spans: _Spans) -> Values:
    return _reduced(np.maximum, np.array([bucket.max for bucket in buckets]), spans)


def _present(_: Sequence[Bucket], spans: _Spans) -> Values:
    return np.ones(len(spans))


def _reduced(operation: np.ufunc, values: Values, spans: _Spans) -> Values:
    """`reduceat` takes pairs of bounds; what lies between the pairs is left out again. The value
    at the end is there only to be a bound."""
    padded = np.append(values, values[-1])
    reduced: Values = operation.reduceat(padded, spans.ravel())[::2]
    return reduced


_WINDOWS: dict[str, Callable[[Sequence[Bucket], _Spans], Values]] = {
    "avg_over_time": _means,
    "min_over_time": _least,
    "max_over_time": _greatest,
    "sum_over_time": _sums,
    "count_over_time": _counts,
    "present_over_time": _present,
}
