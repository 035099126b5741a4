"""Cadences that people set: kept in the registry, in force in the readings store."""

from __future__ import annotations

import asyncio

from pipewatcher.model.gaps import Cadence
from pipewatcher.model.plant import Sensor
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.ports import ReadingsStore, Registry


class Cadences:
    """The registry says what is wanted. The store is told after it, and told everything again at
    each start, where what is so already changes nothing: a crash between the two loses nothing."""

    def __init__(self, store: ReadingsStore, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._telling = asyncio.Lock()

    async def start(self) -> None:
        """Before any question is answered."""
        sensors = await self._registry.sensors()
        async with self._telling:
            await self._store.set_cadences({s.equipment_id: _wanted(s) for s in sensors})

    async def follow(self, equipment_id: str) -> None:
        """After the registry was changed: in force when it returns."""
        async with self._telling:
            sensor = await self._registry.sensor(equipment_id)
            await self._store.set_cadences({equipment_id: _wanted(sensor)})

    async def known(self) -> dict[str, Cadence]:
        return await self._store.cadences()


def _wanted(sensor: Sensor) -> Micros | None:
    seconds = sensor.cadence_seconds
    return None if seconds is None else round(seconds * SECOND)
