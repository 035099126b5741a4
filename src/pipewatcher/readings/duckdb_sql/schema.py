"""Tables of the embedded store.

- `hot`: readings as they were drained, in commit-log order (`seq`); appended, never updated.
- `raw`: one row per (sensor, event_time), the write that stands; no index, sorted in blocks.
- `rollup`: one row per (sensor, hour) of `raw`. Of the steps between readings the *inner* ones lie
  in the hour; `held` and `integral` also have the step that enters it, from the `prev_` reading: a
  step belongs to the hour in which it ends. A step counts at most the sensor's hold limit.
- `day_rollup`: one row per (sensor, day) of `rollup`, as far as `rolled_day` lists the day; there
  the inner steps are those between readings of the day.
- `gap`: steps of `raw` that are longer than their sensor's hold limit.
- `mended`: gaps that got readings, as they were before, and by which origin.
- `awaited`: silences that went on when they were asked for, up to then.
- `cadence`: what was learned of each sensor (`judged_`: from readings since when, in which hour),
  what a person has set (0: event-driven) and the hold limit that follows; microseconds.
- `version`: what imports have overwritten, so that an import can be judged and undone. Above the
  last live write of a reading every overwritten value is kept; `seq` is that of the overwriter.
- `latest`: newest and oldest reading and number of readings of each sensor, dropped ones too.
- `retention`: since when `raw` is kept, once anything was dropped.

`hour` counts from 0001-01-01T00:00Z, so that it is never negative and `//` floors. An `origin`
below zero is an import (its id, negated); above zero it is a row of table `origin`.
Sums are kept divided by 2**32 (exact in binary) so that a sum of finite values stays finite, and
integrals over time by 2**64.
"""

from __future__ import annotations

from pipewatcher.errors import DataFolderTooNew
from pipewatcher.model.time import DAY, HOUR
from pipewatcher.readings.duckdb_sql.cursor import Cursor

FORMAT = 3
EPOCH_OFFSET = 62_135_596_800_000_000
"""Microseconds from 0001-01-01 to 1970-01-01."""
SUM_SCALE = 2.0**32

HOUR_OF = f"((event_time + {EPOCH_OFFSET}) // {HOUR})"
DAY_OF = f"((event_time + {EPOCH_OFFSET}) // {DAY})"

NO_LIMIT = 2**62
"""The hold limit of a sensor without a cadence: longer than any step."""
WHOLE_HISTORY = -NO_LIMIT
"""`judged_from` of a sensor so young that any reading may count."""

ROLLUP_COLUMNS = (
    "sensor, hour, count, sum, min, max, first_time, first_value, last_time, last_value, imported, "
    "inner_held, inner_integral, prev_time, prev_value, held, integral"
)
ROLLUP_OF_READINGS = f"""
    count(*)::BIGINT AS count, sum(value / {SUM_SCALE}) AS sum, min(value) AS min,
    max(value) AS max, min(event_time) AS first_time, arg_min(value, event_time) AS first_value,
    max(event_time) AS last_time, arg_max(value, event_time) AS last_value,
    (count(*) FILTER (origin < 0))::BIGINT AS imported
"""


def held(step: str, value: str) -> tuple[str, str]:
    """How long a value holds over a step, and its integral; zero where there is no step."""
    # Not `least`: it takes the limit where there is no step.
    length = f"(CASE WHEN {step} > hold THEN hold ELSE {step} END)"
    integral = f"{value} / {SUM_SCALE} * ({length} / {SUM_SCALE})"
    return f"coalesce({length}, 0)", f"coalesce({integral}, 0)"


_held, _integral = held("event_time - before_time", "before_value")
INNER_OF_STEPS = f"""
    sum({_held})::BIGINT AS inner_held, sum({_integral}) AS inner_integral
"""
"""Of readings with the one before them in the same hour (`before_`) and their sensor's `hold`."""

