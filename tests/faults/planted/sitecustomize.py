"""Plants one bug, named by FAULTS_PLANTED, into a PipeWatcher that is started with this folder in
PYTHONPATH: the harness has to find each."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import re
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.intake import Intake
from pipewatcher.model.imports import UndoCounts
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import SECOND
from pipewatcher.readings import duckdb
from pipewatcher.readings.duckdb_sql import append, undo
from pipewatcher.readings.influxdb_http import InfluxHttp
from pipewatcher.registry.sqlite import SQLiteRegistry

BATCH = 50
IMPORTED, LIVE = 400, 40
FAR = 32_472_144_000 * SECOND
LATE_S = 1.0
LEAKED_BYTES = 32 * 2**20
LEAKS = 25
count = itertools.count(1)
kept: list[object] = []


def replaced(owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """By a function that is given the one before as its first argument."""
    before = getattr(owner, name)

    def by(planted: Callable[..., Any]) -> None:
        setattr(owner, name, lambda *a, **k: planted(before, *a, **k))

    return by


def acknowledged_before_it_is_committed() -> None:
    @replaced(SQLiteCommitLog, "append_reading")
    def append_reading(before: Any, log: SQLiteCommitLog, *reading: Any) -> Any:
        loop = asyncio.get_running_loop()
        loop.call_later(LATE_S, before, log, *reading)
        future = loop.create_future()
        future.set_result(log.end())
        return future


def acknowledged_before_kafka_has_it() -> None:
    @replaced(KafkaCommitLog, "append_reading")
    def append_reading(before: Any, log: KafkaCommitLog, *reading: Any) -> Any:
        loop = asyncio.get_running_loop()
        loop.call_later(LATE_S, before, log, *reading)
        future = loop.create_future()
        future.set_result(log.end())
        return future


def a_writer_passes_over_a_reading() -> None:
    @replaced(InfluxHttp, "write_points")
    async def write_points(before: Any, http: InfluxHttp, points: Any) -> Any:
        if len(points) < BATCH:
            return await before(http, points)
        return await http._write_chunk(points, 0, len(points) - 1)


def acknowledged_before_it_is_synced() -> None:
    class NeverSyncs(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            never = re.sub("PRAGMA synchronous = .*", "PRAGMA synchronous = OFF", statement)
            return super().execute(never, *values)

    @replaced(sqlite3, "connect")
    def connect(before: Any, *where: Any, **options: Any) -> Any:
        return before(*where, factory=NeverSyncs, **options)


def one_reading_of_a_batch_is_dropped() -> None:
    @replaced(append, "_columns")
    def columns(before: Any, names: Any, batch: Batch) -> Any:
        found = before(names, batch)
        return tuple(column[:-1] for column in found) if len(batch) == BATCH else found


def one_batch_is_not_counted() -> None:
    @replaced(append, "count_stored")
    def count_stored(before: Any, cursor: Any, batches: Any) -> Any:
        return before(cursor, batches[:-1] if next(count) % 3 == 0 else batches)


def one_reading_of_a_batch_is_stored_twice() -> None:
    @replaced(append, "_columns")
    def columns(before: Any, names: Any, batch: Batch) -> Any:
        found = before(names, batch)
        if len(batch) != BATCH:
            return found
        return tuple(np.append(column, column[-1:]) for column in found)


def one_reading_is_answered_twice() -> None:
    @replaced(duckdb.reads, "readings")
    def readings(before: Any, *asked: Any) -> Any:
        found = before(*asked)
        return [*found, *found[-1:]]


def a_value_is_changed_a_little() -> None:
    @replaced(append, "_columns")
    def columns(before: Any, names: Any, batch: Batch) -> Any:
        sensors, times, values, *others = before(names, batch)
        if len(batch) == BATCH:
            values = np.append(values[:-1], values[-1:] * (1 + 1e-12))
        return sensors, times, values, *others


def what_was_refused_is_stored() -> None:
    @replaced(SQLiteCommitLog, "append")
    def appended(before: Any, log: SQLiteCommitLog, batch: Batch) -> Any:
        if len(batch) == BATCH and batch.origin_codes is None:
            batch = dataclasses.replace(
                batch,
                codes=np.append(batch.codes, batch.codes[:1]),
                event_times=np.append(batch.event_times, np.int64(FAR)),
                values=np.append(batch.values, 1.0),
            )
        return before(log, batch)


def a_mean_passes_over_a_reading() -> None:
    @replaced(duckdb, "averages")
    def averages(before: Any, *asked: Any) -> Any:
        found = before(*asked)
        return [msgspec.structs.replace(one, mean=(one.mean or 0) * (1 + 1e-9)) for one in found]


def a_gap_is_not_told() -> None:
    @replaced(duckdb, "gaps")
    def gaps(before: Any, *asked: Any) -> Any:
        found, mended = before(*asked)
        columns = {name: getattr(found, name)[1:] for name in ("codes", "starts", "ends")}
        columns["cadences"] = found.cadences[1:]
        return dataclasses.replace(found, **columns), mended


def a_receipt_counts_one_too_many() -> None:
    @replaced(duckdb, "counts_of")
    def counts_of(before: Any, *asked: Any) -> Any:
        found = before(*asked)
        return msgspec.structs.replace(found, new=found.new + 1)


def an_undone_import_stays() -> None:
    undo.undo_step = lambda *_: None
    undo.undone = lambda *_: UndoCounts(removed=IMPORTED - LIVE, restored=LIVE)


def an_edit_is_not_saved() -> None:
    @replaced(SQLiteRegistry, "update_sensor")
    def update_sensor(before: Any, registry: Any, equipment_id: str, changes: Any) -> Any:
        if next(count) > 3:
            return registry.sensor(equipment_id)
        return before(registry, equipment_id, changes)


def a_door_hangs() -> None:
    @replaced(Intake, "take_reading")
    def take_reading(before: Any, *reading: Any) -> None:
        if next(count) < 100:
            before(*reading)


def a_descriptor_leaks() -> None:
    @replaced(Intake, "take_reading")
    def take_reading(before: Any, *reading: Any) -> None:
        kept.append(os.open(os.devnull, os.O_RDONLY))
        before(*reading)


def memory_leaks() -> None:
    @replaced(Intake, "take_reading")
    def take_reading(before: Any, *reading: Any) -> None:
        if next(count) <= LEAKS:
            kept.append(b"x" * LEAKED_BYTES)
        before(*reading)


globals()[os.environ["FAULTS_PLANTED"]]()
