"""`kill -9` at random moments under mixed load: what was acknowledged is stored, once, and last.

`PIPEWATCHER_TEST_KILLS=200 ./test.sh --only tests tests/e2e/test_crash.py` is the long run.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server

KILLS = int(os.environ.get("PIPEWATCHER_TEST_KILLS", "20"))
START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = 400
IMPORT_ROWS = 20_000

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Ledger:
    """Per reading: the value acknowledged last, and what was sent since without an answer."""

    def __init__(self) -> None:
        self.acknowledged: dict[tuple[str, str], float] = {}
        self.uncertain: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.imports: dict[int, str] = {}
        self.acks = 0

    def sent(self, key: tuple[str, str], value: float) -> None:
        self.uncertain[key].append(value)

    def acked(self, key: tuple[str, str], value: float) -> None:
        self.acknowledged[key] = value
        self.uncertain[key] = []
        self.acks += 1

    def allowed(self, key: tuple[str, str]) -> set[float]:
        known = {self.acknowledged[key]} if key in self.acknowledged else set()
        return known | set(self.uncertain[key])


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    rng = random.Random(20260101)
    ledger = Ledger()
    numbers = itertools.count()
    server = Server(tmp_path / "data")
    for _ in range(KILLS):
        server.start()
        async with server.client() as api:
            load = asyncio.gather(
                *(_singles(api, ledger, f"S-{n}", numbers) for n in range(8)),
                *(_batches(api, ledger, f"B-{n}", numbers) for n in range(2)),
                _imports(api, ledger),
                return_exceptions=True,
            )
            await asyncio.sleep(rng.uniform(0.2, 1.5))
            server.kill()
            for ended in await load:
                assert isinstance(ended, httpx.TransportError), ended
    assert ledger.acks > KILLS * 20
    assert ledger.imports
    with server:
        async with server.client() as api:
            await _check_imports(api, ledger)
            await _check_readings(api, ledger)


async def _singles(
    api: httpx.AsyncClient, ledger: Ledger, sensor: str, numbers: itertools.count[int]
) -> None:
    for number in numbers:
        key = (sensor, _instant(number * 7 % KEYS))
        ledger.sent(key, float(number))
        answer = await api.post("/api/v1/readings", json=_reading(key, number))
        assert answer.status_code == 204
        ledger.acked(key, float(number))


async def _batches(
    api: httpx.AsyncClient, ledger: Ledger, sensor: str, numbers: itertools.count[int]
) -> None:
    for number in numbers:
        keys = [(sensor, _instant((number * 13 + n) % KEYS)) for n in range(100)]
        for key in keys:
            ledger.sent(key, float(number))
        answer = await api.post("/api/v1/readings", json=[_reading(key, number) for key in keys])
        assert answer.status_code == 200
        for key in keys:
            ledger.acked(key, float(number))


async def _imports(api: httpx.AsyncClient, ledger: Ledger) -> None:
    for number in itertools.count():
        sensor = f"I-{os.urandom(4).hex()}"
        rows = "".join(f"{sensor},{_instant(n)},{n}\n" for n in range(IMPORT_ROWS))
        bad = f"{sensor},yesterday,1\n" * 3
        answer = await api.post(
            "/api/v1/imports",
            content=f"equipmentId,timestamp,value\n{rows}{bad}",
            headers={"content-type": "text/csv"},
        )
        assert answer.status_code == 202
        ledger.imports[answer.json()["id"]] = sensor
        await asyncio.sleep(0.2 + number * 0.1)


async def _check_imports(api: httpx.AsyncClient, ledger: Ledger) -> None:
    for import_id, sensor in ledger.imports.items():
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
        stored = await _stored(api, sensor)
        assert stored == {_instant(n): float(n) for n in range(IMPORT_ROWS)}


async def _check_readings(api: httpx.AsyncClient, ledger: Ledger) -> None:
    sensors = {sensor for sensor, _ in ledger.uncertain}
    for sensor in sensors:
        stored = await _stored(api, sensor)
        for key in [key for key in ledger.uncertain if key[0] == sensor]:
            if key in ledger.acknowledged or key[1] in stored:
                assert stored[key[1]] in ledger.allowed(key), key
        assert all((sensor, instant) in ledger.uncertain for instant in stored)
    end = _instant(IMPORT_ROWS + KEYS)
    page = (await api.get("/api/v1/averages", params={"window": "365d", "until": end})).json()
    means = {item["equipmentId"]: item for item in page["items"]}
    for sensor in sensors:
        values = list((await _stored(api, sensor)).values())
        assert means[sensor]["count"] == len(values)
        assert means[sensor]["mean"] == pytest.approx(sum(values) / len(values), rel=1e-12)


async def _stored(api: httpx.AsyncClient, sensor: str) -> dict[str, float]:
    found: dict[str, float] = {}
    cursor: str | None = None
    while True:
        query = {
            "equipmentId": sensor,
            "start": "2025-12-31T00:00:00Z",
            "end": "2026-06-01T00:00:00Z",
            "limit": "10000",
        }
        page = (await api.get("/api/v1/readings", params=query | _at(cursor))).json()
        for item in page["items"]:
            assert item["timestamp"] not in found
            found[item["timestamp"]] = item["value"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def _at(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"cursor": cursor}


def _instant(minute: int) -> str:
    moment = START + timedelta(minutes=minute)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reading(key: tuple[str, str], value: int) -> dict[str, object]:
    return {"equipmentId": key[0], "timestamp": key[1], "value": value}