TABLES = """
CREATE TABLE IF NOT EXISTS position (partition INTEGER NOT NULL, next BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS sensor (sensor INTEGER NOT NULL, equipment_id VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS origin (origin INTEGER NOT NULL, name VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS hot (
    sensor INTEGER NOT NULL, event_time BIGINT NOT NULL, value DOUBLE NOT NULL,
    origin INTEGER NOT NULL, seq BIGINT NOT NULL, keep_stored BOOLEAN NOT NULL);
CREATE TABLE IF NOT EXISTS raw (
    sensor INTEGER NOT NULL, event_time BIGINT NOT NULL, value DOUBLE NOT NULL,
    origin INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rollup (
    sensor INTEGER NOT NULL, hour INTEGER NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL,
    min DOUBLE NOT NULL, max DOUBLE NOT NULL,
    first_time BIGINT NOT NULL, first_value DOUBLE NOT NULL,
    last_time BIGINT NOT NULL, last_value DOUBLE NOT NULL, imported BIGINT NOT NULL,
    inner_held BIGINT NOT NULL, inner_integral DOUBLE NOT NULL,
    prev_time BIGINT, prev_value DOUBLE, held BIGINT NOT NULL, integral DOUBLE NOT NULL);
CREATE TABLE IF NOT EXISTS day_rollup (
    sensor INTEGER NOT NULL, day INTEGER NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL,
    min DOUBLE NOT NULL, max DOUBLE NOT NULL, first_time BIGINT NOT NULL,
    last_time BIGINT NOT NULL, last_value DOUBLE NOT NULL,
    inner_held BIGINT NOT NULL, inner_integral DOUBLE NOT NULL,
    prev_time BIGINT, prev_value DOUBLE, held BIGINT NOT NULL, integral DOUBLE NOT NULL);
CREATE TABLE IF NOT EXISTS retention (kept_from BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS rolled_day (day INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cadence (
    sensor INTEGER NOT NULL, learned BIGINT, setting BIGINT, hold BIGINT NOT NULL,
    judged_hour INTEGER, judged_from BIGINT);
CREATE TABLE IF NOT EXISTS gap (
    sensor INTEGER NOT NULL, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS mended (
    sensor INTEGER NOT NULL, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL,
    origin INTEGER NOT NULL, mended_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS awaited (
    sensor INTEGER NOT NULL, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS version (
    sensor INTEGER NOT NULL, event_time BIGINT NOT NULL, value DOUBLE NOT NULL,
    origin INTEGER NOT NULL, seq BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS latest (
    sensor INTEGER NOT NULL, count BIGINT NOT NULL, last_time BIGINT NOT NULL,
    last_value DOUBLE NOT NULL, first_time BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS import_progress (
    import_id BIGINT NOT NULL, next_block BIGINT NOT NULL, accepted BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS import_outcome (
    import_id BIGINT NOT NULL, new BIGINT NOT NULL, identical BIGINT NOT NULL,
    corrected BIGINT NOT NULL, repeated BIGINT NOT NULL, skipped BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS import_undone (
    import_id BIGINT NOT NULL, removed BIGINT NOT NULL, restored BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS books (
    door VARCHAR NOT NULL, stored BIGINT NOT NULL, new BIGINT NOT NULL, identical BIGINT NOT NULL,
    corrected BIGINT NOT NULL, repeated BIGINT NOT NULL, skipped BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS unclustered (day INTEGER NOT NULL, rows BIGINT NOT NULL);
"""


def format_of(cursor: Cursor) -> int | None:
    """None for a new file. Raises `DataFolderTooNew`."""
    cursor.execute("CREATE TABLE IF NOT EXISTS meta (format INTEGER NOT NULL)")
    row = cursor.execute("SELECT format FROM meta").fetchone()
    if row is not None and row[0] > FORMAT:
        raise DataFolderTooNew
    return None if row is None else int(row[0])


def set_format(cursor: Cursor) -> None:
    cursor.execute("DELETE FROM meta")
    cursor.execute("INSERT INTO meta VALUES (?)", [FORMAT])
