"""Imports over live readings, every second of which is taken back, under way or at the end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from faults.doors import HttpDoor
from faults.ledger import Key, Ledger
from server import AUTH
from waiting import eventually
from workload import instant

LIVE = 40
ROWS = 400
BAD_ROWS = 3
ENDED_WITHIN_S = 120.0
CSV = {"content-type": "text/csv"}


@dataclass(frozen=True)
class Job:
    api: str
    """It has the file."""
    id: int
    sensor: str
    undone: bool
    """Whether it is to be taken back."""

    @property
    def path(self) -> str:
        return f"/api/v1/imports/{self.id}"


@dataclass
class Importer:
    """Each import has a sensor of its own: `LIVE` readings that were sent before, which the file
    overwrites, and new ones."""

    apis: Sequence[str]
    gateway: str
    ledger: Ledger
    can_undo: bool
    jobs: list[Job] = field(default_factory=list)
    """Acknowledged."""
    live: dict[str, dict[str, float]] = field(default_factory=dict)

    async def run(self, rng: random.Random) -> None:
        """Until cancelled."""
        singles = HttpDoor(self.gateway, LIVE)
        try:
            for number in itertools.count():
                api = self.apis[number % len(self.apis)]
                async with client_of(api) as client:
                    job = await self._one(client, api, singles, f"I-{number}", number % 2 == 1)
                    if job is not None and number % 4 == 1 and job.undone:
                        await taken_back(client, job)
                await asyncio.sleep(rng.uniform(0.5, 1.5))
        finally:
            await singles.close()

    async def _one(
        self, client: httpx.AsyncClient, api: str, live: HttpDoor, sensor: str, undone: bool
    ) -> Job | None:
        """None without an answer."""
        keys: list[Key] = [(sensor, instant(n)) for n in range(LIVE)]
        before = [(key, -1.0 - n) for n, key in enumerate(keys)]
        self.ledger.sent(before)
        # While faults come one after the other, nobody promises when.
        await eventually(lambda: live.deliver(before), None, every_s=0.2)
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
            return None
        if answer.status_code == 503:
            return None
        assert answer.status_code == 202, answer.text
        job = Job(api, answer.json()["id"], sensor, undone and self.can_undo)
        self.jobs.append(job)
        self.ledger.acked("import", rows)
        return job

    async def settle(self) -> None:
        """After the faults: each import ends, its receipt adds up, and some are taken back."""
        for job in self.jobs:
            async with client_of(job.api) as client:
                told = await ended(client, job.path, "done", "undoing", "undone")
                receipt = told["receipt"]
                counts = [receipt[name] for name in ("received", "accepted", "rejected")]
                assert counts == [ROWS + BAD_ROWS, ROWS, BAD_ROWS], ("receipt", receipt)
                assert (receipt["new"] is not None) == self.can_undo, receipt
                if self.can_undo:
                    parts = [receipt[name] for name in ("new", "corrected")]
                    assert parts == [ROWS - LIVE, LIVE], ("receipt", receipt)
                    rest = [receipt[name] for name in ("identical", "repeated", "skipped")]
                    assert rest == [0, 0, 0], receipt
                if not job.undone:
                    continue
                await taken_back(client, job)
                told = await ended(client, job.path, "undone")
                assert told["undone"] == {"removed": ROWS - LIVE, "restored": LIVE}, told
                self.ledger.took_back(job.sensor, self.live[job.sensor])


def client_of(api: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=api, headers=AUTH, timeout=30)


async def taken_back(client: httpx.AsyncClient, job: Job) -> None:
    """Returns once that was acknowledged; a try without an answer may have been the one. While
    faults come one after the other, nobody promises how long an import takes."""
    await ended(client, job.path, "done", "undoing", "undone", within_s=math.inf)
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.delete(job.path)
            if answer.status_code in {200, 409}:
                assert answer.status_code == 409 or answer.json()["state"] == "undoing", answer.text
                return
            assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.2)


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


async def ended(
    client: httpx.AsyncClient, path: str, *states: str, within_s: float = ENDED_WITHIN_S
) -> dict[str, Any]:
    """The import once it is in one of `states`; what a fault ended early is resumed."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    told = ""
    while loop.time() < until:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.get(path)
            told = answer.text
            if answer.status_code == 200:
                job: dict[str, Any] = answer.json()
                if job["state"] in states:
                    return job
                if job["state"] in {"failed", "interrupted"}:
                    resumed = await client.post(f"{path}/resume")
                    assert resumed.status_code in {202, 409, 503}, resumed.text
            else:
                assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.2)
    raise AssertionError(f"the import does not come to be {' or '.join(states)}: {told}")
