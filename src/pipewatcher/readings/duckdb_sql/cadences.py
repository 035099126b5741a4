"""Cadences: learned, or set; a change makes that sensor's rollups and gaps anew in the same
transaction.

What is learned follows from the stored readings alone, whenever and in whatever order they came:
from the newest ones before the UTC day of the sensor's newest reading, and, for what stood before,
from the newest ones a day earlier; from the first 21 while there are no more. So it is judged once
a day, or when a reading that it was judged by changes; and an undo leaves no trace in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pyarrow as pa

from pipewatcher.model.gaps import GAP_FACTOR, Cadence
from pipewatcher.model.time import DAY, HOUR, Micros
from pipewatcher.readings.cadence import READINGS_JUDGED, STEPS_MIN, learned
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.questions import Questions
from pipewatcher.readings.duckdb_sql.retention import kept_from_hour
from pipewatcher.readings.duckdb_sql.schema import (
    EPOCH_OFFSET,
    HOUR_OF,
    INNER_OF_STEPS,
    NO_LIMIT,
    ROLLUP_COLUMNS,
    ROLLUP_OF_READINGS,
    WHOLE_HISTORY,
    held,
)

SENSORS_PER_STEP = 2_000
ROWS_PER_STEP = 2_000_000
"""Readings whose rollups are made anew in one transaction; a sensor with more has its own."""
HOURS_A_DAY = 24
NEAR_HOURS = 26
DAY_BEGINS = f"((last_time + {EPOCH_OFFSET}) // {DAY} * {HOURS_A_DAY})"
"""The hour in which the day of a sensor's newest reading begins."""
DUE = f"""
    SELECT sensor, learned, setting, coalesce(count, 0) AS count, {DAY_BEGINS} AS hour
    FROM cadence LEFT JOIN latest USING (sensor)
    WHERE (count > {STEPS_MIN} AND judged_hour IS DISTINCT FROM {DAY_BEGINS})
       OR (coalesce(count, 0) <= {STEPS_MIN} AND learned IS NOT NULL)
"""


def learn(cursor: Cursor, questions: Questions) -> bool:
    """Judges sensors that have a new day, in one transaction; says whether others wait."""
    due = cursor.execute(f"{DUE} ORDER BY sensor LIMIT {SENSORS_PER_STEP + 1}").fetchall()
    if not due:
        return False
    cursor.execute("BEGIN")
    try:
        left, renewed = _judge(cursor, due[:SENSORS_PER_STEP])
        with questions.none() if renewed else nullcontext():
            cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    return left or len(due) > SENSORS_PER_STEP


def known(cursor: Cursor) -> dict[int, Cadence]:
    rows = cursor.execute(
        "SELECT sensor, learned, setting FROM cadence "
        "WHERE learned IS NOT NULL OR setting IS NOT NULL"
    ).fetchall()
    return {sensor: Cadence(learned=a, setting=b) for sensor, a, b in rows}


def set_cadences(cursor: Cursor, settings: Mapping[int, Micros | None]) -> None:
    """What a person wants of each sensor: its cadence, 0 for none, None to have it learned. In the
    running transaction."""
    query = "SELECT sensor, learned, setting FROM cadence"
    known = {sensor: found for sensor, *found in cursor.execute(query).fetchall()}
    rows = []
    for sensor, wanted in settings.items():
        learned_one, setting = known.get(sensor, (None, None))
        if wanted != setting:
            rows.append((sensor, learned_one, wanted))
            if sensor not in known:  # All its readings wait for their fold.
                cursor.execute(
                    "INSERT INTO cadence VALUES (?, NULL, NULL, ?, NULL, NULL)", [sensor, NO_LIMIT]
                )
    if not rows:
        return
    _change(cursor, rows)
    cursor.execute(
        "UPDATE cadence SET setting = changed.setting FROM changed "
        "WHERE cadence.sensor = changed.sensor"
    )
    rebuild(cursor)
    cursor.execute("DROP TABLE changed")


def make_all(cursor: Cursor) -> None:
    """Learns every cadence and makes every rollup and gap, in the running transaction."""
    sensors = cursor.execute("SELECT sensor, count FROM latest ORDER BY sensor").fetchall()
    while sensors:
        part: list[int] = []
        rows = 0
        while sensors and (not part or rows + sensors[0][1] <= ROWS_PER_STEP):
            sensor, count = sensors.pop(0)
            part.append(sensor)
            rows += count
        hours = dict(
            cursor.execute(
                f"SELECT sensor, {DAY_BEGINS} FROM latest WHERE list_contains($1, sensor)", [part]
            ).fetchall()
        )
        judged = _judged(cursor, hours)
        _change(cursor, [(sensor, judged[sensor][0], None) for sensor in part])
        cursor.execute("UPDATE changed SET renew = true")
        _keep_learned(cursor)


