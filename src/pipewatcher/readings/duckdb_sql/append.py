"""Append: what the commit log delivered goes into `hot`, with where it stands in the commit log and
what it means to imports and to the books. In the running transaction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipewatcher.model.readings import Batch, Position
from pipewatcher.readings.duckdb_names import Names
from pipewatcher.readings.duckdb_sql.books import count_stored
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert


def position(cursor: Cursor) -> Position:
    return dict(cursor.execute("SELECT partition, next FROM position").fetchall())


def advance(cursor: Cursor, position: Position) -> None:
    # Not UPDATE: beside a question that is older than it, no checkpoint could be made.
    for partition, offset in position.items():
        cursor.execute("DELETE FROM position WHERE partition = ?", [partition])
        cursor.execute("INSERT INTO position VALUES (?, ?)", [partition, offset])


def rows(cursor: Cursor, names: Names, batches: Sequence[Batch], next_seq: int) -> int:
    """How many were inserted; the first of them is number `next_seq`."""
    columns = [_columns(names, batch) for batch in batches if len(batch)]
    inserted = 0
    if columns:
        sensors, times, values, origins, keeps = (
            np.concatenate(parts) for parts in zip(*columns, strict=True)
        )
        inserted = len(sensors)
        drained = {
            "sensor": sensors,
            "event_time": times,
            "value": values,
            "origin": origins,
            "seq": np.arange(next_seq, next_seq + inserted),
            "keep_stored": keeps,
        }
        insert(cursor, "hot", pa.table(drained))
    names.write_new(cursor)
    _count_blocks(cursor, batches)
    count_stored(cursor, batches)
    return inserted


def _columns(names: Names, batch: Batch) -> tuple[npt.NDArray[np.generic], ...]:
    sensors = np.array([names.sensor(name) for name in batch.equipment_ids], np.int32)
    origins = np.array([names.origin(name) for name in batch.origins], np.int32)
    if batch.origin_codes is None:
        origin_column = np.full(len(batch), origins[0], np.int32)
    else:
        origin_column = origins[batch.origin_codes]
    keeps = np.full(len(batch), batch.block is not None and batch.block.keep_stored)
    return sensors[batch.codes], batch.event_times, batch.values, origin_column, keeps


def _count_blocks(cursor: Cursor, batches: Sequence[Batch]) -> None:
    progress: dict[int, tuple[int, int]] = {}
    for batch in batches:
        if (block := batch.block) is not None:
            _, accepted = progress.get(block.import_id, (0, 0))
            progress[block.import_id] = block.block + 1, accepted + len(batch)
    for import_id, (next_block, accepted) in progress.items():
        cursor.execute(
            "INSERT INTO import_progress VALUES (?, ?, ?)", [import_id, next_block, accepted]
        )
