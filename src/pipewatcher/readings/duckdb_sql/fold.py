"""Fold: moves drained readings from `hot` into `raw` and brings the rollups up to date.

One transaction, so a crash at any line leaves the state before it. The input is everything up
to a mark in commit-log order; of several writes to one reading the last one stands.

An hour is *extended* when all of its new readings are later than its last stored one: its rollup
is combined with theirs and `raw` need not be read. Otherwise its predecessors are looked up and
the hour is *recomputed* from `raw`. Both give the same rollup (property-tested).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipewatcher.model import HOUR, Micros
from pipewatcher.readings.duckdb_sql.books import count_folded
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.derived import (
    drop_temporary,
    recompute_ranges,
    update_rollups,
)
from pipewatcher.readings.duckdb_sql.outcomes import count_outcomes, drop_kept, keep_versions
from pipewatcher.readings.duckdb_sql.schema import (
    DAY_OF,
    EPOCH_OFFSET,
    HOUR_OF,
    NO_LIMIT,
    WHOLE_HISTORY,
)

ROWS_MAX = 200_000
TEMPORARY = ("taken", "unwanted", "predecessor", "newest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    rows: int
    """Rows taken out of `hot`."""
    more: bool
    """Whether `hot` held rows past the mark when the fold began."""


def fold(cursor: Cursor, now: Micros) -> Folded:
    """Folds the oldest rows of `hot`, at most `ROWS_MAX`, in one transaction."""
    cursor.execute("BEGIN")
    try:
        folded = _fold(cursor, now)
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    return folded


def _fold(cursor: Cursor, now: Micros) -> Folded:
    first, last, keeps = one(
        cursor, "SELECT min(seq), max(seq), coalesce(bool_or(keep_stored), false) FROM hot"
    )
    if first is None:
        return Folded(rows=0, more=False)
    mark = _mark(cursor, min(last, first + ROWS_MAX - 1))
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE taken AS SELECT *, {HOUR_OF}::INTEGER AS hour "
        "FROM hot WHERE seq <= ?",
        [mark],
    )
    rows = one(cursor, "SELECT count(*) FROM taken")[0]
    if keeps:
        drop_kept(cursor)
    _take_last_writes(cursor)
    _find_groups(cursor)
    _find_predecessors(cursor)
    if one(cursor, "SELECT count(*) FROM incoming WHERE origin < 0")[0]:
        count_outcomes(cursor)
    count_folded(cursor, skipped=keeps)
    keep_versions(cursor)
    _replace_in_raw(cursor)
    _note_mended(cursor, now)
    update_rollups(cursor)
    _update_latest(cursor)
    cursor.execute("DELETE FROM hot WHERE seq <= ?", [mark])
    drop_temporary(cursor)
    for table in TEMPORARY:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
    return Folded(rows=rows, more=mark < last)


def _mark(cursor: Cursor, bound: int) -> int:
    """The last seq of this fold: before the first place where an import and another origin
    write the same reading one after the other, so that each is judged against the other."""
    if not one(cursor, "SELECT count(*) FROM hot WHERE origin < 0 AND seq <= ?", [bound])[0]:
        return bound
    switch = one(
        cursor,
        """
        WITH contested AS (
            SELECT sensor, event_time FROM hot WHERE seq <= $1
            GROUP BY ALL HAVING min(origin) < 0 AND min(origin) <> max(origin)),
        ordered AS (
            SELECT seq, origin, lag(origin) OVER (PARTITION BY sensor, event_time ORDER BY seq) AS o
            FROM hot SEMI JOIN contested USING (sensor, event_time) WHERE seq <= $1)
        SELECT min(seq) FROM ordered WHERE o <> origin AND (o < 0 OR origin < 0)
        """,
        [bound],
    )[0]
    return bound if switch is None else int(switch) - 1


def _take_last_writes(cursor: Cursor) -> None:
    """`incoming`: the write of each reading that stands, with how often it was written and the
    reading before it."""
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE incoming AS
        SELECT *, lag(event_time) OVER readings AS before_time,
               lag(value) OVER readings AS before_value
        FROM (SELECT sensor, event_time, any_value(hour) AS hour, arg_max(value, seq) AS value,
                     arg_max(origin, seq) AS origin, max(seq) AS seq, count(*) AS writes
              FROM taken GROUP BY sensor, event_time)
        WINDOW readings AS (PARTITION BY sensor ORDER BY event_time)
        """
    )
    cursor.execute(
        """
        INSERT INTO cadence
        SELECT sensor, NULL, NULL, $1, NULL, NULL
        FROM (SELECT DISTINCT sensor FROM incoming) ANTI JOIN cadence USING (sensor)
        """,
        [NO_LIMIT],
    )


