"""Retention: raw readings of days that are over for long go, their rollups and gaps stay.

A rollup of a dropped day is never made again: its readings are gone. So nothing that old may be
appended any more, and what is made anew from `raw` begins at `kept_from`.
"""

from __future__ import annotations

from pipewatcher.model.plant import Dropped
from pipewatcher.model.time import DAY, HOUR, Micros
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET


def kept_from(cursor: Cursor) -> Micros | None:
    found: Micros | None = one(cursor, "SELECT max(kept_from) FROM retention")[0]
    return found


def kept_from_hour(cursor: Cursor) -> int:
    """0 where nothing was ever dropped."""
    found = kept_from(cursor)
    return 0 if found is None else (found + EPOCH_OFFSET) // HOUR


def would_drop(cursor: Cursor, before: Micros) -> Dropped:
    readings, sensors, first, last = one(
        cursor,
        "SELECT coalesce(sum(count), 0)::BIGINT, count(DISTINCT sensor), min(first_time), "
        "max(last_time) FROM rollup WHERE hour >= ? AND hour < ?",
        [kept_from_hour(cursor), (before + EPOCH_OFFSET) // HOUR],
    )
    return Dropped(readings=readings, sensors=sensors, first_time=first, last_time=last)


def days_to_drop(cursor: Cursor, before: Micros) -> list[Micros]:
    """The end of each UTC day that has something to drop, oldest first."""
    rows = cursor.execute(
        "SELECT DISTINCT hour // 24 AS day FROM rollup WHERE hour >= ? AND hour < ? ORDER BY day",
        [kept_from_hour(cursor), (before + EPOCH_OFFSET) // HOUR],
    ).fetchall()
    return [(day + 1) * DAY - EPOCH_OFFSET for (day,) in rows]


def drop(cursor: Cursor, before: Micros) -> None:
    """In one transaction; a day at a time keeps it small."""
    cursor.execute("BEGIN")
    try:
        for table in ("raw", "version"):
            cursor.execute(f"DELETE FROM {table} WHERE event_time < ?", [before])
        for table in ("mended", "awaited"):
            cursor.execute(f"DELETE FROM {table} WHERE end_time < ?", [before])
        cursor.execute("DELETE FROM unclustered WHERE day < ?", [(before + EPOCH_OFFSET) // DAY])
        cursor.execute("DELETE FROM retention")
        cursor.execute("INSERT INTO retention VALUES (?)", [before])
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
