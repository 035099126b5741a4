"""A dry run: what an import would do, worked out on temporary tables of one connection.

`staged` takes the rows as they come (it spills to disk); `incoming` holds what would stand, one row
per reading; `standing` what it would meet in `raw`. Nothing of the file is written to the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from pipewatcher.model.figures import SensorAverage
from pipewatcher.model.imports import ImportCounts, OverwrittenReading, SensorChange
from pipewatcher.model.time import Micros
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.averages import averages
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert, one
from pipewatcher.readings.duckdb_sql.rehearse_gaps import averages_with_incoming
from pipewatcher.readings.duckdb_sql.schema import SUM_SCALE

CHANGES_MAX = 100
OVERWRITTEN_MAX = 100
TEMPORARY = ("staged", "sender", "incoming", "standing")


def begin(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE staged "
        "(local INTEGER, event_time BIGINT, value DOUBLE, seq BIGINT)"
    )


def hold(cursor: Cursor) -> None:
    """What is stored stays as it is now, for this connection, until its transaction ends."""
    cursor.execute("BEGIN")
    cursor.execute("SELECT count(*) FROM latest").fetchone()


def end(cursor: Cursor) -> None:
    for table in TEMPORARY:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")


def gather(
    cursor: Cursor, names: Names, local: Mapping[str, int], *, keep_stored: bool
) -> ImportCounts:
    """Makes `incoming` and `standing` and counts the outcomes, as the fold would."""
    accepted = one(cursor, "SELECT count(*) FROM staged")[0]
    # A sensor that is not known yet gets a number that no other has.
    codes = [names.sensor_codes.get(name, -1 - code) for name, code in local.items()]
    cursor.execute("CREATE OR REPLACE TEMP TABLE sender (local INTEGER, sensor INTEGER)")
    insert(
        cursor,
        "sender",
        pa.table(
            {
                "local": pa.array(list(local.values()), pa.int32()),
                "sensor": pa.array(codes, pa.int32()),
            }
        ),
    )
    _find_standing(cursor, "(SELECT sensor, event_time FROM staged JOIN sender USING (local))")
    skipped = _leave_out_changes(cursor) if keep_stored else 0
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE incoming AS
        SELECT sensor, event_time, arg_max(value, seq) AS value
        FROM staged JOIN sender USING (local) GROUP BY sensor, event_time
        """
    )
    cursor.execute("DROP TABLE staged")
    distinct, met, identical = one(
        cursor,
        """
        SELECT count(*), count(s.sensor), count(*) FILTER (s.value = i.value)
        FROM incoming AS i LEFT JOIN standing AS s USING (sensor, event_time)
        """,
    )
    return ImportCounts(
        accepted=accepted,
        new=distinct - met,
        identical=identical,
        corrected=met - identical,
        repeated=accepted - skipped - distinct,
        skipped=skipped,
    )


def _find_standing(cursor: Cursor, of: str) -> None:
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE standing AS
        SELECT sensor, event_time, value, origin FROM raw
        SEMI JOIN {of} USING (sensor, event_time)
        WHERE event_time BETWEEN (SELECT min(event_time) FROM staged)
                             AND (SELECT max(event_time) FROM staged)
        """
    )


def _leave_out_changes(cursor: Cursor) -> int:
    """For an import that keeps what is stored: how many of its rows would be left out."""
    before = one(cursor, "SELECT count(*) FROM staged")[0]
    cursor.execute(
        """
        DELETE FROM staged USING (
            SELECT sender.local, standing.event_time, standing.value
            FROM standing JOIN sender USING (sensor)) AS kept
        WHERE staged.local = kept.local AND staged.event_time = kept.event_time
          AND staged.value <> kept.value
        """
    )
    return int(before - one(cursor, "SELECT count(*) FROM staged")[0])


def bounds(cursor: Cursor) -> tuple[Micros, Micros] | None:
    first, last = one(cursor, "SELECT min(event_time), max(event_time) FROM incoming")
    return None if first is None else (first, last)


def changes(
    cursor: Cursor, names: Names, of: Mapping[int, str], start: Micros, end: Micros
) -> list[SensorChange]:
    """The figures of each sensor of the file over `[start, end)`, as they are and as they would be;
    the first 100, most changed first: those without a mean before, then by relative change."""
    before = {row.equipment_id: row for row in averages(cursor, names, start, end, end)}
    arriving = cursor.execute(
        f"""
        SELECT sensor, count(*) - count(s.sensor),
               sum(i.value / {SUM_SCALE} - coalesce(s.value, 0) / {SUM_SCALE})
        FROM incoming AS i LEFT JOIN standing AS s USING (sensor, event_time) GROUP BY sensor
        """
    ).fetchall()
    found = []
    for sensor, new, difference in arriving:
        row = before.get(of[sensor])
        count, mean = (row.count, row.mean) if row is not None else (0, None)
        total = (mean or 0.0) / SUM_SCALE * count + difference
        found.append(
            SensorChange(
                equipment_id=of[sensor],
                count_before=count,
                count_after=count + new,
                mean_before=mean,
                mean_after=total / (count + new) * SUM_SCALE,
                weighted_before=row.time_weighted_mean if row is not None else None,
                coverage_before=row.coverage(start, end) if row is not None else None,
            )
        )
    found = sorted(found, key=_by_change)[:CHANGES_MAX]
    known = [
        names.sensor_codes[name] for c in found if (name := c.equipment_id) in names.sensor_codes
    ]
    after = {
        row.equipment_id: row for row in averages_with_incoming(cursor, names, known, start, end)
    }
    return [_with_after(change, after.get(change.equipment_id), start, end) for change in found]


def _with_after(
    change: SensorChange, after: SensorAverage | None, start: Micros, end: Micros
) -> SensorChange:
    if after is None:
        return change
    return msgspec.structs.replace(
        change,
        weighted_after=after.time_weighted_mean,
        coverage_after=after.coverage(start, end),
    )


def _by_change(change: SensorChange) -> tuple[bool, float, str]:
    if change.mean_before is None:
        return (False, -change.count_after, change.equipment_id)
    size = max(abs(change.mean_before), abs(change.mean_after), 1e-300)
    return (True, -abs(change.mean_after - change.mean_before) / size, change.equipment_id)


def overwritten_live(cursor: Cursor, names: Names) -> tuple[int, list[OverwrittenReading]]:
    """Live readings that would get another value: how many, and the first 100."""
    meeting = """
        FROM incoming AS i JOIN standing AS s USING (sensor, event_time)
        WHERE s.origin > 0 AND s.value <> i.value
    """
    total = one(cursor, f"SELECT count(*) {meeting}")[0]
    rows = cursor.execute(
        f"SELECT i.sensor, i.event_time, s.value, i.value, s.origin {meeting} "
        f"ORDER BY i.event_time, i.sensor LIMIT {OVERWRITTEN_MAX}"
    ).fetchall()
    return total, [
        OverwrittenReading(
            equipment_id=names.sensors[sensor],
            event_time=event_time,
            stored=stored,
            value=value,
            origin=names.origin_name(origin),
        )
        for sensor, event_time, stored, value, origin in rows
    ]


def unknown_sensors(names: Names, local: Sequence[str]) -> list[str]:
    return sorted(name for name in local if name not in names.sensor_codes)
