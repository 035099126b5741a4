"""The figures of all sensors over a window.

Of a sensor whose readings in `hot` are all later than what is stored, the rollups' steps hold as
they are: its readings are a chain of few runs, one from all rollups that lie in the window, the
others from the readings of the hours that an edge of the window cuts and from `hot`. A sensor with
a *late* reading in `hot` has its rollups linked anew, by `averages_anew`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipewatcher.model.figures import SensorAverage
from pipewatcher.model.gaps import GAP_FACTOR
from pipewatcher.model.time import HOUR, Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql import days
from pipewatcher.readings.duckdb_sql.averages_anew import figures_anew
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.reads import hour_of
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET, NO_LIMIT, SUM_SCALE
from pipewatcher.readings.duckdb_sql.waiting import (
    NEVER,
    Flags,
    Floats,
    Ints,
    Points,
    Waiting,
    sorted_readings,
)
from pipewatcher.readings.duckdb_sql.window_chain import Chain, Runs, runs_of

EDGE_ROWS_MAX = 500_000
"""Readings of cut hours that are in memory at a time."""
PARTS = (
    "sensor, count, sum, min, max, first_time, last_time, last_value, inner_held, inner_integral, "
    "prev_time, prev_value, held, integral"
)
WHOLE = f"""
    SELECT sensor, sum(count)::BIGINT AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max,
           min(first_time) AS first_time, max(last_time) AS last_time,
           arg_max(last_value, last_time) AS last_value,
           sum(CASE WHEN prev_time >= $start THEN held ELSE inner_held END)::BIGINT AS held,
           sum(CASE WHEN prev_time >= $start THEN integral ELSE inner_integral END) AS integral,
           max(prev_time) FILTER (prev_time < $start) AS prev_time,
           any_value(prev_value) FILTER (prev_time < $start) AS prev_value,
           bool_and(coalesce(prev_time >= $start, false)) AS linked
    FROM (SELECT {PARTS} FROM day_rollup WHERE {{days}}
          UNION ALL SELECT {PARTS} FROM rollup WHERE {{hours}})
    WHERE first_time >= $start AND last_time < $end GROUP BY sensor
"""
CUT = """
    SELECT sensor, hour, count, prev_time, prev_value FROM rollup
    WHERE (hour = $first_hour AND first_time < $start AND last_time >= $start)
       OR (hour = $last_hour AND last_time >= $end AND first_time < $end)
"""
BEYOND = """
    SELECT sensor, arg_min(prev_time, hour) AS time, arg_min(prev_value, hour) AS value
    FROM rollup WHERE hour >= $last_hour AND first_time >= $end AND prev_time IS NOT NULL
    GROUP BY sensor
"""
STORED_GAPS = """
    SELECT sensor, sum(least(end_time, $end) - greatest(start_time, $start))::BIGINT AS total,
           max(least(end_time, $end) - greatest(start_time, $start)) AS longest
    FROM gap WHERE end_time > $start AND start_time < $end GROUP BY sensor
