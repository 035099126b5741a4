from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from contract.commit_log_suite import CommitLogSuite, a_batch, deliver
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.errors import CommitLogDamaged, DataFolderTooNew
from pipewatcher.model.readings import Features


class TestSQLiteCommitLog(CommitLogSuite):
    features = Features(import_blocks=True)

    async def open_log(self, folder: Path) -> SQLiteCommitLog:
        log = SQLiteCommitLog(folder / "commit-log.sqlite")
        await log.open()
        assert log.features == self.features
        return log

    async def test_a_file_of_a_newer_version_is_refused(self, tmp_path: Path) -> None:
        await (await self.open_log(tmp_path)).close()
        connection = sqlite3.connect(tmp_path / "commit-log.sqlite")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        log = SQLiteCommitLog(tmp_path / "commit-log.sqlite")
        with pytest.raises(DataFolderTooNew):
            await log.open()
        await log.close()

    async def test_a_garbled_entry_is_told_and_not_skipped(self, tmp_path: Path) -> None:
        log = await self.open_log(tmp_path)
        await log.append(a_batch(5))
        await log.close()
        connection = sqlite3.connect(tmp_path / "commit-log.sqlite")
        connection.execute("UPDATE entries SET body = zeroblob(length(body))")
        connection.commit()
        connection.close()
        again = await self.open_log(tmp_path)
        with pytest.raises(CommitLogDamaged):
            await deliver(again, {}, again.end())
        await again.close()

    async def test_a_full_commit_log_is_opened_without_being_read_through(
        self, tmp_path: Path
    ) -> None:
        log = await self.open_log(tmp_path)
        for _ in range(30):
            await log.append(a_batch(60_000))
        await log.close()
        before = _bytes_read()
        again = await self.open_log(tmp_path)
        assert again.backlog().readings == 30 * 60_000
        assert await again.accepted_before(again.end()) == 30 * 60_000
        assert _bytes_read() - before < _size(tmp_path) / 4
        await again.close()

    async def test_the_files_stay_small_under_steady_load(
        self, log: SQLiteCommitLog, tmp_path: Path
    ) -> None:
        """120 MB of readings pass through; what the store has is given back."""
        drained = asyncio.Event()

        async def drain() -> None:
            async for delivery in log.deliveries("writer", {}):
                await delivery.ack()
                drained.set()

        task = asyncio.create_task(drain())
        for _ in range(120):
            await log.append(a_batch(60_000))
            while log.backlog().bytes > 16 * 2**20:
                drained.clear()
                await asyncio.wait_for(drained.wait(), 20)
        size = await asyncio.to_thread(_size, tmp_path)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert size < 160 * 2**20


def _bytes_read() -> int:
    """By this process since its start, from files, also from what the system holds of them."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["rchar"])


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
