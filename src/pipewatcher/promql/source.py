"""What queries are asked of: store and registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from pipewatcher.errors import InvalidRequest
from pipewatcher.model.figures import SensorAverage, Series
from pipewatcher.model.gaps import EVENT_DRIVEN, GAP_FACTOR
from pipewatcher.model.plant import Sensor
from pipewatcher.model.readings import StoredReading
from pipewatcher.model.time import HOUR, NO_END, Micros
from pipewatcher.ports import ReadingsStore, Registry


class Keeping(Protocol):
    @property
    def kept_from(self) -> Micros | None:
        """Before it only rollups of whole hours are left; None: never."""
        ...


class StoreSource:
    """Implements `ask.Source`."""

    def __init__(
        self,
        store: ReadingsStore,
        registry: Registry,
        fresh: Callable[[], Awaitable[None]],
        keeping: Keeping,
    ) -> None:
        self._store = store
        self._registry = registry
        self._fresh = fresh
        self._keeping = keeping

    async def sensors(self) -> list[Sensor]:
        """Also those that have sent and are not registered yet."""
        await self._fresh()
        known = await self._registry.sensors()
        names = {sensor.equipment_id for sensor in known}
        unknown = [name for name in await self._store.sensors() if name not in names]
        return known + [Sensor(equipment_id=name, created_at=0) for name in unknown]

    async def figures(self, start: Micros, end: Micros) -> list[SensorAverage]:
        self._check_kept(start, end)
        await self._fresh()
        return await self._store.averages(start, end)

    async def buckets(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, width: Micros
    ) -> list[Series]:
        self._check_kept(start, width)
        await self._fresh()
        return await self._store.series(equipment_ids, start, end, width)

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]:
        self._check_kept(start)
        await self._fresh()
        return await self._store.readings(equipment_id, start, end, limit)

    async def hold_limits(self) -> Mapping[str, Micros]:
        found = {}
        for name, cadence in (await self._store.cadences()).items():
            if cadence.setting == EVENT_DRIVEN:
                found[name] = NO_END
            elif cadence.effective is not None:
                found[name] = GAP_FACTOR * cadence.effective
        return found

    def _check_kept(self, start: Micros, *others: Micros) -> None:
        kept_from = self._keeping.kept_from
        if kept_from is None or start >= kept_from:
            return
        if not others or any(instant % HOUR for instant in (start, *others)):
            raise InvalidRequest(
                "Readings of that time are no longer kept: ask for whole hours, with start, step "
                "and range at full hours."
            )
