"""What a dry run's readings would do to gaps, and to what follows from them.

Works on `incoming`, as `rehearse` makes it. For the figures the rows of some sensors stand in a
temporary table `hot`, which on this connection hides the one of the store: then every question is
answered as it will be once they have been appended.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipewatcher.model.figures import SensorAverage
from pipewatcher.model.gaps import GAP_FACTOR, expected_in_gap
from pipewatcher.model.imports import MendedGap
from pipewatcher.model.time import Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.averages import averages
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one

CLOSED_MAX = 100
MENDED = f"""
    CREATE OR REPLACE TEMP TABLE mending AS
    WITH inside AS (
        SELECT g.sensor, g.start_time, g.end_time, i.event_time AS time
        FROM incoming AS i
        ASOF JOIN gap AS g ON i.sensor = g.sensor AND i.event_time > g.start_time
        WHERE i.event_time < g.end_time),
    met AS (SELECT DISTINCT sensor, start_time, end_time FROM inside),
    points AS (
        SELECT * FROM inside
        UNION ALL SELECT *, start_time FROM met
        UNION ALL SELECT *, end_time FROM met),
    steps AS (
        SELECT *, time - lag(time) OVER (PARTITION BY sensor, start_time ORDER BY time) AS step
        FROM points)
    SELECT sensor, start_time, end_time, hold // {GAP_FACTOR} AS cadence,
           NOT bool_or(step > hold) AS closed
    FROM steps JOIN cadence USING (sensor) GROUP BY ALL
"""


def mended(cursor: Cursor, names: Names) -> tuple[int, int, list[MendedGap]]:
    """How many gaps would be closed and how many filled in part; the newest 100 of the closed."""
    cursor.execute(MENDED)
    closed, partly = one(
        cursor, "SELECT count(*) FILTER (closed), count(*) FILTER (NOT closed) FROM mending"
    )
    rows = cursor.execute(
        "SELECT sensor, start_time, end_time, cadence FROM mending WHERE closed "
        f"ORDER BY start_time DESC, sensor LIMIT {CLOSED_MAX}"
    ).fetchall()
    cursor.execute("DROP TABLE mending")
    return (
        closed,
        partly,
        [
            MendedGap(
                equipment_id=names.sensors[sensor],
                start=start,
                end=end,
                expected=expected_in_gap(start, end, cadence),
            )
            for sensor, start, end, cadence in rows
        ],
    )


def averages_with_incoming(
    cursor: Cursor, names: Names, sensors: Sequence[int], start: Micros, end: Micros
) -> list[SensorAverage]:
    """As they would be, of these sensors at least."""
    cursor.execute(
        """
        CREATE TEMP TABLE hot AS
        SELECT sensor, event_time, value, origin, seq, keep_stored FROM hot
        UNION ALL
        SELECT sensor, event_time, value, -1, (SELECT coalesce(max(seq), 0) + 1 FROM hot), false
        FROM incoming WHERE list_contains($1, sensor)
        """,
        [list(sensors)],
    )
    try:
        return averages(cursor, names, start, end, end)
    finally:
        cursor.execute("DROP TABLE temp.hot")
