"""What follows from `raw` where it changed anywhere: rollups and gaps, kept in the transaction that
changes it.

Works on `touched` (each (sensor, hour) that changed, and whether it only *extends* its rollup) and,
as `arrivals` has them, on `arrived_hour` (rollups of the readings that came) and `arrived_gap` (the
gaps within them).

`renewed` collects the rollups to be written. A step belongs to the hour in which it ends, so an
hour's rollup depends on the reading before it: after a touched hour the next one, its *follower*,
is linked again.
"""

from __future__ import annotations

from pipewatcher.model.time import DAY, HOUR
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.schema import (
    EPOCH_OFFSET,
    HOUR_OF,
    INNER_OF_STEPS,
    ROLLUP_COLUMNS,
    ROLLUP_OF_READINGS,
    held,
)

RANGE_GAP_DAYS = 3
UNLINKED_COLUMNS = ROLLUP_COLUMNS.removesuffix(", prev_time, prev_value, held, integral")
RENEWED_COLUMNS = """
    sensor INTEGER, hour INTEGER, count BIGINT, sum DOUBLE, min DOUBLE, max DOUBLE,
    first_time BIGINT, first_value DOUBLE, last_time BIGINT, last_value DOUBLE, imported BIGINT,
    inner_held BIGINT, inner_integral DOUBLE, arrived_from BIGINT, stored_until BIGINT, hold BIGINT
"""
"""Not made AS SELECT: of a table that was made empty so, DuckDB 2.0.0 shows the transaction that
made it nothing at all once a large INSERT and a small one have followed."""
NEAR_HOURS = 48
"""Neighbours are sought this far first: there they nearly always are."""
TEMPORARY = ("touched", "renewed", "stepped", "new_gap", "follower", "neighbour", "linked")


def recompute(cursor: Cursor, changed: str) -> None:
    """Brings everything that follows from `raw` up to date, after rows of any kind were changed,
    added or taken out of it in the running transaction.

    `changed` names a table with the columns sensor and event_time: every reading that is not what
    it was. Duplicates are harmless.
    """
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE touched AS "
        f"SELECT DISTINCT sensor, {HOUR_OF}::INTEGER AS hour, false AS extends FROM {changed}"
    )
    update_rollups(cursor)
    _renew_latest(cursor)
    cursor.execute(
        f"""
        UPDATE cadence SET judged_hour = NULL FROM (
            SELECT sensor, max({HOUR_OF}) AS hour FROM {changed} GROUP BY sensor) AS c
        WHERE cadence.sensor = c.sensor AND judged_from < (c.hour + 1) * {HOUR} - {EPOCH_OFFSET}
        """
    )
    drop_temporary(cursor)


def drop_temporary(cursor: Cursor) -> None:
    """They would stay in memory until this connection's next transaction of their kind."""
    for table in TEMPORARY:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")


