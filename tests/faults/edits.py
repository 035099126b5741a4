"""Edits of sensors: what a person was told to be saved stands, and nothing that nobody sent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from faults.imports import client_of
from workload import ask

PAUSE_S = 0.2


@dataclass
class Editor:
    """Gives a sensor one name after another, by each API in turn."""

    apis: Sequence[str]
    sensor: str
    saved: str | None = None
    uncertain: set[str] = field(default_factory=set)
    """Sent since, without an answer."""
    edits: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        for number in itertools.count():
            name = f"name {number}"
            self.uncertain.add(name)
            try:
                async with client_of(self.apis[number % len(self.apis)]) as client:
                    answer = await client.patch(self._path, json={"name": name})
            except httpx.TransportError:
                continue
            finally:
                await asyncio.sleep(PAUSE_S)
            if answer.status_code == 200:
                self.saved, self.uncertain = name, set()
                self.edits += 1
            elif answer.status_code == 404:  # it is not registered yet
                assert self.saved is None, answer.text
            else:
                assert answer.status_code == 503, answer.text

    async def check(self, api: httpx.AsyncClient) -> None:
        name = (await ask(api, self._path, {}))["name"]
        assert self.saved is not None, "no edit was acknowledged"
        assert name == self.saved or name in self.uncertain, ("edit", name, self.saved)

    @property
    def _path(self) -> str:
        return f"/api/v1/sensors/{self.sensor}"
