"""Rollups of whole days, so that a month is read as days and the hours at its edges.

They are made of `rollup`, a day of all sensors at a time, when that day is over and nothing else
is to be done. `rolled_day` lists those that hold: whatever changes a rollup of a day takes the
day off that list in the same transaction, and until it is made again its hours are read.
"""

from __future__ import annotations

from pipewatcher.model.time import DAY, Micros
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET

HOURS = 24
SPANS_MAX = 100


def roll_one(cursor: Cursor, now: Micros) -> bool:
    """Makes the rollups of the newest day that is over and lacks them, if there is one; says so."""
    today = (now + EPOCH_OFFSET) // DAY
    lacking = cursor.execute(
        f"""
        SELECT max(day) FROM (SELECT DISTINCT hour // {HOURS} AS day FROM rollup)
        ANTI JOIN rolled_day USING (day) WHERE day < $1
        """,
        [today],
    ).fetchall()
    [(day,)] = lacking
    if day is None:
        return False
    cursor.execute("BEGIN")
    try:
        _roll(cursor, day)
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    return True


def _roll(cursor: Cursor, day: int) -> None:
    enters = f"prev_time < {day * DAY - EPOCH_OFFSET}"
    cursor.execute("DELETE FROM day_rollup WHERE day = ?", [day])
    cursor.execute(
        f"""
        INSERT INTO day_rollup
        SELECT sensor, $1, sum(count)::BIGINT, sum(sum), min(min), max(max), min(first_time),
               max(last_time), arg_max(last_value, last_time),
               sum(CASE WHEN prev_time IS NULL OR {enters} THEN inner_held ELSE held END)::BIGINT,
               sum(CASE WHEN prev_time IS NULL OR {enters} THEN inner_integral ELSE integral END),
               max(prev_time) FILTER ({enters}), any_value(prev_value) FILTER ({enters}),
               sum(held)::BIGINT, sum(integral)
        FROM rollup WHERE hour BETWEEN $1 * {HOURS} AND $1 * {HOURS} + {HOURS - 1}
        GROUP BY sensor ORDER BY sensor
        """,
        [day],
    )
    cursor.execute("INSERT INTO rolled_day VALUES (?)", [day])


def spans(cursor: Cursor, first_hour: int, last_hour: int) -> tuple[str, str]:
    """Conditions on `day` and on `hour` that together take each hour from `first_hour` to
    `last_hour` once. Run it in the transaction of the query that they are for."""
    first_day, end_day = -(-first_hour // HOURS), (last_hour + 1) // HOURS
    rolled = cursor.execute(
        "SELECT day FROM rolled_day WHERE day >= ? AND day < ? ORDER BY day", [first_day, end_day]
    ).fetchall()
    days: list[tuple[int, int]] = []
    for (day,) in rolled:
        if days and days[-1][1] == day:
            days[-1] = (days[-1][0], day + 1)
        else:
            days.append((day, day + 1))
    if len(days) > SPANS_MAX:
        days = []
    edges = [first_hour, *(day * HOURS for span in days for day in span), last_hour + 1]
    hours = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
    return _condition("day", days), _condition("hour", hours)


def _condition(column: str, ranges: list[tuple[int, int]]) -> str:
    found = (f"({column} >= {a} AND {column} < {b})" for a, b in ranges)
    return " OR ".join(found) or "false"
