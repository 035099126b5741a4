"""Makes a new file, or brings an older one to today's format: in one transaction, so a crash
leaves what was there."""

from __future__ import annotations

import logging

from pipewatcher.readings.duckdb_sql import cadences
from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import NO_LIMIT, TABLES, format_of, set_format

log = logging.getLogger(__name__)


def prepare(cursor: Cursor) -> None:
    """Raises `DataFolderTooNew`."""
    cursor.execute("BEGIN")
    try:
        found = format_of(cursor)
        cursor.execute(TABLES)
        if found == 1:
            log.warning("the readings are brought to a new format; this may take minutes")
            _from_1(cursor)
        set_format(cursor)
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise


def _from_1(cursor: Cursor) -> None:
    """Rollups learn of steps and held time, sensors of their cadence, and gaps are listed."""
    cursor.execute("ALTER TABLE latest ADD COLUMN first_time BIGINT")
    cursor.execute(
        "UPDATE latest SET first_time = oldest.first_time FROM ("
        "SELECT sensor, min(first_time) AS first_time FROM rollup GROUP BY sensor) AS oldest "
        "WHERE latest.sensor = oldest.sensor"
    )
    for column in (
        "inner_held BIGINT DEFAULT 0", "inner_integral DOUBLE DEFAULT 0", "prev_time BIGINT",
        "prev_value DOUBLE", "held BIGINT DEFAULT 0", "integral DOUBLE DEFAULT 0",
    ):  # fmt: skip
        cursor.execute(f"ALTER TABLE rollup ADD COLUMN {column}")
    cursor.execute(
        "INSERT INTO cadence SELECT sensor, NULL, NULL, $1, NULL, NULL FROM latest", [NO_LIMIT]
    )
    cadences.make_all(cursor)
