"""A backup of a running historian, and another historian made of it: all that was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.test_cli import run
from everything import everything
from server import Server
from workload import (
    Ledger,
    Sender,
    ask,
    check_readings,
    instant,
    stop_load,
    stored_of,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
CSV = {"content-type": "text/csv"}


async def imported(api: httpx.AsyncClient, sensor: str, rows: int) -> int:
    text = "".join(f"{sensor},{instant(n)},{n}\n" for n in range(rows))
    answer = await api.post(
        "/api/v1/imports",
        content=f"equipmentId,timestamp,value\n{text}{sensor},never,1\n",
        headers=CSV,
    )
    assert answer.status_code == 202, answer.text
    import_id: int = answer.json()["id"]
    return import_id


async def done(api: httpx.AsyncClient, import_id: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await api.get(f"/api/v1/imports/{import_id}")).json()
            if job["state"] == "done":
                return job
            await asyncio.sleep(0.1)


async def test_what_is_restored_answers_everything_as_the_original(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        async with server.client() as api:
            batch = [
                {"equipmentId": f"EQ-{n % 5}", "timestamp": instant(n), "value": n / 7}
                for n in range(2_000)
            ]
            assert (await api.post("/api/v1/readings", json=batch)).status_code == 200
            await done(api, await imported(api, "EQ-1", 3_000))
            body = {"name": "device-1", "role": "device"}
            token = (await api.post("/api/v1/tokens", json=body)).json()["token"]
            made = await asyncio.to_thread(run, server.folder, "backup", tmp_path / "backup")
            assert made.returncode == 0, made.stderr
            before = await everything(api)
            again = await asyncio.to_thread(run, server.folder, "backup", tmp_path / "backup")
            assert "cannot be made" in again.stderr
            refused = await api.post("/api/v1/backups", json={"folder": str(tmp_path / "x")})
            assert refused.status_code == 403
    assert not (tmp_path / "x").exists()
    told = run(tmp_path / "restored", "restore", tmp_path / "backup")
    assert told.returncode == 0, told.stderr
    with Server(tmp_path / "restored") as server:
        async with server.client() as api:
            assert await everything(api) == before
            assert (await ask(api, "/api/v1/audit/verify", {}))["brokenAt"] is None
            rejected = await api.get(
                f"/api/v1/imports/{before['imports']['items'][0]['id']}/rejected.csv"
            )
            assert "never" in rejected.text
            headers = {"authorization": f"Bearer {token}"}
            one = {"equipmentId": "EQ-1", "timestamp": instant(0), "value": 1.0}
            assert (await api.post("/api/v1/readings", json=one, headers=headers)).is_success


class Everything(Ledger):
    """Also knows each value that was ever sent."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], list[float]] = defaultdict(list)

    def sent(self, key: tuple[str, str], value: float) -> None:
        super().sent(key, value)
        self.values[key].append(value)


async def test_a_backup_under_load_has_all_that_was_acknowledged_before_it(
    tmp_path: Path,
) -> None:
    ledger = Everything()
    numbers = itertools.count()
    with Server(tmp_path / "data") as server:
        async with server.client() as api:
            sender = Sender(lambda: api, ledger, numbers)
            load = [
                *(asyncio.create_task(sender.singles(f"S-{n}")) for n in range(4)),
                asyncio.create_task(sender.batches("B-0")),
            ]
            import_id = await imported(api, "I-1", 100_000)
            for n in range(3):
                await asyncio.sleep(0.5)
                acknowledged = dict(ledger.acknowledged)
                made = await asyncio.to_thread(
                    run, server.folder, "backup", tmp_path / f"backup-{n}"
                )
                assert made.returncode == 0, made.stderr
                assert len(ledger.acknowledged) > 100
            await stop_load(load)
    known = Ledger()
    known.acknowledged = acknowledged
    # What was sent since, and was never answered before, may be in it or not. Values only grow.
    for key, values in ledger.values.items():
        since = acknowledged.get(key, -1.0)
        known.uncertain[key] = [value for value in values if value > since]
    told = run(tmp_path / "restored", "restore", tmp_path / "backup-2")
    assert told.returncode == 0, told.stderr
    with Server(tmp_path / "restored") as server:
        async with server.client() as api:
            receipt = (await done(api, import_id))["receipt"]
            assert (receipt["accepted"], receipt["new"], receipt["rejected"]) == (
                100_000,
                100_000,
                1,
            )
            assert len(await stored_of(api, "I-1")) == 100_000
            status = await ask(api, "/api/v1/status", {})
            assert status["balance"]["difference"] == 0
            await check_readings(api, known)


def test_only_a_whole_backup_is_restored_and_only_into_an_empty_folder(tmp_path: Path) -> None:
    made = run(tmp_path / "data", "backup", tmp_path / "backup")
    assert made.returncode == 0, made.stderr
    full = run(tmp_path / "data", "restore", tmp_path / "backup")
    assert (full.returncode, "is not empty" in full.stderr) == (1, True)
    manifest = json.loads((tmp_path / "backup/backup.json").read_text())
    names = {file["name"] for file in manifest["files"]}
    assert {"commit-log.sqlite", "readings.duckdb", "registry.sqlite", "installation"} <= names
    database = tmp_path / "backup/readings.duckdb"
    whole = database.read_bytes()
    database.write_bytes(whole[:5_000] + b"?" + whole[5_001:])
    damaged = run(tmp_path / "new", "restore", tmp_path / "backup")
    assert "readings.duckdb is not as the backup wrote it" in damaged.stderr
    database.write_bytes(whole)
    (tmp_path / "backup/backup.json").unlink()
    cut_off = run(tmp_path / "new", "restore", tmp_path / "backup")
    assert "is no whole backup" in cut_off.stderr
    assert not (tmp_path / "new").exists()