def _judge(cursor: Cursor, due: Sequence[tuple[Any, ...]]) -> tuple[bool, bool]:
    """Whether some of them wait, and whether rollups may have been made anew."""
    judged = _judged(cursor, {row[0]: row[4] for row in due if row[3] > STEPS_MIN})
    rows: list[tuple[int, Micros | None, Micros | None]] = []
    judgements = []
    budget = ROWS_PER_STEP
    for sensor, standing, setting, count, hour in due:
        found, since = judged.get(sensor, (None, None))
        if found != standing and setting is None:
            if rows and count > budget:
                continue
            budget -= count
        if found != standing:
            rows.append((sensor, found, setting))
        judgements.append((sensor, hour if sensor in judged else None, since))
    table = _table(judgements, ("sensor", "judged_hour", "judged_from"))
    cursor.register("judgement", table)
    cursor.execute(
        "UPDATE cadence SET judged_hour = j.judged_hour, judged_from = j.judged_from "
        "FROM judgement AS j WHERE cadence.sensor = j.sensor"
    )
    cursor.unregister("judgement")
    if rows:
        _change(cursor, rows)
        _keep_learned(cursor)
    return len(judgements) < len(due), bool(rows)


def _keep_learned(cursor: Cursor) -> None:
    cursor.execute(
        "UPDATE cadence SET learned = changed.learned FROM changed "
        "WHERE cadence.sensor = changed.sensor"
    )
    rebuild(cursor)
    cursor.execute("DROP TABLE changed")


def _judged(
    cursor: Cursor, hours: Mapping[int, int]
) -> dict[int, tuple[Micros | None, Micros | None]]:
    """By sensor what is learned of it, and since when readings count for that. `hours`: in which
    hour the day of its newest reading begins."""
    if not hours:
        return {}
    now = _medians(cursor, hours)
    before = _medians(cursor, {sensor: hour - HOURS_A_DAY for sensor, hour in hours.items()})
    young = _first_medians(cursor, [sensor for sensor in hours if sensor not in now])
    judged: dict[int, tuple[Micros | None, Micros | None]] = {}
    for sensor in hours:
        if sensor in now:
            step, since = now[sensor]
            standing, earlier = before.get(sensor, (None, WHOLE_HISTORY))
            rung = None if standing is None else learned(standing, None)
            judged[sensor] = (learned(step, rung), min(since, earlier))
        else:
            first = young.get(sensor)
            judged[sensor] = (None if first is None else learned(first, None), WHOLE_HISTORY)
    return judged


def _medians(cursor: Cursor, hours: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """The median step of each sensor's newest readings before an hour, and since when they are."""
    cursor.execute("CREATE OR REPLACE TEMP TABLE wanted (sensor INTEGER, hour INTEGER)")
    cursor.register("arrived", _table(list(hours.items()), ("sensor", "hour")))
    cursor.execute("INSERT INTO wanted SELECT * FROM arrived")
    cursor.unregister("arrived")
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE since "
        "(sensor INTEGER, since BIGINT, upto BIGINT, enough BOOLEAN)"
    )
    for back in (NEAR_HOURS, 2**30):
        cursor.execute(
            f"""
            INSERT INTO since
            WITH newer AS (
                SELECT w.sensor, r.count, r.first_time, r.last_time,
                       sum(r.count) OVER (PARTITION BY w.sensor ORDER BY r.hour DESC) AS so_far
                FROM wanted AS w JOIN rollup AS r ON r.sensor = w.sensor
                WHERE r.hour < w.hour AND r.hour >= w.hour - $1
                  AND w.sensor NOT IN (SELECT sensor FROM since))
            SELECT sensor, min(first_time), max(last_time), max(so_far) >= {READINGS_JUDGED}
            FROM newer WHERE so_far - newer.count < {READINGS_JUDGED}
            GROUP BY sensor HAVING max(so_far) >= {READINGS_JUDGED} OR $1 = {2**30}
            """,
            [back],
        )
    rows = cursor.execute(
        f"""
        WITH ranked AS (
            SELECT sensor, event_time, enough,
                   event_time - lag(event_time) OVER (PARTITION BY sensor ORDER BY event_time)
                   AS step,
                   row_number() OVER (PARTITION BY sensor ORDER BY event_time DESC) AS rank
            FROM raw JOIN since USING (sensor)
            WHERE event_time BETWEEN since AND upto
              AND event_time BETWEEN (SELECT min(since) FROM since)
                                 AND (SELECT max(upto) FROM since))
        SELECT sensor, quantile_disc(step, 0.5), min(event_time), bool_and(enough) FROM ranked
        WHERE rank <= {READINGS_JUDGED} GROUP BY sensor HAVING count(step) >= {STEPS_MIN}
        """
    ).fetchall()
    cursor.execute("DROP TABLE since")
    cursor.execute("DROP TABLE wanted")
    return {
        sensor: (step, since if enough else WHOLE_HISTORY) for sensor, step, since, enough in rows
    }


