"""How the embedded store is left: beside a question, and by a process that fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from contract.readings_suite import NOON, batches_of
from oracle import Write
from pipewatcher.model.time import MINUTE
from pipewatcher.readings.duckdb import DuckDBStore


def test_a_question_that_is_older_than_an_update_does_not_keep_the_log_from_being_written_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(_close_beside_a_question(tmp_path))
    assert not caplog.records
    assert not (tmp_path / "readings.duckdb.wal").exists()


async def _close_beside_a_question(folder: Path) -> None:
    store = DuckDBStore(folder / "readings.duckdb", memory_mb=256)
    await store.open()
    await store.append(batches_of([Write("EQ-1", NOON, 1.0, "http:a")]), {0: 1})
    await store.settle()
    question = store._cursor().cursor()
    question.execute("BEGIN TRANSACTION READ ONLY")
    assert question.execute("SELECT count(*) FROM raw").fetchone() == (1,)
    await store.set_cadences({"EQ-1": MINUTE})
    asyncio.get_running_loop().call_later(0.3, question.execute, "ROLLBACK")
    await store.close()


def test_a_process_that_fails_with_the_store_open_ends(tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib
from pipewatcher.readings.duckdb import DuckDBStore
asyncio.run(DuckDBStore(pathlib.Path({str(tmp_path / "readings.duckdb")!r})).open())
raise SystemExit(7)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 7
