"""Fold: moves drained readings from `hot` into `raw` and brings the rollups up to date.

One transaction, so a crash at any line leaves the state before it. The input is everything up
to a mark in commit-log order; of several writes to one reading the last one stands.

An hour is *extended* when all of its new readings are later than its last stored one: its rollup
is combined with theirs and `raw` need not be read. Otherwise its predecessors are looked up and
the hour is *recomputed* from `raw`. Both give the same rollup (property-tested). Sensors whose
readings are all in order go the short way of `in_order`, the others that of `derived`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipewatcher.model.time import HOUR, Micros
from pipewatcher.readings.duckdb_sql.arrivals import Columns, Ints, arrange, chosen
from pipewatcher.readings.duckdb_sql.books import count_folded, count_skipped
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert, one
from pipewatcher.readings.duckdb_sql.derived import (
    drop_temporary,
    recompute_ranges,
    update_rollups,
)
from pipewatcher.readings.duckdb_sql.in_order import extend, renew_latest
from pipewatcher.readings.duckdb_sql.outcomes import count_outcomes, drop_kept, keep_versions
from pipewatcher.readings.duckdb_sql.questions import ROWS_SEEN_EARLY, Questions
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET, NO_LIMIT, WHOLE_HISTORY
from pipewatcher.readings.duckdb_sql.silences import note_filled

ROWS_MAX = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    rows: int
    """Rows taken out of `hot`."""
    more: bool
    """Whether `hot` held rows past the mark when the fold began."""


def fold(cursor: Cursor, now: Micros, questions: Questions) -> Folded:
    """Folds the oldest rows of `hot`, at most `ROWS_MAX`, in one transaction."""
    cursor.execute("BEGIN")
    try:
        folded = _fold(cursor, now)
        with questions.none() if folded.rows >= ROWS_SEEN_EARLY else nullcontext():
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
    rows = one(cursor, "SELECT count(*) FROM hot WHERE seq <= ?", [mark])[0]
    taken = _take(cursor, mark, keeps=keeps)
    if len(taken["sensor"]):
        _take_in(cursor, taken, now)
    if keeps:
        count_skipped(cursor)
        cursor.execute("DROP TABLE taken")
        cursor.execute("DROP TABLE unwanted")
    cursor.execute("DELETE FROM hot WHERE seq <= ?", [mark])
    return Folded(rows=rows, more=mark < last)


def _take(cursor: Cursor, mark: int, *, keeps: bool) -> Columns:
    """The columns of `hot` up to a mark, without what an import that keeps what is stored would
    change."""
    columns = "SELECT sensor, event_time, value, origin, seq FROM"
    if not keeps:
        return cursor.execute(f"{columns} hot WHERE seq <= ?", [mark]).fetchnumpy()
    cursor.execute("CREATE OR REPLACE TEMP TABLE taken AS SELECT * FROM hot WHERE seq <= ?", [mark])
    drop_kept(cursor)
    return cursor.execute(f"{columns} taken").fetchnumpy()


def _take_in(cursor: Cursor, taken: Columns, now: Micros) -> None:
    latest = cursor.execute("SELECT * FROM latest").fetchnumpy()
    holds = cursor.execute("SELECT sensor, hold FROM cadence").fetchnumpy()
    arrivals = arrange(taken, latest, holds)
    late = bool(arrivals.sensors["late"].any())
    with _views(
        cursor,
        incoming=arrivals.readings,
        arrival=chosen(arrivals.sensors, arrivals.sensors["late"]),
        arrived_hour=chosen(arrivals.hours, arrivals.hours["late"]),
        arrived_gap=chosen(arrivals.gaps, arrivals.gaps["late"]),
    ):
        _add_cadences(cursor, arrivals.sensors["sensor"], holds["sensor"])
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE predecessor "
            "(sensor INTEGER, event_time BIGINT, value DOUBLE, origin INTEGER)"
        )
        if late:
            _find_touched(cursor)
            _find_predecessors(cursor)
        if min(arrivals.writes_by_origin) < 0:
            count_outcomes(cursor)
        count_folded(cursor, arrivals.writes_by_origin, arrivals.readings_by_origin, met=late)
        if late:
            keep_versions(cursor)
            _take_out_of_raw(cursor)
        _put_into_raw(cursor, arrivals.readings_by_day)
        times = arrivals.readings["event_time"]
        note_filled(cursor, int(times.min()), int(times.max()), now)
        if late:
            _note_mended(cursor, now)
            _judge_again(cursor)
            update_rollups(cursor)
            _update_latest(cursor)
            drop_temporary(cursor)
        extend(
            cursor,
            chosen(arrivals.hours, ~arrivals.hours["late"]),
            chosen(arrivals.gaps, ~arrivals.gaps["late"]),
            latest,
        )
        renew_latest(cursor, chosen(arrivals.sensors, ~arrivals.sensors["late"]), latest)
        cursor.execute("DROP TABLE predecessor")


@contextmanager
def _views(cursor: Cursor, **tables: Columns) -> Iterator[None]:
    for name, columns in tables.items():
        cursor.register(name, pa.table(dict(columns)))
    try:
        yield
    finally:
        for name in tables:
            cursor.unregister(name)


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


def _add_cadences(cursor: Cursor, arrived: Ints, known: Ints) -> None:
    """A row for each sensor that comes for the first time."""
    new = np.setdiff1d(arrived, known)
    if len(new):
        cursor.execute(
            "INSERT INTO cadence SELECT unnest($1::INTEGER[]), NULL, NULL, $2, NULL, NULL",
            [new.tolist(), NO_LIMIT],
        )


def _find_touched(cursor: Cursor) -> None:
    """`touched`: each (sensor, hour) of the late sensors and whether it extends its rollup."""
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE touched AS
        WITH stored AS (
            SELECT sensor, hour, last_time FROM rollup
            WHERE hour BETWEEN (SELECT min(hour) FROM arrived_hour)
                           AND (SELECT max(hour) FROM arrived_hour))
        SELECT a.sensor, a.hour, coalesce(a.first_time > stored.last_time, true) AS extends
        FROM arrived_hour AS a LEFT JOIN stored USING (sensor, hour)
        """
    )


