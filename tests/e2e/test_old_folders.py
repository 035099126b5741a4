"""A data folder of any version that was released opens and answers as it did; an older version
leaves a newer folder alone and says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import duckdb
import pytest

import frozen
from everything import everything
from server import Server
from workload import ask, instant

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_present_formats_are_kept_for_the_versions_to_come() -> None:
    assert frozen.PRESENT in frozen.names(), "PYTHONPATH=src:tests python -m frozen"


@pytest.mark.parametrize("name", frozen.names())
async def test_an_old_folder_answers_as_it_did_and_goes_on(name: str, tmp_path: Path) -> None:
    then = frozen.unpack(name, tmp_path / "data")
    assert then["balance"]
    for _ in range(2):
        with Server(tmp_path / "data") as server:
            async with server.client() as api:
                frozen.check_same(then, await everything(api))
                balance = (await ask(api, "/api/v1/status", {}))["balance"]
                assert balance["difference"] == 0, balance
                assert (await ask(api, "/api/v1/audit/verify", {}))["brokenAt"] is None
    with Server(tmp_path / "data") as server:
        async with server.client() as api:
            one = {"equipmentId": "EQ-new", "timestamp": instant(0), "value": 1.0}
            assert (await api.post("/api/v1/readings", json=one)).status_code == 204
            body = {"window": "365d", "until": "2026-06-01T00:00:00Z"}
            page = await ask(api, "/api/v1/averages", body)
            assert "EQ-new" in {item["equipmentId"] for item in page["items"]}


def test_what_an_old_folder_said_is_compared_and_not_only_looked_at(tmp_path: Path) -> None:
    """A test of the test."""
    then = frozen.unpack(frozen.PRESENT, tmp_path)
    changed = frozen.unpack(frozen.PRESENT, tmp_path)
    frozen.check_same(then, changed)
    changed["averages"][1]["mean"] += 1e-9
    with pytest.raises(AssertionError, match=r"averages\[1\]\.mean"):
        frozen.check_same(then, changed)
    del changed["readings"]["EQ-1"]
    with pytest.raises(AssertionError, match=r"readings\.EQ-1"):
        frozen.check_same(then | {"averages": []}, changed | {"averages": []})


@pytest.mark.parametrize("engine", ["commit-log.sqlite", "registry.sqlite", "readings.duckdb"])
async def test_a_folder_of_a_newer_version_is_left_alone_and_the_remedy_told(
    engine: str, tmp_path: Path
) -> None:
    then = frozen.unpack(frozen.PRESENT, tmp_path / "data")
    with Server(tmp_path / "data"):
        pass
    file = tmp_path / "data" / engine
    before = _change_format(file, 1_000)
    older = Server(tmp_path / "data")
    with pytest.raises(AssertionError, match="Install the version that wrote it"):
        older.start()
    assert _change_format(file, before) == 1_000
    with Server(tmp_path / "data") as server:
        async with server.client() as api:
            frozen.check_same(then, await everything(api))


def _change_format(file: Path, number: int) -> int:
    """The one before."""
    if file.suffix == ".duckdb":
        with duckdb.connect(str(file)) as connection:
            (before,) = connection.execute("SELECT format FROM meta").fetchone() or (0,)
            connection.execute("UPDATE meta SET format = ?", [number])
        return int(before)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        (before,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {number}")
    return int(before)
