"""The gate to the commit log: what is admitted, what is counted, what a failure becomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.errors import (
    Busy,
    DiskFull,
    Lagging,
    PipeWatcherError,
    Stopping,
)
from pipewatcher.intake import Intake
from pipewatcher.model.readings import Batch
from waiting import eventually

NOON = 1_769_860_800_000_000


@pytest.fixture
async def commit_log(tmp_path: Path) -> AsyncIterator[SQLiteCommitLog]:
    commit_log = SQLiteCommitLog(tmp_path / "commit.db")
    await commit_log.open()
    yield commit_log
    await commit_log.close()


def intake_on(commit_log: SQLiteCommitLog, folder: Path, **changed: int) -> Intake:
    limits = {
        "disk_free_min_bytes": 0,
        "backlog_bytes_max": 10**9,
        "inflight_bytes_max": 1_000,
        "future_max_s": 300,
    }
    return Intake(commit_log, data_dir=folder, clock=lambda: NOON / 10**6, **(limits | changed))


async def outcome_of_one(intake: Intake) -> PipeWatcherError | None:
    ended: asyncio.Future[PipeWatcherError | None] = asyncio.get_running_loop().create_future()
    intake.take_reading("P-1", NOON, 1.0, "http:t", ended.set_result)
    return await ended


def batch_of(readings: int) -> Batch:
    return Batch(
        equipment_ids=["P-1"],
        codes=np.zeros(readings, np.uint32),
        event_times=np.arange(readings, dtype=np.int64),
        values=np.ones(readings),
        origins=("http:t",),
    )


async def test_taken_readings_are_counted_when_taken_and_again_when_durable(
    commit_log: SQLiteCommitLog, tmp_path: Path
) -> None:
    intake = intake_on(commit_log, tmp_path)
    assert await outcome_of_one(intake) is None
    ended = asyncio.get_running_loop().create_future()
    intake.take(batch_of(5), ended.set_result)
    assert (intake.accepted, intake.committed) == (6, 1)
    assert await ended is None
    intake.reject("mqtt", "reading_in_future", 2)
    assert (intake.received, intake.accepted, intake.committed) == (8, 6, 6)
    assert intake.rejected == {"reading_in_future": 2}
    assert intake.rejected_by_door == {"mqtt": 2}
    assert commit_log.backlog().readings == 6


async def test_a_failed_append_becomes_the_error_of_the_tree_and_is_counted(
    commit_log: SQLiteCommitLog, tmp_path: Path
) -> None:
    intake = intake_on(commit_log, tmp_path)
    await commit_log.close()
    assert isinstance(await outcome_of_one(intake), Stopping)
    assert (intake.accepted, intake.committed, intake.failed) == (1, 0, 1)


async def test_a_backlog_over_its_bound_is_lagging(
    commit_log: SQLiteCommitLog, tmp_path: Path
) -> None:
    intake = intake_on(commit_log, tmp_path, backlog_bytes_max=0)
    intake.admit()
    assert await outcome_of_one(intake) is None
    with pytest.raises(Lagging):
        intake.admit()
    assert intake.refused == {"lagging": 1}


async def test_too_little_room_on_the_disk_shuts_the_gate_from_the_start(
    commit_log: SQLiteCommitLog, tmp_path: Path
) -> None:
    intake = intake_on(commit_log, tmp_path, disk_free_min_bytes=2**62)
    await intake.start()
    with pytest.raises(DiskFull):
        intake.admit()
    await intake.close()


async def test_a_data_folder_that_is_gone_counts_as_full_until_it_is_back(
    commit_log: SQLiteCommitLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipewatcher.intake.DISK_CHECK_INTERVAL_S", 0.01)
    folder = tmp_path / "data"
    intake = intake_on(commit_log, folder)
    await intake.start()
    assert isinstance(intake.refusal(), DiskFull)
    folder.mkdir()
    await eventually(lambda: intake.refusal() is None)
    await intake.close()


async def test_after_stop_nothing_is_admitted(commit_log: SQLiteCommitLog, tmp_path: Path) -> None:
    intake = intake_on(commit_log, tmp_path)
    assert intake.refusal() is None
    intake.stop()
    with pytest.raises(Stopping):
        intake.admit()


async def test_bodies_in_memory_are_bounded(commit_log: SQLiteCommitLog, tmp_path: Path) -> None:
    intake = intake_on(commit_log, tmp_path)
    intake.hold(600)
    with pytest.raises(Busy):
        intake.hold(401)
    intake.hold(400)
    intake.release(1_000)
    assert intake.inflight_bytes == 0


async def test_the_future_begins_at_our_clock_plus_the_allowance(
    commit_log: SQLiteCommitLog, tmp_path: Path
) -> None:
    assert intake_on(commit_log, tmp_path).bounds().latest == NOON + 300_000_000
