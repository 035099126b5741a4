"""What looks wrong about a file that is rehearsed: signs, not proofs. Part of a dry run; works on
its temporary table `incoming`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from pipewatcher.model.imports import Suspect, Suspicion, SuspicionKind
from pipewatcher.model.time import DAY, HOUR, Micros
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET, SUM_SCALE

SUSPECTS_MAX = 20
JUMP_SPAN: Micros = 30 * DAY
"""How far around the file stored readings are compared with."""
JUMP_STORED_MIN, JUMP_ROWS_MIN = 20, 5
JUMP_SHARE = 0.9
SHIFT_HOURS_MAX = 14
"""Time zones reach from -12 to +14."""
SHIFT_SENSORS, SHIFT_ROWS = 200, 64
"""A sample: a clock is shifted for a whole file."""
SHIFT_ROWS_MIN = 10
SHIFT_SHARE = 0.9
SHIFT_VALUES_MIN = 5
"""A series that hardly moves equals itself at any shift."""

Ranges = Mapping[int, tuple[float | None, float | None]]


def suspicions(
    cursor: Cursor, of: Mapping[int, str], ranges: Ranges, start: Micros, end: Micros
) -> list[Suspicion]:
    """Over the readings of `[start, end)`, which `incoming` lies in."""
    found = [
        _suspicion("outside_range", _outside_range(cursor, ranges), of),
        _suspicion("unit_jump", _unit_jump(cursor, start, end), of),
        _suspicion("clock_shifted", _clock_shifted(cursor, start, end), of),
        _suspicion("after_newest", _after_newest(cursor), of),
    ]
    return [one for one in found if one is not None]


def _suspicion(
    kind: SuspicionKind, rows: list[tuple[Any, ...]], of: Mapping[int, str]
) -> Suspicion | None:
    """Rows are (sensor, readings, first time, value there, what is told of it)."""
    if not rows:
        return None
    tell: Callable[[Any], dict[str, Any]] = {
        "outside_range": lambda told: {},
        "unit_jump": lambda told: {"factor": told},
        "clock_shifted": lambda told: {"shift_hours": told},
        "after_newest": lambda told: {},
    }[kind]
    return Suspicion(
        kind=kind,
        sensors=len(rows),
        readings=sum(row[1] for row in rows),
        items=[
            Suspect(
                equipment_id=of[sensor], readings=count, event_time=time, value=value, **tell(told)
            )
            for sensor, count, time, value, told in rows[:SUSPECTS_MAX]
        ],
    )


def _outside_range(cursor: Cursor, ranges: Ranges) -> list[tuple[Any, ...]]:
    if not ranges:
        return []
    cursor.execute("CREATE OR REPLACE TEMP TABLE span (sensor INTEGER, low DOUBLE, high DOUBLE)")
    lows, highs = zip(*ranges.values(), strict=True)
    columns = {
        "sensor": pa.array(list(ranges), pa.int32()),
        "low": pa.array(lows, pa.float64()),
        "high": pa.array(highs, pa.float64()),
    }
    insert(cursor, "span", pa.table(columns))
    rows = cursor.execute(
        """
        SELECT sensor, count(*), min(event_time), arg_min(value, event_time), NULL
        FROM incoming JOIN span USING (sensor)
        WHERE value < low OR value > high GROUP BY sensor ORDER BY count(*) DESC, sensor
        """
    ).fetchall()
    cursor.execute("DROP TABLE span")
    return rows


def _unit_jump(cursor: Cursor, start: Micros, end: Micros) -> list[tuple[Any, ...]]:
    """Sensors nearly all of whose values lie further outside of what is stored around them than
    that is wide; told is the factor between the means."""
    return cursor.execute(
        f"""
        WITH stored AS (
            SELECT sensor, sum(count) AS count, min(min) AS low, max(max) AS high,
                   sum(sum) / sum(count) * {SUM_SCALE} AS mean
            FROM rollup WHERE hour BETWEEN $1 AND $2 AND sensor IN (SELECT sensor FROM incoming)
            GROUP BY sensor HAVING sum(count) >= {JUMP_STORED_MIN}),
        usual AS (
            SELECT *, greatest(high - low, abs(mean) * 0.01, 1e-9) AS width FROM stored)
        SELECT sensor, count(*) AS readings, min(event_time), arg_min(value, event_time),
               CASE WHEN any_value(mean) <> 0
                    THEN avg(value / {SUM_SCALE}) / (any_value(mean) / {SUM_SCALE}) END
        FROM incoming JOIN usual USING (sensor) GROUP BY sensor
        HAVING count(*) >= {JUMP_ROWS_MIN}
           AND count(*) FILTER (value < low - width OR value > high + width)
               >= {JUMP_SHARE} * count(*)
        ORDER BY readings DESC, sensor
        """,
        [_hour(start - JUMP_SPAN), _hour(end + JUMP_SPAN)],
    ).fetchall()


def _clock_shifted(cursor: Cursor, start: Micros, end: Micros) -> list[tuple[Any, ...]]:
    """Sensors whose values are stored already, but whole hours later or earlier; told is how many
    hours have to be added to the file's times."""
    return cursor.execute(
        f"""
        WITH counted AS (
            SELECT sensor, count(*) AS n FROM incoming WHERE sensor >= 0
            GROUP BY sensor HAVING count(*) >= {SHIFT_ROWS_MIN}
            ORDER BY hash(sensor) LIMIT {SHIFT_SENSORS}),
        sample AS (
            SELECT sensor, event_time, value FROM incoming JOIN counted USING (sensor)
            WHERE hash(event_time) % (1 + n // {SHIFT_ROWS})::UBIGINT = 0),
        probes AS (
            SELECT sensor, event_time + shift * {HOUR} AS event_time, value, shift
            FROM sample, generate_series(-{SHIFT_HOURS_MAX}, {SHIFT_HOURS_MAX}) AS s(shift)),
        compared AS (
            SELECT sensor, shift, count(*) AS met,
                   count(*) FILTER (raw.value = probes.value) AS equal,
                   count(DISTINCT raw.value) FILTER (raw.value = probes.value) AS distinct_values
            FROM raw JOIN probes USING (sensor, event_time)
            WHERE raw.event_time BETWEEN $1 AND $2 GROUP BY ALL),
        unshifted AS (SELECT sensor, equal / met AS share FROM compared WHERE shift = 0),
        best AS (
            SELECT sensor, arg_max(shift, (equal, -abs(shift))) AS shift FROM compared
            LEFT JOIN unshifted USING (sensor)
            WHERE shift <> 0 AND met >= {SHIFT_ROWS_MIN} AND equal >= {SHIFT_SHARE} * met
              AND distinct_values >= {SHIFT_VALUES_MIN} AND coalesce(share, 0) < 0.5
            GROUP BY sensor)
        SELECT sensor, count(*), min(event_time), arg_min(value, event_time), any_value(shift)
        FROM incoming JOIN best USING (sensor) GROUP BY sensor ORDER BY count(*) DESC, sensor
        """,
        [start - SHIFT_HOURS_MAX * HOUR, end + SHIFT_HOURS_MAX * HOUR],
    ).fetchall()


def _after_newest(cursor: Cursor) -> list[tuple[Any, ...]]:
    """Readings later than all that is stored of their sensor: no gap's end."""
    return cursor.execute(
        """
        SELECT sensor, count(*), min(event_time), arg_min(value, event_time), NULL
        FROM incoming JOIN latest USING (sensor) WHERE event_time > last_time
        GROUP BY sensor ORDER BY count(*) DESC, sensor
        """
    ).fetchall()


def _hour(instant: Micros) -> int:
    return (instant + EPOCH_OFFSET) // HOUR
