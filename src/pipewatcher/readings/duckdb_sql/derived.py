"""What follows from `raw`: rollups and `latest`, kept in the transaction that changes it.

Works on the temporary tables `incoming` (the readings that arrived) and `touched`: each
(sensor, hour) that changed, and whether it only *extends* its rollup.
"""

from __future__ import annotations

from pipewatcher.model import DAY
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.schema import (
    EPOCH_OFFSET,
    HOUR_OF,
    ROLLUP_COLUMNS,
    ROLLUP_OF_READINGS,
)

RANGE_GAP_DAYS = 3


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
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE incoming AS "
        f"SELECT *, {HOUR_OF}::INTEGER AS hour FROM raw LIMIT 0"
    )
    update_rollups(cursor)
    _renew_latest(cursor)
    for table in ("touched", "incoming", "renewed"):
        cursor.execute(f"DROP TABLE IF EXISTS {table}")


def recompute_ranges(cursor: Cursor) -> list[tuple[int, int]]:
    """Half-open ranges of event_time that hold every hour to recompute, by whole days, so that
    scattered late data reads only the days that it touches."""
    days = cursor.execute(
        "SELECT DISTINCT hour // 24 AS day FROM touched WHERE NOT extends ORDER BY day"
    ).fetchall()
    ranges: list[tuple[int, int]] = []
    for (day,) in days:
        start = day * DAY - EPOCH_OFFSET
        if ranges and start - ranges[-1][1] <= RANGE_GAP_DAYS * DAY:
            ranges[-1] = (ranges[-1][0], start + DAY)
        else:
            ranges.append((start, start + DAY))
    return ranges


def update_rollups(cursor: Cursor) -> None:
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE renewed AS
        WITH arrived AS (
            SELECT sensor, hour, {ROLLUP_OF_READINGS}
            FROM incoming SEMI JOIN (SELECT * FROM touched WHERE extends) USING (sensor, hour)
            GROUP BY sensor, hour),
        stored AS (
            SELECT {ROLLUP_COLUMNS} FROM rollup
            WHERE hour BETWEEN (SELECT min(hour) FROM arrived) AND (SELECT max(hour) FROM arrived))
        SELECT a.sensor, a.hour, a.count + coalesce(s.count, 0) AS count,
               a.sum + coalesce(s.sum, 0) AS sum, least(a.min, s.min) AS min,
               greatest(a.max, s.max) AS max, coalesce(s.first_time, a.first_time) AS first_time,
               coalesce(s.first_value, a.first_value) AS first_value, a.last_time, a.last_value,
               a.imported + coalesce(s.imported, 0) AS imported
        FROM arrived AS a LEFT JOIN stored AS s USING (sensor, hour)
        """
    )
    for start, end in recompute_ranges(cursor):
        cursor.execute(
            f"""
            INSERT INTO renewed
            SELECT sensor, hour, {ROLLUP_OF_READINGS}
            FROM (SELECT *, {HOUR_OF}::INTEGER AS hour FROM raw
                  WHERE event_time >= $1 AND event_time < $2)
            SEMI JOIN (SELECT * FROM touched WHERE NOT extends) USING (sensor, hour)
            GROUP BY sensor, hour
            """,
            [start, end],
        )
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
    cursor.execute(f"INSERT INTO rollup SELECT {ROLLUP_COLUMNS} FROM renewed ORDER BY hour, sensor")


def _renew_latest(cursor: Cursor) -> None:
    """From the rollups of the sensors in `touched`; one without readings goes."""
    cursor.execute("DELETE FROM latest WHERE sensor IN (SELECT sensor FROM touched)")
    cursor.execute(
        """
        INSERT INTO latest
        SELECT sensor, sum(count)::BIGINT, max(last_time), arg_max(last_value, last_time)
        FROM rollup WHERE sensor IN (SELECT sensor FROM touched) GROUP BY sensor
        """
    )