def update_rollups(cursor: Cursor) -> None:
    """Rollups and gaps. `latest` must still be what it was."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE new_gap (sensor INTEGER, start_time BIGINT, end_time BIGINT)"
    )
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE renewed ({RENEWED_COLUMNS})")
    if one(cursor, "SELECT count(*) FROM touched WHERE extends")[0]:
        _extend(cursor)
    _recompute(cursor)
    bounds = one(cursor, "SELECT min(hour), max(hour) FROM touched")
    if bounds[0] is None:
        return
    cursor.execute(
        """
        DELETE FROM rollup USING touched
        WHERE rollup.sensor = touched.sensor AND rollup.hour = touched.hour
          AND rollup.hour BETWEEN $1 AND $2
        """,
        bounds,
    )
    _take_followers(cursor, *bounds)
    _drop_stale_gaps(cursor)
    _find_neighbours(cursor, *bounds)
    _link(cursor)
    cursor.execute(f"INSERT INTO rollup SELECT {ROLLUP_COLUMNS} FROM linked ORDER BY hour, sensor")
    cursor.execute("INSERT INTO gap SELECT * FROM new_gap ORDER BY sensor, start_time")
    cursor.execute(
        """
        DELETE FROM rolled_day WHERE day IN (
            SELECT hour // 24 FROM touched UNION SELECT hour // 24 FROM linked)
        """
    )


def recompute_ranges(cursor: Cursor) -> list[tuple[int, int]]:
    """Half-open ranges of event_time that hold every hour to recompute, so that late data far apart
    reads only what is near it."""
    hours = cursor.execute(
        "SELECT DISTINCT hour FROM touched WHERE NOT extends ORDER BY hour"
    ).fetchall()
    ranges: list[tuple[int, int]] = []
    for (hour,) in hours:
        start = hour * HOUR - EPOCH_OFFSET
        if ranges and start - ranges[-1][1] <= RANGE_GAP_DAYS * DAY:
            ranges[-1] = (ranges[-1][0], start + HOUR)
        else:
            ranges.append((start, start + HOUR))
    return ranges


def _extend(cursor: Cursor) -> None:
    """Begins `renewed` with the hours that are combined with their stored rollup."""
    step, integral = held("a.first_time - s.last_time", "s.last_value")
    cursor.execute(
        f"""
        INSERT INTO renewed
        WITH stored AS (
            SELECT {ROLLUP_COLUMNS} FROM rollup
            WHERE hour BETWEEN (SELECT min(hour) FROM touched) AND (SELECT max(hour) FROM touched))
        SELECT a.sensor, a.hour, a.count + coalesce(s.count, 0),
               a.sum + coalesce(s.sum, 0), least(a.min, s.min), greatest(a.max, s.max),
               coalesce(s.first_time, a.first_time), coalesce(s.first_value, a.first_value),
               a.last_time, a.last_value, a.imported + coalesce(s.imported, 0),
               a.inner_held + coalesce(s.inner_held, 0) + {step},
               a.inner_integral + coalesce(s.inner_integral, 0) + {integral},
               a.first_time, s.last_time, hold
        FROM arrived_hour AS a
        SEMI JOIN (SELECT sensor, hour FROM touched WHERE extends) USING (sensor, hour)
        LEFT JOIN stored AS s USING (sensor, hour)
        """
    )
    cursor.execute(
        """
        INSERT INTO new_gap
        SELECT sensor, start_time, end_time FROM arrived_gap
        SEMI JOIN (SELECT sensor, hour FROM touched WHERE extends) USING (sensor, hour)
        UNION ALL
        SELECT sensor, stored_until, arrived_from FROM renewed
        WHERE arrived_from - stored_until > hold
        """
    )


def _recompute(cursor: Cursor) -> None:
    """Adds to `renewed` the hours whose rollup is made anew from `raw`."""
    for start, end in recompute_ranges(cursor):
        cursor.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE stepped AS
            SELECT sensor, hour, event_time, value, origin, hold,
                   lag(event_time) OVER readings AS before_time,
                   lag(value) OVER readings AS before_value
            FROM (SELECT *, {HOUR_OF}::INTEGER AS hour FROM raw
                  WHERE event_time >= $1 AND event_time < $2)
            JOIN cadence USING (sensor)
            SEMI JOIN (SELECT * FROM touched WHERE NOT extends) USING (sensor, hour)
            WINDOW readings AS (PARTITION BY sensor, hour ORDER BY event_time)
            """,
            [start, end],
        )
        cursor.execute(
            f"""
            INSERT INTO renewed
            SELECT sensor, hour, {ROLLUP_OF_READINGS}, {INNER_OF_STEPS},
                   NULL, NULL, any_value(hold)
            FROM stepped GROUP BY sensor, hour
            """
        )
        cursor.execute(
            "INSERT INTO new_gap SELECT sensor, before_time, event_time FROM stepped "
            "WHERE event_time - before_time > hold"
        )


def _take_followers(cursor: Cursor, first: int, last: int) -> None:
    """Moves from `rollup` to `renewed` each row that follows a touched hour."""
    cursor.execute("CREATE OR REPLACE TEMP TABLE follower (sensor INTEGER, hour INTEGER)")
    for found_by in (f"hour BETWEEN {first} AND {last + NEAR_HOURS}", f"hour > {last}"):
        cursor.execute(
            f"""
            INSERT INTO follower
            WITH open AS (
                SELECT t.sensor, t.hour FROM touched AS t JOIN latest AS l USING (sensor)
                WHERE t.hour < (l.last_time + {EPOCH_OFFSET}) // {HOUR}
                  AND NOT EXISTS (SELECT 1 FROM follower AS f
                                  WHERE f.sensor = t.sensor AND f.hour > t.hour)),
            later AS (
                SELECT sensor, hour FROM rollup SEMI JOIN open USING (sensor) WHERE {found_by})
            SELECT DISTINCT later.sensor, later.hour
            FROM open ASOF JOIN later ON open.sensor = later.sensor AND open.hour < later.hour
            """
        )
    cursor.execute(
        f"""
        INSERT INTO renewed
        SELECT {UNLINKED_COLUMNS}, NULL, NULL, hold
        FROM rollup JOIN follower USING (sensor, hour) JOIN cadence USING (sensor)
        """
    )
    cursor.execute(
        "DELETE FROM rollup USING follower AS f "
        "WHERE rollup.sensor = f.sensor AND rollup.hour = f.hour"
    )


