"""Gaps at this moment: those of table `gap`, cut by what waits in `hot`, and silences up to now.

Readings that wait in order only add steps after what is stored. A late one can only change a gap
that it falls into, or add a step before the sensor's oldest reading; so only these are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipewatcher.model.gaps import GAP_FACTOR, GapColumns, MendedColumns
from pipewatcher.model.time import NO_END, Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import NO_LIMIT
from pipewatcher.readings.duckdb_sql.waiting import NEVER, Waiting, by_sensor_and_time

EFFECTIVE = f"""
    waiting AS MATERIALIZED (
        SELECT DISTINCT sensor, event_time AS time FROM hot
        WHERE NOT keep_stored AND list_contains($sensors, sensor)),
    stored AS (
        SELECT * FROM gap WHERE end_time > $start AND start_time < $end
           AND list_contains($sensors, sensor)),
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
            WHERE list_contains($sensors, sensor)
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
SELECT sensor, start_time, end_time FROM effective
"""
STORED = """
SELECT sensor, start_time, end_time FROM gap WHERE end_time > $start AND start_time < $end
"""
MENDED = """
SELECT sensor, start_time, end_time, origin, mended_at FROM mended
WHERE end_time > $start AND start_time < $end
"""


def gaps(
    cursor: Cursor,
    names: Names,
    start: Micros,
    end: Micros,
    now: Micros,
    sensors: Sequence[int] | None,
) -> tuple[GapColumns, MendedColumns]:
    """By sensor and start."""
    waiting = Waiting(cursor, len(names.sensors))
    window = {"start": start, "end": end}
    wanted = np.ones(len(names.sensors), bool)
    if sensors is not None:
        wanted[:] = False
        wanted[list(sensors)] = True
    late = np.flatnonzero(waiting.late & wanted)
    parts = [cursor.execute(STORED, window).fetchnumpy(), _new(waiting, start, end, now)]
    parts = [_of(part, (wanted & ~waiting.late)[part["sensor"]]) for part in parts]
    if len(late):
        parts.append(
            cursor.execute(GAPS, {**window, "now": now, "sensors": late.tolist()}).fetchnumpy()
        )
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = by_sensor_and_time(found["sensor"], found["start_time"], len(names.sensors))
    found = _of(found, order)
    mended = cursor.execute(MENDED, window).fetchnumpy()
    mended = _of(mended, wanted[mended["sensor"]])
    return GapColumns(
        equipment_ids=names.sensors,
        codes=found["sensor"],
        starts=found["start_time"],
        ends=found["end_time"],
        cadences=waiting.hold[found["sensor"]] // GAP_FACTOR,
    ), MendedColumns(
        equipment_ids=names.sensors,
        codes=mended["sensor"],
        starts=mended["start_time"],
        ends=mended["end_time"],
        origins=[names.origin_name(origin) for origin in mended["origin"].tolist()],
        times=mended["mended_at"],
    )


def _new(waiting: Waiting, start: Micros, end: Micros, now: Micros) -> dict[str, Any]:
    """Gaps between and after readings in order that wait, and silences."""
    sensor, time = waiting.readings.sensor, waiting.readings.time
    first = np.append(True, sensor[1:] != sensor[:-1])[: len(sensor)]
    before = np.where(first, waiting.stored_until[sensor], np.roll(time, 1))
    broken = (before > NEVER) & (time - before > waiting.hold[sensor])
    newest = waiting.stored_until.copy()
    np.maximum.at(newest, sensor, time)
    silent = np.flatnonzero(
        (newest > NEVER) & (waiting.hold < NO_LIMIT) & (now - newest > waiting.hold)
    )
    found = {
        "sensor": np.append(sensor[broken], silent),
        "start_time": np.append(before[broken], newest[silent]),
        "end_time": np.append(time[broken], np.full(len(silent), NO_END)),
    }
    return _of(found, (found["end_time"] > start) & (found["start_time"] < end))


def _of(columns: dict[str, Any], rows: npt.NDArray[np.generic]) -> dict[str, Any]:
    return {name: column[rows] for name, column in columns.items()}
