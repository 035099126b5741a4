"""What was stored since ever, by door: counted in the transaction that stores or folds it, so that
after a crash the counts are those of what is there.

`books` is added to; a fold makes one row a door of it. Works on the fold's temporary tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from pipewatcher.model.figures import DoorBooks, StoreBooks
from pipewatcher.model.readings import Batch
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


def count_folded(
    cursor: Cursor, writes: Mapping[int, int], stood: Mapping[int, int], *, met: bool
) -> None:
    """Of what a fold takes: a write that is not the last of its reading is *repeated*, the last
    one is judged against what is stored. An import's own judgement is `import_outcome`.

    By origin, `writes`: how many it takes; `stood`: how many are the last of their reading; `met`:
    whether any of them may meet a stored reading.
    """
    met_by: dict[int, tuple[int, int]] = {}
    if met:
        rows = cursor.execute(
            """
            SELECT i.origin, count(*), count(*) FILTER (p.value = i.value)
            FROM predecessor AS p JOIN incoming AS i USING (sensor, event_time) GROUP BY i.origin
            """
        ).fetchall()
        met_by = {origin: (count, identical) for origin, count, identical in rows}
    names = dict(cursor.execute("SELECT origin, name FROM origin").fetchall())
    for origin, written in writes.items():
        door = "import" if origin < 0 else names[origin].partition(":")[0]
        standing = stood.get(origin, 0)
        old, identical = met_by.get(origin, (0, 0))
        cursor.execute(
            "INSERT INTO books VALUES (?, 0, ?, ?, ?, ?, 0)",
            [door, standing - old, identical, old - identical, written - standing],
        )
    summed = cursor.execute(f"SELECT door, {_SUMS} FROM books GROUP BY door").fetchall()
    cursor.execute("DELETE FROM books")
    for row in summed:
        cursor.execute("INSERT INTO books VALUES (?, ?, ?, ?, ?, ?, ?)", row)


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