def _find_groups(cursor: Cursor) -> None:
    """`arrival`: each sensor of `incoming` and whether all its readings are later than what is
    stored; `touched`: each (sensor, hour) and whether it extends its rollup."""
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE arrival AS
        SELECT sensor, coalesce(min(event_time) > any_value(last_time), true) AS in_order
        FROM incoming LEFT JOIN latest USING (sensor) GROUP BY sensor
        """
    )
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE touched AS
        WITH arrived AS (
            SELECT sensor, hour, min(event_time) AS first_time FROM incoming GROUP BY ALL),
        stored AS (
            SELECT sensor, hour, last_time FROM rollup
            WHERE hour BETWEEN (SELECT min(hour) FROM arrived) AND (SELECT max(hour) FROM arrived))
        SELECT arrived.sensor, arrived.hour,
               coalesce(arrived.first_time > stored.last_time, true) AS extends
        FROM arrived LEFT JOIN stored USING (sensor, hour)
        """
    )


def _note_mended(cursor: Cursor, now: Micros) -> None:
    """Remembers the gaps into which readings came, as they were before that origin's first one."""
    if not one(cursor, "SELECT count(*) FROM arrival WHERE NOT in_order")[0]:
        return
    cursor.execute(
        """
        INSERT INTO mended
        WITH late AS (
            SELECT sensor, event_time, origin FROM incoming
            SEMI JOIN (SELECT sensor FROM arrival WHERE NOT in_order) USING (sensor)),
        inside AS (
            SELECT DISTINCT g.sensor, g.start_time, g.end_time, late.origin
            FROM late ASOF JOIN gap AS g
            ON late.sensor = g.sensor AND late.event_time > g.start_time
            WHERE late.event_time < g.end_time)
        SELECT *, $1 FROM inside
        WHERE NOT EXISTS (
            SELECT 1 FROM mended AS m
            WHERE m.sensor = inside.sensor AND m.origin = inside.origin
              AND m.start_time <= inside.start_time AND m.end_time >= inside.end_time)
        """,
        [now],
    )


def _find_predecessors(cursor: Cursor) -> None:
    """`predecessor`: rows of `raw` that `incoming` overwrites. Extended hours have none."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE predecessor "
        "(sensor INTEGER, event_time BIGINT, value DOUBLE, origin INTEGER)"
    )
    for start, end in recompute_ranges(cursor):
        cursor.execute(
            """
            INSERT INTO predecessor
            SELECT raw.sensor, raw.event_time, raw.value, raw.origin
            FROM raw SEMI JOIN (
                SELECT sensor, event_time FROM incoming
                SEMI JOIN (SELECT * FROM touched WHERE NOT extends) USING (sensor, hour)
                WHERE event_time >= $1 AND event_time < $2) USING (sensor, event_time)
            WHERE raw.event_time >= $1 AND raw.event_time < $2
            """,
            [start, end],
        )


def _replace_in_raw(cursor: Cursor) -> None:
    bounds = one(cursor, "SELECT min(event_time), max(event_time) FROM predecessor")
    if bounds[0] is not None:
        cursor.execute(
            """
            DELETE FROM raw USING predecessor AS old
            WHERE raw.sensor = old.sensor AND raw.event_time = old.event_time
              AND raw.event_time BETWEEN $1 AND $2
            """,
            bounds,
        )
    cursor.execute(
        f"""
        INSERT INTO raw SELECT sensor, event_time, value, origin FROM incoming
        ORDER BY {DAY_OF}, sensor, event_time
        """
    )
    cursor.execute(
        f"INSERT INTO unclustered SELECT {DAY_OF}::INTEGER, count(*) FROM incoming GROUP BY ALL"
    )


def _update_latest(cursor: Cursor) -> None:
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE newest AS
        WITH arrived AS (
            SELECT sensor, count(*) AS count, max(event_time) AS last_time,
                   arg_max(value, event_time) AS last_value, min(event_time) AS first_time
            FROM incoming GROUP BY sensor),
        gone AS (SELECT sensor, count(*) AS count FROM predecessor GROUP BY sensor)
        SELECT a.sensor, a.count + coalesce(l.count, 0) - coalesce(g.count, 0) AS count,
               greatest(a.last_time, l.last_time) AS last_time,
               CASE WHEN l.last_time > a.last_time THEN l.last_value ELSE a.last_value END
               AS last_value,
               least(a.first_time, l.first_time) AS first_time
        FROM arrived AS a LEFT JOIN latest AS l USING (sensor) LEFT JOIN gone AS g USING (sensor)
        """
    )
    cursor.execute("DELETE FROM latest USING newest WHERE latest.sensor = newest.sensor")
    cursor.execute(
        "INSERT INTO latest SELECT sensor, count, last_time, last_value, first_time FROM newest"
    )
    # A late reading inside what a cadence was judged by: it is judged again.
    cursor.execute(
        f"""
        UPDATE cadence SET judged_hour = NULL FROM (
            SELECT sensor, min(event_time) AS oldest, max(event_time) AS newest FROM incoming
            SEMI JOIN (SELECT sensor FROM arrival WHERE NOT in_order) USING (sensor)
            GROUP BY sensor) AS late
        WHERE cadence.sensor = late.sensor AND judged_hour IS NOT NULL
          AND judged_from <= late.newest
          AND (judged_from = {WHOLE_HISTORY}
               OR late.oldest < judged_hour::BIGINT * {HOUR} - {EPOCH_OFFSET})
        """
    )
