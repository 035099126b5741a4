"""Watch: what a person should be told of. Sensors that fall silent and come back, gaps that are
filled, clocks that run ahead, a disk that fills, a store that lags.

Of several processes one watches at a time: it holds a lease in the registry. What is silent is kept
there too, so that a restart tells nothing twice; each step comes before the one that would hide it,
so that after a crash the next look goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from pipewatcher.errors import Busy, DiskFull, PipeWatcherError
from pipewatcher.model.gaps import Closing
from pipewatcher.model.plant import Notification, NotificationKind, SensorCondition, Silence
from pipewatcher.model.time import DAY, MINUTE, SECOND, Micros
from pipewatcher.ports import Backlog, Registry

log = logging.getLogger(__name__)

INTERVAL_S = 10.0
LEASE: Micros = 45 * SECOND
INCIDENT_WINDOW: Micros = 15 * MINUTE
"""Sensors of one source that fall silent within this of each other are one incident."""
UNNAMED_WINDOW: Micros = 2 * MINUTE
"""The same for sensors of which no source is known."""
GRACE: Micros = 5 * MINUTE
"""After the start nothing is called silent: it was us who were away."""
AHEAD_MIN: Micros = MINUTE
"""How far a clock runs ahead before it is told."""
LAG_MIN_S = 60.0


class Watch:
    def __init__(
        self,
        notices: Registry,
        conditions: Callable[[], Awaitable[list[SensorCondition]]],
        refusal: Callable[[], Busy | None],
        backlog: Callable[[], Backlog],
        difference: Callable[[], Awaitable[int]],
        closings: Callable[[Micros], Awaitable[list[Closing]]],
        *,
        grace: Micros = GRACE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`refusal` says why the doors take nothing; `backlog` what is not stored yet,
        `difference` what the balance sheet cannot account for, `closings` which gaps were filled
        since an instant."""
        self._notices = notices
        self._conditions = conditions
        self._refusal = refusal
        self._backlog = backlog
        self._difference = difference
        self._closings = closings
        self._clock = clock
        self._began = self._now()
        self._quiet_until = self._began + grace
        self._holder = uuid.uuid4().hex
        self._heard: set[str] = set()
        """Sensors that this process has seen sending."""
        self._troubles: set[str] = set()
        self._clocks_told: set[str] = set()
        self._told: dict[str, int] = {}
        """Incident -> sensors that were told of."""
        self._closed: dict[str, int] = {}
        """The same for gaps."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except PipeWatcherError as error:
                log.warning("watch: %s", error)
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Raises what registry and store raise; nothing is lost by it."""
        now = self._now()
        await self._own_troubles(now)
        if not await self._notices.claim("watch", self._holder, now, now + LEASE):
            return
        conditions = await self._conditions()
        await self._clocks(conditions, now)
        await self._silent(conditions, now)
        await self._gaps_closed(now)

    async def _own_troubles(self, now: Micros) -> None:
        """Told once when they begin; every process has its own."""
        found: dict[str, NotificationKind] = {}
        if isinstance(self._refusal(), DiskFull):
            found["disk"] = "disk"
        if self._backlog().oldest_age_s > LAG_MIN_S:
            found["lag"] = "lag"
        difference = await self._difference()
        if difference:
            log.error("the balance sheet is off by %d readings", difference)
            found["imbalance"] = "imbalance"
        for trouble, kind in found.items():
            if trouble not in self._troubles:
                await self._tell(kind, now, key=f"{trouble}:{self._holder}:{now}")
        self._troubles = set(found)

    async def _clocks(self, conditions: Iterable[SensorCondition], now: Micros) -> None:
        ahead: dict[str, list[SensorCondition]] = defaultdict(list)
        for sensor in conditions:
            if sensor.last_time is not None and sensor.last_time > now + AHEAD_MIN:
                ahead[sensor.source or sensor.equipment_id].append(sensor)
        for source, sensors in ahead.items():
            trouble = f"clock:{source}:{now // DAY}"
            if trouble not in self._clocks_told:
                self._clocks_told.add(trouble)
                await self._tell("clock_skew", now, key=trouble, sensors=sensors)

    async def _gaps_closed(self, now: Micros) -> None:
        """One line an import, or one a day for what came late by another door."""
        for closing in await self._closings(self._began - DAY):
            key = f"gap_closed:{closing.origin}:{closing.day}"
            if closing.count <= self._closed.get(key, 0):
                continue
            import_id, name = closing.import_id, closing.origin
            if import_id is not None:
                name = (await self._notices.import_job(import_id)).file_name
            notification = Notification(
                id=0,
                kind="gap_closed",
                equipment_id=closing.equipment_id,
                created_at=now,
                count=closing.count,
                import_id=import_id,
                detail=name,
            )
            await self._notices.notify(notification, key)
            self._closed[key] = closing.count

    async def _silent(self, conditions: Sequence[SensorCondition], now: Micros) -> None:
        known = {silence.equipment_id: silence for silence in await self._notices.silences()}
        by_id = {sensor.equipment_id: sensor for sensor in conditions}
        new = [
            sensor
            for sensor in conditions
            if sensor.state == "silent"
            and sensor.equipment_id not in known
            and self._is_news(sensor)
        ]
        self._heard.update(s.equipment_id for s in conditions if s.state in {"ok", "late"})
        back = [
            silence
            for name, silence in known.items()
            if name in by_id and by_id[name].state != "silent"
        ]
        if now >= self._quiet_until and new:
            begun = self._incidents(new, list(known.values()), now)
            await self._notices.begin_silences(begun)
            known.update({silence.equipment_id: silence for silence in begun})
        await self._tell_silences(known.values(), now)
        if back:
            gone = {silence.equipment_id for silence in back}
            left = Counter(s.incident for s in known.values() if s.equipment_id not in gone)
            await self._tell_back(back, left, now)
            await self._notices.end_silences(sorted(gone))

    def _is_news(self, sensor: SensorCondition) -> bool:
        """Not one that a file brought and that never sent while anybody watched."""
        recent = sensor.last_time is not None and sensor.last_time > self._began - DAY
        return sensor.equipment_id in self._heard or recent

    @staticmethod
    def _incidents(
        new: Sequence[SensorCondition], known: Sequence[Silence], now: Micros
    ) -> list[Silence]:
        """Each joins the newest incident of its source, or they begin one together."""
        newest: dict[str | None, Silence] = {}
        for silence in sorted(known, key=lambda silence: silence.noticed_at):
            newest[silence.source] = silence
        begun: list[Silence] = []
        for sensor in sorted(new, key=lambda sensor: sensor.equipment_id):
            window = UNNAMED_WINDOW if sensor.source is None else INCIDENT_WINDOW
            last = newest.get(sensor.source)
            incident = f"{sensor.source or ''}:{sensor.equipment_id}:{sensor.last_time}"
            if last is not None and now - last.noticed_at <= window:
                incident = last.incident
            silence = Silence(
                equipment_id=sensor.equipment_id,
                since=sensor.last_time or 0,
                noticed_at=now,
                source=sensor.source,
                incident=incident,
            )
            begun.append(silence)
            newest[sensor.source] = silence
        return begun

    async def _tell_silences(self, silences: Iterable[Silence], now: Micros) -> None:
        """From what is kept: a crash after it was kept loses no word, and tells none twice."""
        incidents: dict[str, list[Silence]] = defaultdict(list)
        for silence in silences:
            incidents[silence.incident].append(silence)
        self._told = {name: count for name, count in self._told.items() if name in incidents}
        for incident, members in incidents.items():
            if len(members) > self._told.get(incident, 0):
                await self._tell("silent", now, key=f"silent:{incident}", sensors=members)
                self._told[incident] = len(members)

    async def _tell_back(
        self, back: Sequence[Silence], left: Mapping[str, int], now: Micros
    ) -> None:
        """One line an incident: how many of it are back by now."""
        incidents: dict[str, list[Silence]] = defaultdict(list)
        for silence in back:
            incidents[silence.incident].append(silence)
        for incident, members in incidents.items():
            count = self._told[incident] - left.get(incident, 0)
            await self._tell("back", now, key=f"back:{incident}", sensors=members, count=count)

    async def _tell(
        self,
        kind: NotificationKind,
        now: Micros,
        *,
        key: str,
        sensors: Sequence[SensorCondition | Silence] = (),
        count: int | None = None,
    ) -> None:
        count = max(len(sensors), 1) if count is None else count
        notification = Notification(
            id=0,
            kind=kind,
            equipment_id=sensors[0].equipment_id if count == 1 and sensors else None,
            created_at=now,
            count=count,
            source=sensors[0].source if sensors else None,
        )
        await self._notices.notify(notification, key)

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)
