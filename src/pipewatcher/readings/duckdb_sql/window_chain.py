"""The readings of every sensor over a window, put together from runs of them in order of time.

All columns are by sensor number. A value holds until the next reading or the sensor's hold limit;
from before `start` too. Nothing is taken off again that was added before: a difference of large
integrals would not be exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipewatcher.model.time import Micros
from pipewatcher.readings.duckdb_sql.schema import SUM_SCALE
from pipewatcher.readings.duckdb_sql.waiting import NEVER, Flags, Floats, Ints, Points

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Neighbouring readings inside the window, one run for each of some sensors."""

    sensor: Ints
    count: Ints
    sum: Floats
    min: Floats
    max: Floats
    first_time: Ints
    last_time: Ints
    last_value: Floats
    held: Ints
    """Over the steps of the run."""
    integral: Floats
    linked: Flags
    """Whether the step that enters the run is among its steps."""
    gap_time: Ints
    longest_gap: Ints
    """Of the run's steps that are longer than the hold limit; 0 where the ledger knows them."""


class Chain:
    def __init__(self, hold: Ints, start: Micros) -> None:
        """`hold`: the hold limit of each sensor."""
        sensors = len(hold)
        self.hold = hold
        self.start = start
        self.count = np.zeros(sensors, np.int64)
        self.sum = np.zeros(sensors)
        self.min = np.full(sensors, np.inf)
        self.max = np.full(sensors, -np.inf)
        self.first_time = np.zeros(sensors, np.int64)
        self.last_time = np.full(sensors, NEVER)
        self.last_value = np.zeros(sensors)
        self.held = np.zeros(sensors, np.int64)
        self.integral = np.zeros(sensors)
        self.gap_time = np.zeros(sensors, np.int64)
        self.longest_gap = np.zeros(sensors, np.int64)

    @property
    def reached(self) -> Flags:
        return self.last_time > NEVER

    def pass_by(self, points: Points) -> None:
        """Readings before `start`, for the value that is held into the window."""
        newer = points.of(points.time > self.last_time[points.sensor])
        self.last_time[newer.sensor] = newer.time
        self.last_value[newer.sensor] = newer.value

    def append(self, runs: Runs, *, with_gaps: bool = False) -> None:
        """Runs that are later than all that is there of their sensors."""
        at = runs.sensor
        if with_gaps:
            self._add_gaps(at, runs.first_time)
            self.gap_time[at] += runs.gap_time
            self.longest_gap[at] = np.maximum(self.longest_gap[at], runs.longest_gap)
        length = np.where(runs.linked, 0, self._held_until(at, runs.first_time))
        self.held[at] += length + runs.held
        self.integral[at] += self._integral(at, length) + runs.integral
        self.first_time[at] = np.where(self.count[at] > 0, self.first_time[at], runs.first_time)
        self.count[at] += runs.count
        self.sum[at] += runs.sum
        self.min[at] = np.minimum(self.min[at], runs.min)
        self.max[at] = np.maximum(self.max[at], runs.max)
        self.last_time[at] = runs.last_time
        self.last_value[at] = runs.last_value

    def end(self, end: Micros) -> None:
        """The last value of each sensor holds on to the window's end."""
        everyone = np.arange(len(self.hold))
        length = self._held_until(everyone, np.full(len(self.hold), end))
        self.held += length
        self.integral += self._integral(everyone, length)

    def end_gaps(self, next_time: Ints, end: Micros) -> None:
        """`next_time`: of each sensor the first reading that is not in the chain, or now."""
        broken = self.reached & (next_time - self.last_time > self.hold)
        length = np.where(broken, end - np.maximum(self.last_time, self.start), 0)
        self.gap_time += length
        self.longest_gap = np.maximum(self.longest_gap, length)

    def _held_until(self, at: Ints, time: Ints) -> Ints:
        since = self.last_time[at]
        until = np.minimum(since + self.hold[at], time)
        return np.where(since > NEVER, np.maximum(0, until - np.maximum(since, self.start)), 0)

    def _integral(self, at: Ints, length: Ints) -> Floats:
        return self.last_value[at] / SUM_SCALE * (length / SUM_SCALE)

    def _add_gaps(self, at: Ints, time: Ints) -> None:
        since = self.last_time[at]
        broken = (since > NEVER) & (time - since > self.hold[at])
        length = np.where(broken, np.maximum(0, time - np.maximum(since, self.start)), 0)
        self.gap_time[at] += length
        self.longest_gap[at] = np.maximum(self.longest_gap[at], length)


def runs_of(readings: Points, hold: Ints, start: Micros) -> tuple[Points, Runs]:
    """Of readings by sensor and time: the last of each sensor before `start`, and the runs."""
    inside = readings.time >= start
    early = readings.of(~inside)
    before = early.of(np.append(early.sensor[1:] != early.sensor[:-1], True)[: len(early.sensor)])
    kept = readings.of(inside)
    sensor, time, value = kept.sensor, kept.time, kept.value
    heads = np.flatnonzero(np.append(True, sensor[1:] != sensor[:-1])[: len(sensor)])
    tails = np.append(heads[1:], len(sensor))[: len(heads)] - 1
    step = np.diff(time, prepend=time[:1])
    step[heads] = 0
    limit = hold[sensor]
    length = np.minimum(step, limit)
    gap = np.where(step > limit, step, 0)
    held_value = np.roll(value, 1)
    return before, Runs(
        sensor=sensor[heads],
        count=tails - heads + 1,
        sum=_reduced(np.add, value / SUM_SCALE, heads),
        min=_reduced(np.minimum, value, heads),
        max=_reduced(np.maximum, value, heads),
        first_time=time[heads],
        last_time=time[tails],
        last_value=value[tails],
        held=_reduced(np.add, length, heads),
        integral=_reduced(np.add, held_value / SUM_SCALE * (length / SUM_SCALE), heads),
        linked=np.zeros(len(heads), bool),
        gap_time=_reduced(np.add, gap, heads),
        longest_gap=_reduced(np.maximum, gap, heads),
    )


def _reduced(by: np.ufunc, column: npt.NDArray[Number], heads: Ints) -> npt.NDArray[Number]:
    if not len(heads):
        return column[:0]
    found: npt.NDArray[Number] = by.reduceat(column, heads)
    return found