def _drop_stale_gaps(cursor: Cursor) -> None:
    """Those that end in an hour made anew, or with the first reading of one that is linked anew."""
    cursor.execute(
        f"""
        DELETE FROM gap USING (
            SELECT gap.sensor, gap.end_time FROM gap
            JOIN (SELECT sensor, hour, NULL AS first_time FROM touched WHERE NOT extends
                  UNION ALL
                  SELECT sensor, hour, first_time FROM renewed) AS stale
            ON gap.sensor = stale.sensor
               AND (gap.end_time + {EPOCH_OFFSET}) // {HOUR} = stale.hour
            WHERE stale.first_time IS NULL OR gap.end_time = stale.first_time) AS gone
        WHERE gap.sensor = gone.sensor AND gap.end_time = gone.end_time
        """
    )


def _find_neighbours(cursor: Cursor, first: int, last: int) -> None:
    """`neighbour`: the last reading of a sensor's hour before that is not renewed itself."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE neighbour "
        "(sensor INTEGER, hour INTEGER, last_time BIGINT, last_value DOUBLE)"
    )
    for found_by in (
        f"hour >= {first - NEAR_HOURS} AND hour <= (SELECT max(hour) FROM renewed)",
        f"hour < {first - NEAR_HOURS}",
    ):
        cursor.execute(
            f"""
            INSERT INTO neighbour
            WITH open AS (
                SELECT r.sensor, r.hour FROM renewed AS r JOIN latest AS l USING (sensor)
                WHERE r.first_time > l.first_time
                  AND NOT EXISTS (SELECT 1 FROM neighbour AS n
                                  WHERE n.sensor = r.sensor AND n.hour <= r.hour)),
            earlier AS (
                SELECT sensor, hour, last_time, last_value
                FROM rollup SEMI JOIN open USING (sensor) WHERE {found_by})
            SELECT open.sensor, open.hour, earlier.last_time, earlier.last_value
            FROM open ASOF JOIN earlier
            ON open.sensor = earlier.sensor AND open.hour > earlier.hour
            """
        )


def _link(cursor: Cursor) -> None:
    """`linked`: `renewed` with the step that enters each hour; adds its gap to `new_gap`."""
    step, integral = held("first_time - prev_time", "prev_value")
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE linked AS
        WITH chained AS (
            SELECT *, lag(last_time) OVER hours AS near_time, lag(last_value) OVER hours AS near
            FROM renewed WINDOW hours AS (PARTITION BY sensor ORDER BY hour)),
        entered AS (
            SELECT c.*,
                   CASE WHEN n.last_time IS NULL OR near_time > n.last_time THEN near_time
                        ELSE n.last_time END AS prev_time,
                   CASE WHEN n.last_time IS NULL OR near_time > n.last_time THEN near
                        ELSE n.last_value END AS prev_value
            FROM chained AS c LEFT JOIN neighbour AS n USING (sensor, hour))
        SELECT *, inner_held + {step} AS held, inner_integral + {integral} AS integral
        FROM entered
        """
    )
    cursor.execute(
        "INSERT INTO new_gap SELECT sensor, prev_time, first_time FROM linked "
        "WHERE first_time - prev_time > hold"
    )


def _renew_latest(cursor: Cursor) -> None:
    """From the rollups of the sensors in `touched`; one without readings goes."""
    cursor.execute("DELETE FROM latest WHERE sensor IN (SELECT sensor FROM touched)")
    cursor.execute(
        """
        INSERT INTO latest
        SELECT sensor, sum(count)::BIGINT, max(last_time), arg_max(last_value, last_time),
               min(first_time)
        FROM rollup WHERE sensor IN (SELECT sensor FROM touched) GROUP BY sensor
        """
    )
