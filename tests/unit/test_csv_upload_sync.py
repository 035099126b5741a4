"""An upload is answered only when all of it was handed to the disk, down to its last byte."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.sources.csv_import import ImportService
from pipewatcher.sources.csv_runs import Stages
from pipewatcher.sources.csv_spool import WRITE_BYTES
from pipewatcher.writer import Writer
from refusals import none_refused


@pytest.mark.parametrize("size", [1, 100, WRITE_BYTES, WRITE_BYTES + 7, 3 * WRITE_BYTES + 1])
async def test_every_byte_is_in_the_file_when_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    synced: list[int] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        real_fsync(descriptor)

    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    store = DuckDBStore(tmp_path / "readings.duckdb")
    commit_log = SQLiteCommitLog(tmp_path / "commit-log.sqlite")
    folder = tmp_path / "imports"
    folder.mkdir()
    service = ImportService(
        Stages(
            registry=registry,
            store=store,
            append=commit_log.append,
            backlog=commit_log.backlog,
            stored=Writer(commit_log, store, none_refused).stored,
            end=commit_log.end,
            refusal=lambda: None,
            oldest=lambda at: None,
            outcomes=True,
        ),
        folder=folder,
        kept_by="here",
        future_max_s=300,
    )

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * size

    monkeypatch.setattr(os, "fsync", fsync)
    await service.upload(chunks(), file_name="x.csv", created_by="test")
    assert synced[0] == size
    await registry.close()
