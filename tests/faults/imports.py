"""Imports over live readings, every second of which is taken back."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from faults.doors import HttpDoor
from faults.ledger import Key, Ledger
from server import AUTH
from workload import instant

LIVE = 40
ROWS = 400
BAD_ROWS = 3
ENDED_WITHIN_S = 120.0
CSV = {"content-type": "text/csv"}


@dataclass
class Importer:
    """Each import has a sensor of its own: `LIVE` readings that were sent before, which the file
    overwrites, and new ones."""

    api: str
    gateway: str
    ledger: Ledger
    can_undo: bool
    jobs: list[tuple[int, str, bool]] = field(default_factory=list)
    """Acknowledged: import, sensor, whether it is to be taken back."""
    live: dict[str, dict[str, float]] = field(default_factory=dict)

    async def run(self, rng: random.Random) -> None:
        """Until cancelled."""
        singles = HttpDoor(self.gateway, LIVE)
        async with self.client() as client:
            try:
                for number in itertools.count():
                    await self._one(client, singles, f"I-{number}", undone=number % 2 == 1)
                    await asyncio.sleep(rng.uniform(0.5, 1.5))
            finally:
                await singles.close()

    async def _one(
        self, client: httpx.AsyncClient, live: HttpDoor, sensor: str, *, undone: bool
    ) -> None:
        keys: list[Key] = [(sensor, instant(n)) for n in range(LIVE)]
        before = [(key, -1.0 - n) for n, key in enumerate(keys)]
        self.ledger.sent(before)
        while not await live.deliver(before):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        self.ledger.acked("http batch", before)
        self.live[sensor] = {key[1]: value for key, value in before}
        # A try to send them that nobody answered must not come after the file.
        await stored(client)
        rows = [((sensor, instant(n)), float(n)) for n in range(ROWS)]
        text = "".join(f"{name},{at},{value}\n" for (name, at), value in rows)
        bad = f"{sensor},yesterday,1\n" * BAD_ROWS
        self.ledger.sent(rows)
        try:
            answer = await client.post(
                "/api/v1/imports",
                content=f"equipmentId,timestamp,value\n{text}{bad}",
                headers=CSV,
            )
        except httpx.TransportError:
            return
        if answer.status_code == 503:
            return
        assert answer.status_code == 202, answer.text
        self.jobs.append((answer.json()["id"], sensor, undone and self.can_undo))
        self.ledger.acked("import", rows)

    async def settle(self) -> None:
        """After the faults: each import ends, its receipt adds up, and some are taken back."""
        async with self.client() as client:
            for import_id, sensor, undone in self.jobs:
                path = f"/api/v1/imports/{import_id}"
                job = await ended(client, path, "done")
                receipt = job["receipt"]
                counts = [receipt[name] for name in ("received", "accepted", "rejected")]
                assert counts == [ROWS + BAD_ROWS, ROWS, BAD_ROWS], receipt
                assert (receipt["new"] is not None) == self.can_undo, receipt
                if self.can_undo:
                    parts = [receipt[name] for name in ("new", "corrected")]
                    assert parts == [ROWS - LIVE, LIVE], receipt
                    rest = [receipt[name] for name in ("identical", "repeated", "skipped")]
                    assert rest == [0, 0, 0], receipt
                if undone:
                    answer = await client.delete(path)
                    assert answer.status_code == 200, answer.text
                    job = await ended(client, path, "undone")
                    assert job["undone"] == {"removed": ROWS - LIVE, "restored": LIVE}, job
                    for n in range(ROWS):
                        key = (sensor, instant(n))
                        self.ledger.acknowledged.pop(key)
                        if key[1] in self.live[sensor]:
                            self.ledger.acknowledged[key] = self.live[sensor][key[1]]

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.api, headers=AUTH, timeout=30)


async def stored(client: httpx.AsyncClient) -> None:
    """Returns once the store has what was acknowledged."""
    while True:
        try:
            answer = await client.get("/api/v1/averages", params={"window": "5m"})
        except httpx.TransportError:
            await asyncio.sleep(0.2)
            continue
        if answer.status_code == 200:
            return
        assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.5)


async def ended(client: httpx.AsyncClient, path: str, state: str) -> dict[str, Any]:
    """The import once it is in `state`; what a fault ended early is resumed."""
    async with asyncio.timeout(ENDED_WITHIN_S):
        while True:
            answer = await client.get(path)
            if answer.status_code == 200:
                job: dict[str, Any] = answer.json()
                if job["state"] == state:
                    return job
                if job["state"] in {"failed", "interrupted"}:
                    resumed = await client.post(f"{path}/resume")
                    assert resumed.status_code in {202, 409}, resumed.text
            else:
                assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.2)
