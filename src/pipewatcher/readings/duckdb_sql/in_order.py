"""The rollups and gaps of sensors whose readings arrived in order: an hour that is stored already
is *extended*, and `raw` is not read. Live readings nearly always are of this kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipewatcher.model.time import HOUR
from pipewatcher.readings.duckdb_sql.arrivals import Columns, Ints, by_sensor, chosen
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert
from pipewatcher.readings.duckdb_sql.schema import (
    EPOCH_OFFSET,
    NO_LIMIT,
    ROLLUP_COLUMNS,
    SUM_SCALE,
)

ABSENT = -NO_LIMIT
"""The time of a reading that there is not."""


def extend(cursor: Cursor, hours: Columns, gaps: Columns, latest: Columns) -> None:
    """`hours` and `gaps` as `arrivals` has them, of sensors in order; `latest` as it was before."""
    if not len(hours["sensor"]):
        return
    row, before_time, before_value = _entered(hours, latest)
    arrived_from = row["first_time"]
    same = before_time > ABSENT
    same[same] = (before_time[same] + EPOCH_OFFSET) // HOUR == row["hour"][same]
    within = _step(row, arrived_from, before_time, before_value, of=same)
    _join(cursor, row, np.flatnonzero(same))
    row["inner_held"] = row["inner_held"] + within[0]
    row["inner_integral"] = row["inner_integral"] + within[1]
    entering = _step(row, row["first_time"], row["prev_time"], row["prev_value"])
    row["held"] = row["inner_held"] + entering[0]
    row["integral"] = row["inner_integral"] + entering[1]
    absent = row["prev_time"] == ABSENT
    order = np.lexsort((row["sensor"], row["hour"]))
    table = {
        name: pa.array(row[name][order], mask=absent[order] if name.startswith("prev_") else None)
        for name in ROLLUP_COLUMNS.split(", ")
    }
    insert(cursor, "rollup", pa.table(table))
    _add_gaps(cursor, row["sensor"], before_time, arrived_from, row["hold"], gaps)
    cursor.execute(
        "DELETE FROM rolled_day WHERE list_contains($1, day)",
        [np.unique(row["hour"] // 24).tolist()],
    )


def renew_latest(cursor: Cursor, sensors: Columns, latest: Columns) -> None:
    """Of sensors in order."""
    at = sensors["sensor"]
    if not len(at):
        return
    size = int(at.max()) + 1
    count = by_sensor(latest["sensor"], latest["count"], size, 0)
    first = by_sensor(latest["sensor"], latest["first_time"], size, NO_LIMIT)
    table = {
        "sensor": at,
        "count": sensors["count"] + count[at],
        "last_time": sensors["last_time"],
        "last_value": sensors["last_value"],
        "first_time": np.minimum(sensors["first_time"], first[at]),
    }
    cursor.register("arrived", pa.table(table))
    cursor.execute("DELETE FROM latest USING arrived WHERE latest.sensor = arrived.sensor")
    cursor.execute("INSERT INTO latest SELECT * FROM arrived")
    cursor.unregister("arrived")


def _entered(hours: Columns, latest: Columns) -> tuple[dict[str, Any], Ints, Any]:
    """A copy of `hours` with the reading before each as `prev_`; and that reading by itself."""
    sensor = hours["sensor"]
    size = int(sensor.max()) + 1
    first = np.append(True, sensor[1:] != sensor[:-1])
    stored_time = by_sensor(latest["sensor"], latest["last_time"], size, ABSENT)
    stored_value = np.zeros(len(stored_time))
    stored_value[latest["sensor"]] = latest["last_value"]
    time = np.where(first, stored_time[sensor], np.roll(hours["last_time"], 1))
    value = np.where(first, stored_value[sensor], np.roll(hours["last_value"], 1))
    return {**hours, "prev_time": time.copy(), "prev_value": value.copy()}, time, value


def _join(cursor: Cursor, row: dict[str, Any], at: Ints) -> None:
    """Puts the stored rollups of these rows, which are the same hours, before what arrived; takes
    them out of the store."""
    if not len(at):
        return
    cursor.register("joined", pa.table({name: row[name][at] for name in ("sensor", "hour")}))
    bounds = [int(row["hour"][at].min()), int(row["hour"][at].max())]
    inside = "rollup.hour BETWEEN $1 AND $2"
    stored = cursor.execute(
        f"SELECT {ROLLUP_COLUMNS} FROM rollup SEMI JOIN joined USING (sensor, hour) WHERE {inside}",
        bounds,
    ).fetchnumpy()
    cursor.execute(
        "DELETE FROM rollup USING joined "
        f"WHERE rollup.sensor = joined.sensor AND rollup.hour = joined.hour AND {inside}",
        bounds,
    )
    cursor.unregister("joined")
    place = np.zeros(int(row["sensor"].max()) + 1, np.int64)
    place[row["sensor"][at]] = at
    at = place[stored["sensor"]]
    for name in ("count", "sum", "imported", "inner_held", "inner_integral"):
        row[name][at] += stored[name]
    row["min"][at] = np.minimum(row["min"][at], stored["min"])
    row["max"][at] = np.maximum(row["max"][at], stored["max"])
    row["first_time"] = row["first_time"].copy()
    for name in ("first_time", "first_value"):
        row[name][at] = stored[name]
    row["prev_time"][at] = np.ma.filled(stored["prev_time"], ABSENT)
    row["prev_value"][at] = np.ma.filled(stored["prev_value"], 0.0)


def _step(
    row: dict[str, Any], time: Ints, before_time: Ints, before_value: Any, of: Any = True
) -> tuple[Ints, Any]:
    """How long the value before is held, and its integral; 0 where there is none."""
    there = of & (before_time > ABSENT)
    length = np.where(there, np.minimum(time - before_time, row["hold"]), 0)
    return length, np.where(there, before_value / SUM_SCALE * (length / SUM_SCALE), 0.0)


def _add_gaps(
    cursor: Cursor, sensor: Ints, before: Ints, time: Ints, hold: Ints, inner: Columns
) -> None:
    """The steps between hours, or from what was stored, and those within what arrived."""
    broken = (before > ABSENT) & (time - before > hold)
    own = chosen({"sensor": sensor, "start_time": before, "end_time": time}, broken)
    found = {name: np.append(column, inner[name]) for name, column in own.items()}
    if len(found["sensor"]):
        order = np.lexsort((found["start_time"], found["sensor"]))
        insert(cursor, "gap", pa.table(chosen(found, order)))
