"""The balance sheet of a real server: zero at any moment, under load and over `kill -9`."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server
from waiting import eventually
from workload import Ledger, Sender, import_comes_to, instant, stop_load

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
        assert door["received"] == door["stored"] + door["rejected"]
        assert door["rejectedSinceStart"] <= door["rejected"]
    assert sheet["received"] == sheet["accepted"] + sheet["rejected"]
    assert sheet["rejected"] == sum(door["rejected"] for door in sheet["doors"])
    return sheet


def by_door(sheet: dict[str, Any], what: str) -> dict[str, int]:
    return {door["door"]: door[what] for door in sheet["doors"]}


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
            assert "pipewatcher_balance_difference 0.0" in (await api.get("/metrics")).text
            assert sheet["accepted"] >= ledger.acks


def kept_rejections(folder: Path) -> dict[str, int]:
    """A kill may cost what is not there yet: the last second."""
    with closing(sqlite3.connect(folder / "registry.sqlite")) as registry:
        return dict(registry.execute("SELECT door, readings FROM rejected"))


async def test_what_was_rejected_is_told_by_door_over_stops_and_kills(tmp_path: Path) -> None:
    good, bad = b'{"equipmentId":"P-1","value":1,"timestamp":"2026-01-01T00:00:00Z"}', b"{}"
    file = b"equipmentId,timestamp,value\nP-1,2026-01-01T00:00:00Z,1\nP-1,yesterday,1\nP-1,,2\n"
    server = Server(tmp_path / "data")
    for times in (1, 2, 3):
        server.start()
        async with server.client() as api:
            lines = b"\n".join([good, bad, bad, bad])
            await api.post(
                "/api/v1/readings", content=lines, headers={"content-type": "application/x-ndjson"}
            )
            await api.post("/write", content=b"pump,sensor=P-1 value=oops 1\n")
            made = await api.post("/api/v1/imports", content=file, headers=CSV)
            await import_comes_to(api, made.json()["id"], "done")
            sheet = await balance(api)
            assert by_door(sheet, "rejectedSinceStart") == {
                "http": 3, "line-protocol": 1, "import": 2,
            }  # fmt: skip
            assert by_door(sheet, "rejected") == {
                "http": 3 * times, "line-protocol": times, "import": 2 * times,
            }  # fmt: skip
            if times == 2:
                kept = {"http": 3 * times, "line-protocol": times}
                await eventually(lambda kept=kept: kept_rejections(server.folder) == kept)
                server.kill()
                continue
        server.stop()
