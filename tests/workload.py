"""Load with a ledger: what was acknowledged, what is uncertain, and what must be stored then."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from waiting import eventually

START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = 400
END = "2026-06-01T00:00:00Z"
ANSWERED_WITHIN_S = 60.0


class Ledger:
    """Per reading: the value acknowledged last, and what was sent since without an answer."""

    def __init__(self) -> None:
        self.acknowledged: dict[tuple[str, str], float] = {}
        self.uncertain: dict[tuple[str, str], list[float]] = defaultdict(list)
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


class Sender:
    """Sends to `client()`, which may be another one after a restart. A refusal of our own and a
    connection that breaks leave a reading uncertain; anything else is a fault."""

    def __init__(
        self,
        client: Callable[[], httpx.AsyncClient],
        ledger: Ledger,
        numbers: itertools.count[int],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._numbers = numbers
        self.refused = 0

    async def singles(self, sensor: str) -> None:
        """Until cancelled."""
        for number in self._numbers:
            key = (sensor, instant(number * 7 % KEYS))
            self._ledger.sent(key, float(number))
            if await self._post(reading(key, number), 204):
                self._ledger.acked(key, float(number))

    async def batches(self, sensor: str) -> None:
        """Until cancelled."""
        for number in self._numbers:
            keys = [(sensor, instant((number * 13 + n) % KEYS)) for n in range(100)]
            for key in keys:
                self._ledger.sent(key, float(number))
            if await self._post([reading(key, number) for key in keys], 200):
                for key in keys:
                    self._ledger.acked(key, float(number))

    async def _post(self, body: object, good: int) -> bool:
        try:
            answer = await self._client().post("/api/v1/readings", json=body)
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            return False
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            self.refused += 1
            await asyncio.sleep(0.05)
            return False
        assert answer.status_code == good, answer.text
        return True


async def stop_load(load: Sequence[asyncio.Task[None]]) -> None:
    """Ends it; what it had found wrong is raised."""
    for task in load:
        task.cancel()
    for ended in await asyncio.gather(*load, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError | httpx.TransportError), ended


async def check_readings(api: httpx.AsyncClient, ledger: Ledger) -> None:
    sensors = {sensor for sensor, _ in ledger.uncertain}
    for sensor in sensors:
        stored = await stored_of(api, sensor)
        for key in [key for key in ledger.uncertain if key[0] == sensor]:
            if key in ledger.acknowledged or key[1] in stored:
                assert stored[key[1]] in ledger.allowed(key), key
        assert all((sensor, instant) in ledger.uncertain for instant in stored)
    params = {"window": "365d", "until": END}
    page = await ask(api, "/api/v1/averages", params)
    means = {item["equipmentId"]: item for item in page["items"]}
    for sensor in sensors:
        values = list((await stored_of(api, sensor)).values())
        assert means[sensor]["count"] == len(values)
        assert means[sensor]["mean"] == pytest.approx(sum(values) / len(values), rel=1e-12)


async def stored_of(api: httpx.AsyncClient, sensor: str) -> dict[str, float]:
    found: dict[str, float] = {}
    cursor: str | None = None
    while True:
        query = {
            "equipmentId": sensor,
            "start": "2025-12-31T00:00:00Z",
            "end": END,
            "limit": "10000",
        }
        page = await ask(api, "/api/v1/readings", query | at(cursor))
        for item in page["items"]:
            assert item["timestamp"] not in found, ("twice", item)
            found[item["timestamp"]] = item["value"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


async def ask(api: httpx.AsyncClient, path: str, params: Mapping[str, str]) -> Any:
    """The answer; asked again, as told, while a reader that was killed still holds its share."""
    until = time.monotonic() + ANSWERED_WITHIN_S
    while True:
        answer = await api.get(path, params=params)
        if answer.status_code != 503 or time.monotonic() > until:
            assert answer.status_code == 200, answer.text
            return answer.json()
        await asyncio.sleep(int(answer.headers["retry-after"]))


async def folded(api: httpx.AsyncClient) -> None:
    """Returns once what was acknowledged is stored and folded, where the store folds: what is
    learned of the sensors stands still then."""
    await ask(api, "/api/v1/averages", {"window": "5m"})

    async def nothing_waits() -> bool:
        return not (await ask(api, "/api/v1/status", {}))["unfolded"]

    await eventually(nothing_waits, ANSWERED_WITHIN_S)


async def import_comes_to(api: httpx.AsyncClient, import_id: int, *states: str) -> dict[str, Any]:
    """The import once it is in one of `states`."""

    async def told() -> dict[str, Any] | None:
        job: dict[str, Any] = await ask(api, f"/api/v1/imports/{import_id}", {})
        return job if job["state"] in states else None

    job: dict[str, Any] = await eventually(told)
    return job


def at(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"cursor": cursor}


def instant(minute: int) -> str:
    moment = START + timedelta(minutes=minute)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def reading(key: tuple[str, str], value: float) -> dict[str, object]:
    return {"equipmentId": key[0], "timestamp": key[1], "value": value}
