"""Answers, each from one snapshot of `rollup`, `raw` and `hot`.

A rollup stands for its hour when all its readings lie in the window and no drained reading waits
in `hot` at or before its last one. The other hours are read from `raw`, without the rows that
`hot` overwrites; and every reading in `hot` counts itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipewatcher.model.figures import Bucket, Series
from pipewatcher.model.readings import StoredReading
from pipewatcher.model.time import HOUR, Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET, HOUR_OF, SUM_SCALE


def fresh_of(chosen: str) -> str:
    """`fresh`: the last write of each reading of the `chosen` sensors (a condition) in `hot`."""
    return f"""
    fresh AS MATERIALIZED (
        SELECT sensor, event_time, arg_max(value, seq) AS value, arg_max(origin, seq) AS origin,
               {HOUR_OF}::INTEGER AS hour
        FROM hot WHERE NOT keep_stored AND event_time < $end AND {chosen}
        GROUP BY sensor, event_time)
    """


def parts_of(chosen: str) -> str:
    """`fresh`; `hours`, the rollups that touch the window; `whole`, those that stand for their
    hour; and `readings`, which are to be read instead of the others."""
    return f"""
    {fresh_of(chosen)},
    hours AS (
        SELECT * FROM rollup
        WHERE hour BETWEEN $first_hour AND $last_hour AND last_time >= $start AND first_time < $end
          AND {chosen}),
    disturbed AS (
        SELECT sensor, hour FROM (
            SELECT sensor, hour, min(event_time) AS first_fresh FROM fresh
            WHERE event_time >= $start GROUP BY ALL) JOIN hours USING (sensor, hour)
        WHERE first_fresh <= last_time),
    whole AS (
        SELECT * FROM hours ANTI JOIN disturbed USING (sensor, hour)
        WHERE first_time >= $start AND last_time < $end),
    torn AS MATERIALIZED (
        SELECT sensor, hour FROM hours WHERE first_time < $start OR last_time >= $end
        UNION SELECT sensor, hour FROM disturbed),
    readings AS (
        SELECT sensor, event_time, value, origin FROM (
            SELECT *, {HOUR_OF}::INTEGER AS hour FROM raw
            WHERE event_time >= {{since}} AND event_time < $end AND ({{spans}}) AND {chosen})
        SEMI JOIN torn USING (sensor, hour) ANTI JOIN fresh USING (sensor, event_time)
        UNION ALL
        SELECT sensor, event_time, value, origin FROM fresh WHERE event_time >= {{since}})
    """


CHOSEN = "list_contains($sensors, sensor)"
SERIES = f"""
WITH {parts_of(CHOSEN)},
    parts AS (
        {{hours}}
        SELECT sensor, (event_time + {EPOCH_OFFSET}) // $bucket AS bucket, count(*) AS count,
               sum(value / {SUM_SCALE}) AS sum, min(value) AS min, max(value) AS max,
               count(*) FILTER (origin < 0) AS imported
        FROM {{readings}} GROUP BY ALL)
SELECT sensor, bucket, sum(sum) / sum(count) * {SUM_SCALE}, min(min), max(max),
       sum(count)::BIGINT, sum(imported)::BIGINT
FROM parts GROUP BY sensor, bucket ORDER BY sensor, bucket
"""
SERIES_HOURS = f"""
    SELECT sensor, hour * {HOUR} // $bucket AS bucket, count, sum, min, max, imported FROM whole
    UNION ALL
"""
TORN_HOURS = f"""
WITH first_fresh AS (
    SELECT sensor, {HOUR_OF}::INTEGER AS hour, min(event_time) AS first_fresh FROM hot
    WHERE event_time >= $start AND event_time < $end GROUP BY ALL)
SELECT DISTINCT hour FROM (
    SELECT hour FROM rollup
    WHERE (hour = $first_hour AND first_time < $start AND last_time >= $start)
       OR (hour = $last_hour AND last_time >= $end AND first_time < $end)
    UNION ALL
    SELECT hour FROM first_fresh JOIN rollup USING (sensor, hour)
    WHERE first_fresh <= last_time AND hour BETWEEN $first_hour AND $last_hour)
ORDER BY hour
"""
SPANS_MAX = 100
ALL_READINGS = """(
    SELECT sensor, event_time, value, origin FROM raw ANTI JOIN fresh USING (sensor, event_time)
    WHERE event_time >= $start AND event_time < $end AND list_contains($sensors, sensor)
    UNION ALL SELECT sensor, event_time, value, origin FROM fresh WHERE event_time >= $start)
"""

READINGS = f"""
WITH {fresh_of(CHOSEN)},
    readings AS {ALL_READINGS}
SELECT event_time, value, origin FROM readings ORDER BY event_time LIMIT $limit
"""


def series(
    cursor: Cursor,
    sensors: Sequence[int],
    names: Names,
    start: Micros,
    end: Micros,
    bucket: Micros,
) -> list[Series]:
    by_hour = bucket % HOUR == 0
    query = SERIES.format(
        spans=torn_spans(cursor, start, end),
        since="$start",
        hours=SERIES_HOURS if by_hour else "",
        readings="readings" if by_hour else ALL_READINGS,
    )
    rows = cursor.execute(
        query, {**window_of(start, end), "sensors": list(sensors), "bucket": bucket}
    ).fetchall()
    buckets: dict[int, list[Bucket]] = {sensor: [] for sensor in sensors}
    for sensor, number, mean, low, high, count, imported in rows:
        buckets[sensor].append(
            Bucket(
                start=number * bucket - EPOCH_OFFSET,
                mean=mean,
                min=low,
                max=high,
                count=count,
                imported=imported,
            )
        )
    return [Series(equipment_id=names.sensors[s], buckets=found) for s, found in buckets.items()]


def readings(
    cursor: Cursor,
    sensor: int,
    names: Names,
    start: Micros,
    end: Micros,
    limit: int,
) -> list[StoredReading]:
    rows = cursor.execute(
        READINGS, {"start": start, "end": end, "sensors": [sensor], "limit": limit}
    ).fetchall()
    return [
        StoredReading(
            equipment_id=names.sensors[sensor],
            event_time=event_time,
            value=value,
            origin=names.origin_name(origin),
        )
        for event_time, value, origin in rows
    ]


def hour_of(instant: Micros) -> int:
    return (instant + EPOCH_OFFSET) // HOUR


def window_of(start: Micros, end: Micros) -> dict[str, object]:
    return {
        "start": start,
        "end": end,
        "first_hour": hour_of(start),
        "last_hour": hour_of(end - 1),
    }


def torn_spans(cursor: Cursor, start: Micros, end: Micros) -> str:
    """A condition on event_time, in whole numbers, that keeps every torn hour and lets DuckDB
    skip the blocks between. Run it in the transaction of the query that it is for."""
    rows = cursor.execute(TORN_HOURS, window_of(start, end)).fetchall()
    spans: list[tuple[int, int]] = []
    for (hour,) in rows:
        if spans and spans[-1][1] == hour:
            spans[-1] = (spans[-1][0], hour + 1)
        else:
            spans.append((hour, hour + 1))
    if len(spans) > SPANS_MAX:
        spans = [(spans[0][0], spans[-1][1])]
    conditions = (
        f"(event_time >= {a * HOUR - EPOCH_OFFSET} AND event_time < {b * HOUR - EPOCH_OFFSET})"
        for a, b in spans
    )
    return " OR ".join(conditions) or "false"
