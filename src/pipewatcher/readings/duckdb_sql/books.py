"""What was stored since ever, by door: counted in the transaction that stores or folds it, so that
after a crash the counts are those of what is there.

`books` is added to; a fold makes one row a door of it. Works on the fold's temporary tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipewatcher.model import Batch, DoorBooks, StoreBooks
from pipewatcher.readings.duckdb_sql.cursor import Cursor

_DOOR = "CASE WHEN origin < 0 THEN 'import' ELSE split_part(name, ':', 1) END"
_COUNTS = ("stored", "new", "identical", "corrected", "repeated", "skipped")
_SUMS = ", ".join(f"sum({name})::BIGINT" for name in _COUNTS)


def count_stored(cursor: Cursor, batches: Sequence[Batch]) -> None:
    doors: Counter[str] = Counter()
    for batch in batches:
        if batch.origin_codes is None:
            counts = [len(batch)]
        else:
            counts = np.bincount(batch.origin_codes, minlength=len(batch.origins)).tolist()
        for origin, count in zip(batch.origins, counts, strict=False):
            doors[origin.partition(":")[0]] += count
    for door, count in doors.items():
        cursor.execute("INSERT INTO books VALUES (?, ?, 0, 0, 0, 0, 0)", [door, count])


def count_folded(cursor: Cursor, writes: Mapping[int, int]) -> None:
    """Of what a fold takes: a write that is not the last of its reading is *repeated*, the last
    one is judged against what is stored. An import's own judgement is `import_outcome`.

    `writes`: how many writes of each origin it takes."""
    table = pa.table(
        {
            "origin": pa.array(list(writes), pa.int32()),
            "writes": pa.array(list(writes.values()), pa.int64()),
        }
    )
    cursor.register("taken_writes", table)
    cursor.execute(
        f"""
        INSERT INTO books
        WITH met AS (
            SELECT i.origin, count(*) AS met, count(*) FILTER (p.value = i.value) AS identical
            FROM predecessor AS p JOIN incoming AS i USING (sensor, event_time)
            GROUP BY i.origin),
        stood AS (SELECT origin, count(*) AS stood FROM incoming GROUP BY origin),
        by_door AS (
            SELECT {_DOOR} AS door, sum(writes) AS writes, sum(coalesce(stood, 0)) AS stood,
                   sum(coalesce(met, 0)) AS met, sum(coalesce(identical, 0)) AS identical
            FROM taken_writes LEFT JOIN stood USING (origin) LEFT JOIN met USING (origin)
            LEFT JOIN origin USING (origin) GROUP BY door)
        SELECT door, 0, stood - met, identical, met - identical, writes - stood, 0 FROM by_door
        """
    )
    cursor.unregister("taken_writes")
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE summed AS SELECT door, {_SUMS} FROM books GROUP BY door"
    )
    cursor.execute("DELETE FROM books")
    cursor.execute("INSERT INTO books SELECT * FROM summed")
    cursor.execute("DROP TABLE summed")


def count_skipped(cursor: Cursor) -> None:
    cursor.execute("INSERT INTO books SELECT 'import', 0, 0, 0, 0, 0, count(*) FROM unwanted")


def books(cursor: Cursor) -> StoreBooks:
    """In one snapshot."""
    position = dict(cursor.execute("SELECT partition, next FROM position").fetchall())
    unfolded = dict(
        cursor.execute(
            f"SELECT {_DOOR} AS door, count(*) FROM hot LEFT JOIN origin USING (origin) GROUP BY 1"
        ).fetchall()
    )
    rows = cursor.execute(f"SELECT door, {_SUMS} FROM books GROUP BY door ORDER BY door").fetchall()
    return StoreBooks(
        position=position,
        doors=[
            DoorBooks(
                door=door,
                unfolded=unfolded.get(door, 0),
                **dict(zip(_COUNTS, counts, strict=True)),
            )
            for door, *counts in rows
        ],
    )
