"""The figures of all sensors over a window.

Held time and its integral come from the rollups, whose steps each end in their hour. Where a
window's edge or a reading in `hot` cuts between, the steps are taken from the readings. A sensor
with *late* readings in `hot` (not all of them newer than what is stored) has its stored links not
trusted: its rollups and readings are put in a row and linked anew.

Nothing is taken off again that was added before: a difference of large integrals would not be
exact. So the step that crosses `start` is none of those that rollups have added up already.
"""

from __future__ import annotations

from pipewatcher.model import GAP_FACTOR, HOUR, Micros, SensorAverage
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.gaps import GAP_SUMS
from pipewatcher.readings.duckdb_sql.reads import PARTS, torn_spans, window_of
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

AVERAGES = f"""
WITH {PARTS},
    late AS (
        SELECT DISTINCT sensor FROM fresh JOIN latest USING (sensor) WHERE event_time <= last_time),
    parts AS (
        SELECT sensor, count, sum, min, max, first_time, last_time, last_value,
               CASE WHEN prev_time < $start THEN 0 ELSE held END AS held,
               CASE WHEN prev_time < $start THEN 0 ELSE integral END AS integral
        FROM whole
        UNION ALL
        SELECT sensor, count(*), sum(value / {SUM_SCALE}), min(value), max(value),
               min(event_time), max(event_time), arg_max(value, event_time), 0, 0
        FROM readings WHERE event_time >= $start GROUP BY sensor),
    window_means AS (
        SELECT sensor, sum(count)::BIGINT AS count, sum(sum) / sum(count) * {SUM_SCALE} AS mean,
               min(min) AS min, max(max) AS max, min(first_time) AS first_time,
               max(last_time) AS last_time, arg_max(last_value, last_time) AS last_value,
               sum(held) AS held, sum(integral) AS integral
        FROM parts GROUP BY sensor),
    beyond AS (
        SELECT sensor, arg_min(prev_time, hour) AS time, arg_min(prev_value, hour) AS value
        FROM rollup WHERE hour >= $last_hour AND first_time >= $end GROUP BY sensor),
    before_start AS MATERIALIZED (
        SELECT sensor, max(time) AS time, arg_max(value, (time, rank)) AS value FROM (
            SELECT sensor, prev_time AS time, prev_value AS value, 0 AS rank FROM hours
            WHERE prev_time < $start
            UNION ALL SELECT sensor, last_time, last_value, 0 FROM latest WHERE last_time < $start
            UNION ALL SELECT sensor, time, value, 0 FROM beyond WHERE time < $start
            UNION ALL SELECT sensor, event_time, value, 1 FROM readings WHERE event_time < $start
            UNION ALL SELECT sensor, event_time, value, 1 FROM fresh WHERE event_time < $start)
        GROUP BY sensor),
    newest AS (
        SELECT sensor, max(last_time) AS last_time,
               arg_max(last_value, (last_time, rank)) AS last_value
        FROM (SELECT sensor, last_time, last_value, 0 AS rank FROM latest WHERE last_time < $end
              UNION ALL SELECT sensor, time, value, 0 FROM beyond WHERE time < $end
              UNION ALL SELECT sensor, time, value, 1 FROM before_start
              UNION ALL SELECT sensor, last_time, last_value, 2 FROM window_means)
        GROUP BY sensor),
    segments AS (
        SELECT sensor, first_time, last_time, last_value, inner_held, inner_integral,
               true AS counts, 0 AS rank
        FROM whole WHERE prev_time < $start OR sensor IN (SELECT sensor FROM late)
        UNION ALL
        SELECT sensor, event_time, event_time, value, 0, 0, event_time >= $start, 1 FROM readings
        UNION ALL
        SELECT sensor, prev_time, prev_time, prev_value, 0, 0, false, 2
        FROM hours SEMI JOIN torn USING (sensor, hour) ANTI JOIN late USING (sensor)
        WHERE prev_time IS NOT NULL
        UNION ALL
        SELECT sensor, prev_time, prev_time, prev_value, 0, 0, false, 2
        FROM hours ANTI JOIN late USING (sensor) WHERE prev_time < $start
        UNION ALL
        SELECT sensor, last_time, last_time, last_value, 0, 0, false, 2
        FROM latest SEMI JOIN fresh USING (sensor) ANTI JOIN late USING (sensor)
        WHERE last_time < $end
        UNION ALL
        SELECT sensor, time, time, value, 0, 0, false, 2
        FROM before_start SEMI JOIN fresh USING (sensor)),
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
    holding AS (
        SELECT l.sensor, hold, l.last_time, l.last_value,
               (CASE WHEN late.sensor IS NULL THEN coalesce(w.held, 0) ELSE 0 END
               + coalesce(s.held, 0) + {_end_held})::BIGINT AS held,
               CASE WHEN late.sensor IS NULL THEN coalesce(w.integral, 0) ELSE 0 END
               + coalesce(s.integral, 0) + {_end_integral} AS integral
        FROM newest AS l JOIN limits USING (sensor) LEFT JOIN window_means AS w USING (sensor)
        LEFT JOIN late USING (sensor) LEFT JOIN segment_sums AS s USING (sensor)),
    oldest AS (
        SELECT sensor, min(first_time) AS oldest FROM (
            SELECT sensor, first_time FROM latest
            UNION ALL SELECT sensor, event_time FROM fresh) GROUP BY sensor)
SELECT h.sensor, coalesce(count, 0), mean, min, max, first_time, w.last_time,
       h.last_time, h.last_value, oldest,
       CASE WHEN h.held > 0 THEN h.integral / h.held * {SUM_SCALE} * {SUM_SCALE} END,
       CASE WHEN hold < {NO_LIMIT} THEN hold // {GAP_FACTOR} END
FROM holding AS h LEFT JOIN window_means AS w USING (sensor) JOIN oldest USING (sensor)
"""


def averages(
    cursor: Cursor, names: Names, start: Micros, end: Micros, now: Micros
) -> list[SensorAverage]:
    window = window_of(start, end, None)
    query = AVERAGES.format(
        spans=torn_spans(cursor, start, end), since=f"$first_hour * {HOUR} - {EPOCH_OFFSET}"
    )
    rows = cursor.execute(query, window).fetchall()
    gaps = {
        sensor: (total, longest)
        for sensor, total, longest in cursor.execute(
            GAP_SUMS, {"start": start, "end": end, "now": max(now, end), "sensors": None}
        ).fetchall()
    }
    found = []
    for (
        sensor, count, mean, low, high, first, last, newest, value, oldest, weighted, cadence
    ) in rows:  # fmt: skip
        total, longest = gaps.get(sensor, (0, 0)) if cadence else (None, None)
        found.append(
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
                time_weighted_mean=weighted,
                oldest_time=oldest,
                cadence=cadence,
                gap_time=total,
                longest_gap=longest,
            )
        )
    return found
