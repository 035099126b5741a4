"""Undo of an import: its readings go, and what they overwrote comes back; and where a reading
came from. Both stand on the chains that `outcomes.keep_versions` builds.

A chain is the stored row with the versions below it, newest `seq` first. Taking one import out of
it deletes its versions, and where its row stands, the newest version that is left takes its place.
That does not depend on the order in which imports are undone, and a live write that is not folded
yet changes nothing of it: it ends the chain whenever it comes.
"""

from __future__ import annotations

from pipewatcher.model.imports import UndoCounts, UndoneSensor, UndoPreview
from pipewatcher.model.readings import ReadingVersion
from pipewatcher.model.time import HOUR
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.derived import recompute
from pipewatcher.readings.duckdb_sql.questions import Questions
from pipewatcher.readings.duckdb_sql.schema import DAY_OF, EPOCH_OFFSET, HOUR_OF

ROWS_PER_STEP = 1_000_000
"""What one transaction takes on; an hour is never cut."""
PREVIEW_SENSORS_MAX = 100
TEMPORARY = ("falling", "promoted")


def preview(cursor: Cursor, names: Names, import_id: int) -> UndoPreview:
    """What undoing it would do to what is folded."""
    rows = cursor.execute(
        """
        WITH falling AS (SELECT sensor, event_time, value FROM raw WHERE origin = $1),
        below AS (
            SELECT sensor, event_time, arg_max(value, seq) AS value
            FROM version SEMI JOIN falling USING (sensor, event_time)
            WHERE origin <> $1 GROUP BY ALL)
        SELECT sensor, count(*) FILTER (below.sensor IS NULL), count(below.sensor),
               count(*) FILTER (below.value <> falling.value), min(event_time), max(event_time)
        FROM falling LEFT JOIN below USING (sensor, event_time)
        GROUP BY sensor ORDER BY count(*) DESC, sensor
        """,
        [-import_id],
    ).fetchall()
    overtaken = one(cursor, "SELECT count(*) FROM version WHERE origin = ?", [-import_id])[0]
    return UndoPreview(
        removed=sum(row[1] for row in rows),
        restored=sum(row[2] for row in rows),
        changed=sum(row[3] for row in rows),
        overtaken=overtaken,
        sensors=len(rows),
        items=[
            UndoneSensor(
                equipment_id=names.sensors[sensor],
                removed=removed,
                restored=restored,
                changed=changed,
                first_time=first,
                last_time=last,
            )
            for sensor, removed, restored, changed, first, last in rows[:PREVIEW_SENSORS_MAX]
        ],
    )


def steps(cursor: Cursor, import_id: int) -> list[tuple[int, int]]:
    """Half-open ranges of event_time, of whole hours, that together hold all of the import."""
    hours = cursor.execute(
        f"""
        SELECT {HOUR_OF} AS hour, count(*) FROM (
            SELECT event_time FROM raw WHERE origin = $1
            UNION ALL SELECT event_time FROM version WHERE origin = $1)
        GROUP BY hour ORDER BY hour
        """,
        [-import_id],
    ).fetchall()
    ranges: list[tuple[int, int]] = []
    room = 0
    for hour, rows in hours:
        start = hour * HOUR - EPOCH_OFFSET
        if ranges and rows <= room:
            ranges[-1] = (ranges[-1][0], start + HOUR)
        else:
            ranges.append((start, start + HOUR))
            room = ROWS_PER_STEP
        room -= rows
    return ranges


def undo_step(cursor: Cursor, import_id: int, start: int, end: int, questions: Questions) -> None:
    """Undoes what lies in `[start, end)`, in one transaction: after a crash before its end nothing
    of it is done, and the same step, taken again after it, finds nothing."""
    cursor.execute("BEGIN")
    try:
        _undo(cursor, [-import_id, start, end])
        with questions.none():
            cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise


def _undo(cursor: Cursor, part: list[int]) -> None:
    inside = "origin = $1 AND event_time >= $2 AND event_time < $3"
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE falling AS "
        f"SELECT sensor, event_time FROM raw WHERE {inside}",
        part,
    )
    cursor.execute(
        """
        CREATE OR REPLACE TEMP TABLE promoted AS
        SELECT sensor, event_time, arg_max(value, seq) AS value, arg_max(origin, seq) AS origin,
               max(seq) AS seq
        FROM version SEMI JOIN falling USING (sensor, event_time)
        WHERE origin <> $1 AND event_time >= $2 AND event_time < $3 GROUP BY ALL
        """,
        part,
    )
    cursor.execute(f"DELETE FROM version WHERE {inside}", part)
    cursor.execute("DELETE FROM version USING promoted AS p WHERE version.seq = p.seq")
    cursor.execute(f"DELETE FROM raw WHERE {inside}", part)
    cursor.execute(
        f"""
        INSERT INTO raw SELECT sensor, event_time, value, origin FROM promoted
        ORDER BY {DAY_OF}, sensor, event_time
        """
    )
    cursor.execute(
        f"INSERT INTO unclustered SELECT {DAY_OF}::INTEGER, count(*) FROM promoted GROUP BY ALL"
    )
    recompute(cursor, "falling")
    cursor.execute(
        """
        INSERT INTO import_undone
        SELECT -$1, (SELECT count(*) FROM falling) - (SELECT count(*) FROM promoted),
               (SELECT count(*) FROM promoted)
        """,
        part[:1],
    )
    for table in TEMPORARY:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")


def undone(cursor: Cursor, import_id: int) -> UndoCounts:
    """How many readings went and how many came back, over all steps."""
    removed, restored = one(
        cursor,
        "SELECT coalesce(sum(removed), 0)::BIGINT, coalesce(sum(restored), 0)::BIGINT "
        "FROM import_undone WHERE import_id = ?",
        [import_id],
    )
    return UndoCounts(removed=removed, restored=restored)


def history(cursor: Cursor, names: Names, sensor: int, event_time: int) -> list[ReadingVersion]:
    """Newest first: the one that stands, then what is kept below it."""
    rows = cursor.execute(
        """
        SELECT value, origin FROM (
            SELECT value, origin, NULL AS seq FROM raw WHERE sensor = $1 AND event_time = $2
            UNION ALL
            SELECT value, origin, seq FROM version WHERE sensor = $1 AND event_time = $2)
        ORDER BY seq DESC NULLS FIRST
        """,
        [sensor, event_time],
    ).fetchall()
    return [ReadingVersion(value=value, origin=names.origin_name(origin)) for value, origin in rows]
