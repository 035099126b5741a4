"""The figures over a window of the sensors with a *late* reading in `hot`: not newer than what is
stored of them.

Their rollups' links cannot be trusted: rollups and readings are put in a row and linked anew. The
step that crosses `start` is none of those that rollups have added up already.
"""

from __future__ import annotations

from typing import Any

from pipewatcher.model.time import HOUR, Micros
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.gaps import GAP_SUMS
from pipewatcher.readings.duckdb_sql.reads import parts_of, torn_spans, window_of
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET, NO_LIMIT, SUM_SCALE


def _held(since: str, until: str, value: str) -> tuple[str, str]:
    """How long a value is held in the window, from a reading to the next; and its integral."""
    length = (
        f"(CASE WHEN {since} IS NULL THEN 0 ELSE "
        f"greatest(0, least({since} + hold, {until}) - greatest({since}, $start)) END)"
    )
    return length, f"coalesce({value} / {SUM_SCALE} * ({length} / {SUM_SCALE}), 0)"


_step_held, _step_integral = _held("before_time", "first_time", "before")
_end_held, _end_integral = _held("l.last_time", "$end", "l.last_value")

LATE = """
    SELECT DISTINCT sensor FROM hot JOIN latest USING (sensor)
    WHERE NOT keep_stored AND event_time <= last_time
"""
FIGURES = f"""
WITH late AS MATERIALIZED ({LATE}),
    {parts_of("sensor IN (SELECT sensor FROM late)")},
    window_means AS (
        SELECT sensor, sum(count)::BIGINT AS count, sum(sum) / sum(count) * {SUM_SCALE} AS mean,
               min(min) AS min, max(max) AS max, min(first_time) AS first_time,
               max(last_time) AS last_time, arg_max(last_value, last_time) AS last_value
        FROM (
            SELECT sensor, count, sum, min, max, first_time, last_time, last_value FROM whole
            UNION ALL
            SELECT sensor, count(*), sum(value / {SUM_SCALE}), min(value), max(value),
                   min(event_time), max(event_time), arg_max(value, event_time)
            FROM readings WHERE event_time >= $start GROUP BY sensor)
        GROUP BY sensor),
    known AS (SELECT * FROM latest SEMI JOIN late USING (sensor)),
    beyond AS (
        SELECT sensor, arg_min(prev_time, hour) AS time, arg_min(prev_value, hour) AS value
        FROM rollup SEMI JOIN late USING (sensor)
        WHERE hour >= $last_hour AND first_time >= $end AND prev_time IS NOT NULL
        GROUP BY sensor),
    before_start AS MATERIALIZED (
        SELECT sensor, max(time) AS time, arg_max(value, (time, rank)) AS value FROM (
            SELECT sensor, prev_time AS time, prev_value AS value, 0 AS rank FROM hours
            WHERE prev_time < $start
            UNION ALL SELECT sensor, last_time, last_value, 0 FROM known WHERE last_time < $start
            UNION ALL SELECT sensor, time, value, 0 FROM beyond WHERE time < $start
            UNION ALL SELECT sensor, event_time, value, 1 FROM readings WHERE event_time < $start
            UNION ALL SELECT sensor, event_time, value, 1 FROM fresh WHERE event_time < $start)
        GROUP BY sensor),
    newest AS (
        SELECT sensor, max(last_time) AS last_time,
               arg_max(last_value, (last_time, rank)) AS last_value
        FROM (SELECT sensor, time AS last_time, value AS last_value, 1 AS rank FROM before_start
              UNION ALL SELECT sensor, last_time, last_value, 2 FROM window_means)
        GROUP BY sensor),
    segments AS (
        SELECT sensor, first_time, last_time, last_value, inner_held, inner_integral,
               true AS counts, 0 AS rank FROM whole
        UNION ALL
        SELECT sensor, event_time, event_time, value, 0, 0, event_time >= $start, 1 FROM readings
        UNION ALL
        SELECT sensor, time, time, value, 0, 0, false, 2 FROM before_start),
    crossed AS (
        SELECT *, lag(last_time) OVER parts AS before_time, lag(last_value) OVER parts AS before
        FROM segments WINDOW parts AS (PARTITION BY sensor ORDER BY first_time, rank)),
    limits AS MATERIALIZED (
        SELECT sensor, coalesce(hold, {NO_LIMIT}) AS hold
        FROM newest LEFT JOIN cadence USING (sensor)),
    segment_sums AS (
        SELECT sensor, sum(inner_held + {_step_held}) AS held,
               sum(inner_integral + {_step_integral}) AS integral
        FROM crossed JOIN limits USING (sensor) WHERE counts GROUP BY sensor),
    oldest AS (
        SELECT sensor, min(first_time) AS oldest FROM (
            SELECT sensor, first_time FROM known
            UNION ALL SELECT sensor, event_time FROM fresh) GROUP BY sensor)
SELECT l.sensor, coalesce(count, 0), mean, min, max, first_time, w.last_time, l.last_time,
       l.last_value, oldest, (coalesce(s.held, 0) + {_end_held})::BIGINT,
       coalesce(s.integral, 0) + {_end_integral}, hold
FROM newest AS l JOIN limits USING (sensor) JOIN oldest USING (sensor)
LEFT JOIN window_means AS w USING (sensor) LEFT JOIN segment_sums AS s USING (sensor)
"""


def figures_anew(cursor: Cursor, start: Micros, end: Micros, now: Micros) -> list[tuple[Any, ...]]:
    """Of all sensors with a late reading in `hot`, as `averages` needs them."""
    query = FIGURES.format(
        spans=torn_spans(cursor, start, end), since=f"$first_hour * {HOUR} - {EPOCH_OFFSET}"
    )
    rows = cursor.execute(query, window_of(start, end)).fetchall()
    gaps = {
        sensor: tuple(sums)
        for sensor, *sums in cursor.execute(
            GAP_SUMS,
            {"start": start, "end": end, "now": now, "sensors": [row[0] for row in rows]},
        ).fetchall()
    }
    return [(*row, *gaps.get(row[0], (0, 0))) for row in rows]