"""


def averages(
    cursor: Cursor, names: Names, start: Micros, end: Micros, now: Micros
) -> list[SensorAverage]:
    window = _Window(cursor, len(names.sensors), start, end)
    figures = window.figures(max(now, end))
    if window.late.any():
        figures += figures_anew(cursor, start, end, max(now, end))
    return [
        SensorAverage(
            equipment_id=names.sensors[sensor],
            count=count,
            mean=mean,
            min=low,
            max=high,
            first_time=first,
            last_in_window=last,
            last_time=newest,
            last_value=value,
            time_weighted_mean=integral / held * SUM_SCALE * SUM_SCALE if held else None,
            oldest_time=oldest,
            cadence=hold // GAP_FACTOR if hold < NO_LIMIT else None,
            gap_time=gap_time if hold < NO_LIMIT else None,
            longest_gap=longest if hold < NO_LIMIT else None,
        )
        for (
            sensor, count, mean, low, high, first, last, newest, value, oldest, held, integral,
            hold, gap_time, longest,
        ) in figures
    ]  # fmt: skip


class _Window:
    def __init__(self, cursor: Cursor, sensors: int, start: Micros, end: Micros) -> None:
        self._cursor = cursor
        self._sensors = sensors
        self._start, self._end = start, end
        self._first_hour, self._last_hour = hour_of(start), hour_of(end - 1)
        self._waiting = Waiting(cursor, sensors)
        self.late = self._waiting.late

    def figures(self, now: Micros) -> list[tuple[Any, ...]]:
        """Of the sensors that have a reading before the window's end and none that is late."""
        chain = self._chain()
        next_time = self._end_gaps(chain, now)
        chain.end_gaps(next_time, self._end)
        chain.end(self._end)
        oldest = self._waiting.oldest
        waits = self._waiting.readings
        np.minimum.at(oldest, waits.sensor, waits.time)
        at = np.flatnonzero(chain.reached & ~self.late)
        inside = chain.count[at] > 0
        mean = np.divide(chain.sum[at], chain.count[at], where=inside, out=np.zeros(len(at)))
        return list(
            zip(
                at.tolist(),
                chain.count[at].tolist(),
                _or_none(mean * SUM_SCALE, inside),
                _or_none(chain.min[at], inside),
                _or_none(chain.max[at], inside),
                _or_none(chain.first_time[at], inside),
                _or_none(chain.last_time[at], inside),
                chain.last_time[at].tolist(),
                chain.last_value[at].tolist(),
                oldest[at].tolist(),
                chain.held[at].tolist(),
                chain.integral[at].tolist(),
                self._waiting.hold[at].tolist(),
                chain.gap_time[at].tolist(),
                chain.longest_gap[at].tolist(),
                strict=True,
            )
        )

    def _chain(self) -> Chain:
        chain = Chain(self._waiting.hold, self._start)
        bounds = {"start": self._start, "end": self._end}
        hours = {"first_hour": self._first_hour, "last_hour": self._last_hour}
        cut = self._cursor.execute(CUT, {**bounds, **hours}).fetchnumpy()
        day_spans, hour_spans = days.spans(self._cursor, self._first_hour, self._last_hour)
        whole = self._cursor.execute(
            WHOLE.format(days=day_spans, hours=hour_spans), bounds
        ).fetchnumpy()
        newest = self._waiting.newest
        chain.pass_by(newest.of(newest.time < self._start))
        for found in (cut, whole):
            before = _points(found, "prev_time", "prev_value")
            chain.pass_by(before.of((before.time > NEVER) & (before.time < self._start)))
        self._append_cut(chain, cut, self._first_hour)
        chain.append(_whole_runs(whole))
        if self._last_hour > self._first_hour:
            self._append_cut(chain, cut, self._last_hour)
        self._reach_back(chain)
        waits = self._waiting.readings
        before, runs = runs_of(waits.of(waits.time < self._end), self._waiting.hold, self._start)
        chain.pass_by(before)
        chain.append(runs, with_gaps=True)  # Their steps are in no ledger yet.
        return chain

    def _append_cut(self, chain: Chain, cut: dict[str, Any], hour: int) -> None:
        """The readings of an hour that an edge of the window cuts."""
        here = cut["hour"] == hour
        counts = np.zeros(self._sensors, np.int64)
        counts[cut["sensor"][here]] = cut["count"][here]
        for first, last in _sensor_ranges(counts):
            found = self._cursor.execute(
                "SELECT sensor, event_time, value FROM raw WHERE event_time >= $1 "
                "AND event_time < $2 AND sensor >= $3 AND sensor < $4",
                [hour * HOUR - EPOCH_OFFSET, min((hour + 1) * HOUR - EPOCH_OFFSET, self._end),
                 first, last],
            ).fetchnumpy()  # fmt: skip
            wanted = counts[found["sensor"]] > 0
            readings = sorted_readings(
                found["sensor"][wanted],
                found["event_time"][wanted],
                found["value"][wanted],
                None,
                self._sensors,
            )
            before, runs = runs_of(readings, self._waiting.hold, self._start)
            chain.pass_by(before)
            chain.append(runs)

    def _reach_back(self, chain: Chain) -> None:
        """For a window in the past: sensors without a reading in it, but on both of its sides."""
        known = self._waiting
        astride = ~chain.reached & (known.stored_until >= self._end) & (known.oldest < self._start)
        if astride.any():
            found = self._cursor.execute(
                BEYOND, {"end": self._end, "last_hour": self._last_hour}
            ).fetchnumpy()
            before = _points(found, "time", "value")
            chain.pass_by(before.of(astride[before.sensor]))

    def _end_gaps(self, chain: Chain, now: Micros) -> Ints:
        """Adds the ledger's gaps; of each sensor the next reading after the chain, where the
        ledger does not know that step, or else now."""
        ledger = self._cursor.execute(
            STORED_GAPS, {"start": self._start, "end": self._end}
        ).fetchnumpy()
        at = ledger["sensor"]
        chain.gap_time[at] += ledger["total"]
        chain.longest_gap[at] = np.maximum(chain.longest_gap[at], ledger["longest"])
        next_time = np.full(self._sensors, NO_LIMIT)
        waits = self._waiting.readings
        later = waits.of(waits.time >= self._end)
        np.minimum.at(next_time, later.sensor, later.time)
        next_time[next_time == NO_LIMIT] = now
        next_time[self._waiting.stored_until >= self._end] = NEVER
        return next_time


def _points(found: dict[str, Any], time: str, value: str) -> Points:
    return Points(
        sensor=found["sensor"],
        time=np.ma.filled(found[time], NEVER),
        value=np.ma.filled(found[value], 0.0),
    )


def _whole_runs(found: dict[str, Any]) -> Runs:
    none = np.zeros(len(found["sensor"]), np.int64)
    known = set(Runs.__slots__) - {"gap_time", "longest_gap"}
    return Runs(**{name: found[name] for name in known}, gap_time=none, longest_gap=none)


def _sensor_ranges(counts: Ints) -> Iterator[tuple[int, int]]:
    """Half-open ranges of sensors that together hold every reading, so many at a time."""
    if not counts.any():
        return
    so_far = np.cumsum(counts)
    first = 0
    while first < len(counts):
        before = so_far[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(so_far, before + EDGE_ROWS_MAX, "right")))
        yield first, last
        first = last


def _or_none(column: Ints | Floats, there: Flags) -> list[Any]:
    pairs = zip(column.tolist(), there.tolist(), strict=True)
    return [value if known else None for value, known in pairs]
