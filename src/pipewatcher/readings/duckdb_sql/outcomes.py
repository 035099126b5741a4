"""What an import's rows did: new, identical, corrected, repeated or skipped; and what they
overwrote. Part of a fold; works on its temporary tables `taken`, `incoming`, `predecessor`.

A row is judged against what stood before the import. It is *repeated* when a later row of the
same import overtakes it with nobody else's write between them. That may happen in a later fold:
then the stored row is the import's own, what stood before is its newest version, and the judgement
passes from the overtaken row to the new one.
"""

from __future__ import annotations

from pipewatcher.model.imports import ImportCounts
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one

BASE = """
    SELECT raw.sensor, raw.event_time,
           CASE WHEN raw.origin = row.origin THEN below.value ELSE raw.value END AS value
    FROM raw JOIN row USING (sensor, event_time)
    LEFT JOIN (SELECT sensor, event_time, arg_max(value, seq) AS value
               FROM version GROUP BY ALL) AS below USING (sensor, event_time)
"""


def drop_kept(cursor: Cursor) -> None:
    """For imports that keep what is stored: takes out of `taken` the rows that would change it."""
    cursor.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unwanted AS
        WITH row AS (
            SELECT DISTINCT sensor, event_time, origin FROM taken WHERE keep_stored),
        base AS ({BASE}
            WHERE raw.event_time BETWEEN (SELECT min(event_time) FROM row)
                                     AND (SELECT max(event_time) FROM row))
        SELECT taken.seq, taken.origin FROM taken JOIN base USING (sensor, event_time)
        WHERE taken.keep_stored AND base.value <> taken.value
        """
    )
    cursor.execute("DELETE FROM taken USING unwanted WHERE taken.seq = unwanted.seq")
    cursor.execute(
        """
        INSERT INTO import_outcome
        SELECT -origin, 0, 0, 0, 0, count(*) FROM unwanted GROUP BY origin
        """
    )


def count_outcomes(cursor: Cursor) -> None:
    """Adds what this fold's import rows did to `import_outcome`."""
    cursor.execute(
        """
        INSERT INTO import_outcome
        WITH below AS (
            SELECT sensor, event_time, arg_max(value, seq) AS value FROM version
            SEMI JOIN predecessor USING (sensor, event_time) GROUP BY ALL),
        judged AS (
            SELECT i.origin, i.writes, i.value, p.value AS old, b.value AS base,
                   p.origin IS NULL AS is_new, coalesce(p.origin = i.origin, false) AS overtakes
            FROM incoming AS i
            LEFT JOIN predecessor AS p USING (sensor, event_time)
            LEFT JOIN below AS b USING (sensor, event_time)
            WHERE i.origin < 0)
        SELECT -origin,
               count(*) FILTER (is_new),
               count(*) FILTER (NOT is_new AND NOT overtakes AND value = old)
               + count(*) FILTER (overtakes AND value = base)
               - count(*) FILTER (overtakes AND old = base),
               count(*) FILTER (NOT is_new AND NOT overtakes AND value <> old)
               + count(*) FILTER (overtakes AND value <> base)
               - count(*) FILTER (overtakes AND old <> base),
               sum(writes - 1) + count(*) FILTER (overtakes),
               0
        FROM judged GROUP BY origin
        """
    )


def keep_versions(cursor: Cursor) -> None:
    """An import's write puts what it overwrites into `version`; a live write ends the chain."""
    if not one(cursor, "SELECT count(*) FROM predecessor")[0]:
        return
    cursor.execute(
        """
        DELETE FROM version USING (
            SELECT sensor, event_time FROM incoming
            SEMI JOIN predecessor USING (sensor, event_time) WHERE origin > 0) AS live
        WHERE version.sensor = live.sensor AND version.event_time = live.event_time
        """
    )
    cursor.execute(
        """
        INSERT INTO version
        SELECT p.sensor, p.event_time, p.value, p.origin, i.seq
        FROM predecessor AS p JOIN incoming AS i USING (sensor, event_time)
        WHERE i.origin < 0 AND p.origin <> i.origin
        """
    )


def counts_of(cursor: Cursor, import_id: int) -> ImportCounts:
    accepted, next_block = one(
        cursor,
        "SELECT coalesce(sum(accepted), 0)::BIGINT, coalesce(max(next_block), 0) "
        "FROM import_progress WHERE import_id = ?",
        [import_id],
    )
    new, identical, corrected, repeated, skipped = one(
        cursor,
        "SELECT coalesce(sum(new), 0)::BIGINT, coalesce(sum(identical), 0)::BIGINT, "
        "coalesce(sum(corrected), 0)::BIGINT, coalesce(sum(repeated), 0)::BIGINT, "
        "coalesce(sum(skipped), 0)::BIGINT FROM import_outcome WHERE import_id = ?",
        [import_id],
    )
    return ImportCounts(
        accepted=accepted,
        new=new,
        identical=identical,
        corrected=corrected,
        repeated=repeated,
        skipped=skipped,
        next_block=next_block,
    )