def _note_mended(cursor: Cursor, now: Micros) -> None:
    """Remembers the gaps into which readings came, as they were before that origin's first one."""
    cursor.execute(
        """
        INSERT INTO mended
        WITH late AS (
            SELECT sensor, event_time, origin FROM incoming
            SEMI JOIN arrival USING (sensor)),
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
    for start, end in recompute_ranges(cursor):
        cursor.execute(
            """
            INSERT INTO predecessor
            SELECT sensor, event_time, value, origin FROM raw SEMI JOIN (
                SELECT sensor, event_time FROM incoming
                SEMI JOIN (SELECT * FROM touched WHERE NOT extends) USING (sensor, hour)
                WHERE event_time >= $1 AND event_time < $2) USING (sensor, event_time)
            WHERE event_time >= $1 AND event_time < $2
            """,
            [start, end],
        )


def _take_out_of_raw(cursor: Cursor) -> None:
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


def _put_into_raw(cursor: Cursor, readings_by_day: Mapping[int, int]) -> None:
    cursor.execute("INSERT INTO raw SELECT sensor, event_time, value, origin FROM incoming")
    days = pa.table(
        {
            "day": pa.array(list(readings_by_day), pa.int32()),
            "rows": pa.array(list(readings_by_day.values()), pa.int64()),
        }
    )
    insert(cursor, "unclustered", days)


def _update_latest(cursor: Cursor) -> None:
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE newest AS
        WITH gone AS (SELECT sensor, count(*) AS count FROM predecessor GROUP BY sensor)
        SELECT a.sensor, a.count + coalesce(l.count, 0) - coalesce(g.count, 0) AS count,
               greatest(a.last_time, l.last_time) AS last_time,
               CASE WHEN l.last_time > a.last_time THEN l.last_value ELSE a.last_value END
               AS last_value,
               least(a.first_time, l.first_time) AS first_time
        FROM arrival AS a LEFT JOIN latest AS l USING (sensor) LEFT JOIN gone AS g USING (sensor)
        """
    )
    cursor.execute("DELETE FROM latest USING newest WHERE latest.sensor = newest.sensor")
    cursor.execute(
        "INSERT INTO latest SELECT sensor, count, last_time, last_value, first_time FROM newest"
    )
    cursor.execute("DROP TABLE newest")


def _judge_again(cursor: Cursor) -> None:
    """A late reading inside what a cadence was judged by: it is judged again."""
    cursor.execute(
        f"""
        UPDATE cadence SET judged_hour = NULL FROM (
            SELECT sensor, first_time, last_time FROM arrival) AS late
        WHERE cadence.sensor = late.sensor AND judged_hour IS NOT NULL
          AND judged_from <= late.last_time
          AND (judged_from = {WHOLE_HISTORY}
               OR late.first_time < judged_hour::BIGINT * {HOUR} - {EPOCH_OFFSET})
        """
    )
