"""`kill -9` at random moments under mixed load: what was acknowledged is stored, once, and last.

`PIPEWATCHER_TEST_KILLS=200 ./test.sh --only tests tests/e2e/test_crash.py` is the long run.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server
from workload import Ledger, Sender, check_readings, instant, stop_load, stored_of

KILLS = int(os.environ.get("PIPEWATCHER_TEST_KILLS", "20"))
IMPORT_ROWS = 20_000

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    rng = random.Random(20260101)
    ledger = Ledger()
    imports: dict[int, str] = {}
    numbers = itertools.count()
    server = Server(tmp_path / "data")
    for _ in range(KILLS):
        server.start()
        async with server.client() as api:
            sender = Sender(lambda api=api: api, ledger, numbers)
            load = [
                *(asyncio.create_task(sender.singles(f"S-{n}")) for n in range(8)),
                *(asyncio.create_task(sender.batches(f"B-{n}")) for n in range(2)),
                asyncio.create_task(_imports(api, imports)),
            ]
            await asyncio.sleep(rng.uniform(0.2, 1.5))
            server.kill()
            await stop_load(load)
    assert ledger.acks > KILLS * 20
    assert imports
    with server:
        async with server.client() as api:
            await _check_imports(api, imports)
            await check_readings(api, ledger)


async def _imports(api: httpx.AsyncClient, imports: dict[int, str]) -> None:
    for number in itertools.count():
        sensor = f"I-{os.urandom(4).hex()}"
        rows = "".join(f"{sensor},{instant(n)},{n}\n" for n in range(IMPORT_ROWS))
        bad = f"{sensor},yesterday,1\n" * 3
        answer = await api.post(
            "/api/v1/imports",
            content=f"equipmentId,timestamp,value\n{rows}{bad}",
            headers={"content-type": "text/csv"},
        )
        assert answer.status_code == 202
        imports[answer.json()["id"]] = sensor
        await asyncio.sleep(0.2 + number * 0.1)


async def _check_imports(api: httpx.AsyncClient, imports: dict[int, str]) -> None:
    for import_id, sensor in imports.items():
        job: dict[str, Any] = {}
        for _ in range(600):
            job = (await api.get(f"/api/v1/imports/{import_id}")).json()
            if job["state"] == "done":
                break
            await asyncio.sleep(0.1)
        assert job["state"] == "done", job
        receipt = job["receipt"]
        counts = {name: receipt[name] for name in ("received", "accepted", "rejected", "new")}
        assert counts == {
            "received": IMPORT_ROWS + 3,
            "accepted": IMPORT_ROWS,
            "rejected": 3,
            "new": IMPORT_ROWS,
        }
        assert [receipt[name] for name in ("identical", "corrected", "repeated")] == [0, 0, 0]
        stored = await stored_of(api, sensor)
        assert stored == {instant(n): float(n) for n in range(IMPORT_ROWS)}
