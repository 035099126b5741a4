"""The balance sheet of a real server: zero at any moment, under load and over `kill -9`."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server
from workload import Ledger, Sender, instant, stop_load

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
CSV = {"content-type": "text/csv"}


async def balance(api: httpx.AsyncClient) -> dict[str, Any]:
    answer = await api.get("/api/v1/status")
    sheet: dict[str, Any] = answer.json()["balance"]
    assert sheet["difference"] == 0, sheet
    assert sheet["stored"] == sum(door["stored"] for door in sheet["doors"])
    for door in sheet["doors"]:
        parts = ("new", "identical", "corrected", "repeated", "skipped", "unfolded")
        assert door["stored"] == sum(door[part] for part in parts), door
    return sheet


async def test_the_difference_is_zero_at_any_moment_and_after_kill_9(tmp_path: Path) -> None:
    rng = random.Random(1)
    ledger = Ledger()
    numbers = itertools.count()
    server = Server(tmp_path / "data")
    stored = 0
    for _ in range(4):
        server.start()
        async with server.client() as api:
            sender = Sender(lambda api=api: api, ledger, numbers)
            load = [
                *(asyncio.create_task(sender.singles(f"S-{n}")) for n in range(4)),
                asyncio.create_task(sender.batches("B-0")),
            ]
            rows = "".join(f"I-1,{instant(n)},{n}\n" for n in range(5_000))
            text = f"equipmentId,timestamp,value\n{rows}".encode()
            assert (await api.post("/api/v1/imports", content=text, headers=CSV)).is_success
            for _ in range(8):
                sheet = await balance(api)
                assert sheet["stored"] >= stored
                stored = sheet["stored"]
                await asyncio.sleep(rng.uniform(0, 0.15))
            server.kill()
            await stop_load(load)
    with server:
        async with server.client() as api:
            sheet = await balance(api)
            assert {door["door"] for door in sheet["doors"]} == {"http", "import"}
            assert sheet["accepted"] >= ledger.acks
