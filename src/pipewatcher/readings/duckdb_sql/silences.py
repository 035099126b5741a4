"""Silences that somebody waits for. What comes into one in order leaves no step that is longer than
the limit, and nothing would tell that it was a gap and by whom it was filled.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipewatcher.model.time import Micros
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert, one


def await_filling(cursor: Cursor, spans: Sequence[tuple[int, Micros, Micros]]) -> None:
    """Sensor, start, end. A silence that is asked for again replaces what it was."""
    columns = zip(("sensor", "start_time", "end_time"), zip(*spans, strict=True), strict=True)
    table = pa.table({name: list(column) for name, column in columns})
    cursor.execute("BEGIN")
    try:
        cursor.register("asked", table)
        cursor.execute(
            "DELETE FROM awaited USING asked WHERE awaited.sensor = asked.sensor "
            "AND awaited.start_time = asked.start_time"
        )
        cursor.unregister("asked")
        insert(cursor, "awaited", table)
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise


def note_filled(cursor: Cursor, first: Micros, last: Micros, now: Micros) -> None:
    """Adds to `mended` what `incoming`, from `first` to `last`, brings behind the newest reading of
    its sensor. `latest` must still be what it was."""
    met = "FROM awaited WHERE end_time > $1 AND start_time < $2"
    # Of nearly every fold: nobody waits for it, and it is to cost nothing.
    if not one(cursor, f"SELECT count(*) {met}", [first, last])[0]:
        return
    cursor.execute(
        """
        INSERT INTO mended
        WITH met AS (SELECT * FROM awaited WHERE end_time > $1 AND start_time < $2),
        filled AS (
            SELECT m.sensor, greatest(m.start_time, l.last_time) AS start_time,
                   max(m.end_time) AS end_time, i.origin
            FROM met AS m JOIN latest AS l USING (sensor) JOIN cadence AS c USING (sensor)
            JOIN incoming AS i USING (sensor)
            WHERE i.event_time > greatest(m.start_time, l.last_time)
              AND i.event_time < m.end_time
              AND m.end_time - greatest(m.start_time, l.last_time) > c.hold
            GROUP BY ALL)
        SELECT *, $3 FROM filled
        WHERE NOT EXISTS (
            SELECT 1 FROM mended AS m
            WHERE m.sensor = filled.sensor AND m.origin = filled.origin
              AND m.start_time <= filled.start_time AND m.end_time >= filled.end_time)
        """,
        [first, last, now],
    )
