"""Gaps at this moment: those of table `gap`, cut by what waits in `hot`, and silences up to now.

A reading that waits can only change a gap that it falls into, or add a step before the sensor's
oldest or after its newest stored reading; so only these are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipewatcher.model import GAP_FACTOR, NO_END, GapColumns, MendedColumns, Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import NO_LIMIT

EFFECTIVE = f"""
    waiting AS MATERIALIZED (
        SELECT DISTINCT sensor, event_time AS time FROM hot
        WHERE NOT keep_stored AND ($sensors IS NULL OR list_contains($sensors, sensor))),
    stored AS (
        SELECT * FROM gap WHERE end_time > $start AND start_time < $end
           AND ($sensors IS NULL OR list_contains($sensors, sensor))),
    inside AS MATERIALIZED (
        SELECT w.sensor, w.time, g.start_time, g.end_time
        FROM (SELECT sensor, time FROM waiting JOIN latest USING (sensor)
              WHERE time < last_time AND time > first_time) AS w
        ASOF JOIN stored AS g ON w.sensor = g.sensor AND w.time > g.start_time
        WHERE w.time < g.end_time),
    points AS (
        SELECT sensor, 'in' AS part, end_time AS of, time FROM inside
        UNION SELECT sensor, 'in', end_time, start_time FROM inside
        UNION SELECT sensor, 'in', end_time, end_time FROM inside
        UNION SELECT sensor, 'after', 0, time FROM waiting LEFT JOIN latest USING (sensor)
        WHERE last_time IS NULL OR time > last_time
        UNION SELECT sensor, 'after', 0, last_time FROM latest SEMI JOIN waiting USING (sensor)
        UNION SELECT sensor, 'before', 0, time FROM waiting JOIN latest USING (sensor)
        WHERE time < first_time
        UNION SELECT sensor, 'before', 0, first_time FROM latest SEMI JOIN waiting USING (sensor)),
    steps AS (
        SELECT sensor, lag(time) OVER parts AS start_time, time AS end_time
        FROM points WINDOW parts AS (PARTITION BY sensor, part, of ORDER BY time)),
    newest AS (
        SELECT sensor, max(time) AS time FROM (
            SELECT sensor, last_time AS time FROM latest
            WHERE $sensors IS NULL OR list_contains($sensors, sensor)
            UNION ALL SELECT sensor, time FROM waiting) GROUP BY sensor),
    effective AS (
        SELECT sensor, start_time, end_time FROM stored
        ANTI JOIN inside USING (sensor, start_time, end_time)
        UNION ALL
        SELECT sensor, start_time, end_time FROM steps JOIN cadence USING (sensor)
        WHERE end_time - start_time > hold AND end_time > $start AND start_time < $end
        UNION ALL
        SELECT sensor, time, {NO_END} FROM newest JOIN cadence USING (sensor)
        WHERE hold < {NO_LIMIT} AND $now - time > hold AND time < $end)
"""

GAP_SUMS = f"""
WITH {EFFECTIVE}
SELECT sensor, sum(least(end_time, $end) - greatest(start_time, $start))::BIGINT,
       max(least(end_time, $end) - greatest(start_time, $start))
FROM effective GROUP BY sensor
"""

GAPS = f"""
WITH {EFFECTIVE}
SELECT sensor, start_time, end_time, hold // {GAP_FACTOR} AS cadence
FROM effective JOIN cadence USING (sensor)
"""
MENDED = """
SELECT sensor, start_time, end_time, origin, mended_at FROM mended
WHERE end_time > $start AND start_time < $end
  AND ($sensors IS NULL OR list_contains($sensors, sensor))
"""


def gaps(
    cursor: Cursor,
    names: Names,
    start: Micros,
    end: Micros,
    now: Micros,
    sensors: Sequence[int] | None,
) -> tuple[GapColumns, MendedColumns]:
    window = {"start": start, "end": end, "sensors": sensors}
    found = cursor.execute(GAPS, {**window, "now": now}).fetchnumpy()
    mended = cursor.execute(MENDED, window).fetchnumpy()
    return GapColumns(
        equipment_ids=names.sensors,
        codes=found["sensor"],
        starts=found["start_time"],
        ends=found["end_time"],
        cadences=found["cadence"],
    ), MendedColumns(
        equipment_ids=names.sensors,
        codes=mended["sensor"],
        starts=mended["start_time"],
        ends=mended["end_time"],
        origins=[names.origin_name(origin) for origin in mended["origin"].tolist()],
        times=mended["mended_at"],
    )