def _first_medians(cursor: Cursor, sensors: list[int]) -> dict[int, int]:
    """The median of each sensor's first 20 steps; those that have fewer are left out."""
    if not sensors:
        return {}
    rows = cursor.execute(
        f"""
        WITH older AS (
            SELECT sensor, count, last_time,
                   sum(count) OVER (PARTITION BY sensor ORDER BY hour) AS so_far
            FROM rollup WHERE list_contains($1, sensor)),
        upto AS (
            SELECT sensor, max(last_time) AS upto FROM older
            WHERE so_far - count <= {STEPS_MIN} GROUP BY sensor),
        ranked AS (
            SELECT sensor,
                   event_time - lag(event_time) OVER (PARTITION BY sensor ORDER BY event_time)
                   AS step,
                   row_number() OVER (PARTITION BY sensor ORDER BY event_time) AS rank
            FROM raw JOIN upto USING (sensor)
            WHERE event_time <= upto AND event_time <= (SELECT max(upto) FROM upto))
        SELECT sensor, quantile_disc(step, 0.5) FROM ranked
        WHERE rank <= {STEPS_MIN + 1} GROUP BY sensor HAVING count(step) >= {STEPS_MIN}
        """,
        [sensors],
    ).fetchall()
    return dict(rows)


def _change(cursor: Cursor, rows: Sequence[tuple[int, Micros | None, Micros | None]]) -> None:
    """`changed`: sensors with what is learned and set of them; and their hold limits."""
    table = _table(
        [(*row, _hold(learned=row[1], setting=row[2])) for row in rows],
        ("sensor", "learned", "setting", "hold"),
    )
    cursor.register("arrived", table)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE changed AS SELECT arrived.*, c.hold <> arrived.hold AS renew "
        "FROM arrived JOIN cadence AS c USING (sensor)"
    )
    cursor.unregister("arrived")
    cursor.execute(
        "UPDATE cadence SET hold = changed.hold FROM changed WHERE cadence.sensor = changed.sensor"
    )


def _hold(*, learned: Micros | None, setting: Micros | None) -> Micros:
    cadence = learned if setting is None else setting
    return GAP_FACTOR * cadence if cadence else NO_LIMIT


def _table(rows: Sequence[tuple[int | None, ...]], names: tuple[str, ...]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table(
        {name: pa.array(column, pa.int64()) for name, column in zip(names, columns, strict=True)}
    )


def rebuild(cursor: Cursor) -> None:
    """Makes rollups and gaps of the sensors in `changed` whose hold limit is another, from `raw`
    as far as it is kept. Only what depends on the limit can come out otherwise."""
    if not one(cursor, "SELECT count(*) FROM changed WHERE renew")[0]:
        return
    same_hour = f"before >= hour * {HOUR} - {EPOCH_OFFSET}"
    step, integral = held("first_time - prev_time", "prev_value")
    kept = kept_from_hour(cursor)
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE stepped AS
        WITH readings AS (
            SELECT sensor, event_time, value, origin FROM raw
            WHERE sensor IN (SELECT sensor FROM changed WHERE renew)
            UNION ALL
            SELECT sensor, max(last_time), arg_max(last_value, last_time), 0 FROM rollup
            WHERE hour < $1 AND sensor IN (SELECT sensor FROM changed WHERE renew)
            GROUP BY sensor)
        SELECT sensor, {HOUR_OF}::INTEGER AS hour, event_time, value, origin, hold,
               lag(event_time) OVER steps AS before, lag(value) OVER steps AS before_value
        FROM readings JOIN cadence USING (sensor)
        WINDOW steps AS (PARTITION BY sensor ORDER BY event_time)
        """,
        [kept],
    )
    cursor.execute("DELETE FROM stepped WHERE hour < ?", [kept])
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE linked AS
        WITH own AS (
            SELECT sensor, hour, {ROLLUP_OF_READINGS}, {INNER_OF_STEPS},
                   max(before) FILTER (before_time IS NULL) AS prev_time,
                   any_value(before_value) FILTER (before_time IS NULL) AS prev_value,
                   any_value(hold) AS hold
            FROM (SELECT *, CASE WHEN {same_hour} THEN before END AS before_time FROM stepped)
            GROUP BY sensor, hour)
        SELECT *, inner_held + {step} AS held, inner_integral + {integral} AS integral FROM own
        """
    )
    changed = "sensor IN (SELECT sensor FROM changed WHERE renew)"
    cursor.execute(f"DELETE FROM rollup WHERE {changed} AND hour >= ?", [kept])
    cursor.execute(f"INSERT INTO rollup SELECT {ROLLUP_COLUMNS} FROM linked ORDER BY hour, sensor")
    cursor.execute("DELETE FROM rolled_day")
    cursor.execute(
        f"DELETE FROM gap WHERE {changed} AND end_time >= ?", [kept * HOUR - EPOCH_OFFSET]
    )
    cursor.execute(
        "INSERT INTO gap SELECT sensor, before, event_time FROM stepped "
        "WHERE event_time - before > hold ORDER BY sensor, before"
    )
    for table in ("stepped", "linked"):
        cursor.execute(f"DROP TABLE {table}")
