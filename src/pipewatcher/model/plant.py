"""The plant: sensors, their state, what people are told, how long readings are kept."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from pipewatcher.model.time import Micros


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """For how many whole UTC days before today raw readings are kept; None: for ever."""

    days: int | None = None
    changed_by: str | None = None
    changed_at: Micros = 0


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Raw readings that retention takes, or would take, away; their rollups stay."""

    readings: int = 0
    sensors: int = 0
    first_time: Micros | None = None
    last_time: Micros | None = None


SensorState: TypeAlias = Literal["new", "ok", "late", "silent"]


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry knows of the stream that an equipmentId names."""

    equipment_id: str
    created_at: Micros
    name: str | None = None
    kind: str | None = None
    unit: str | None = None
    location: str | None = None
    equipment: str | None = None
    source: str | None = None
    range_min: float | None = None
    range_max: float | None = None
    cadence_seconds: float | None = None
    """As a person has set it; `EVENT_DRIVEN`: it has none; None: it is learned."""


class SensorCondition(msgspec.Struct, frozen=True, kw_only=True):
    """How a sensor is at the moment, with its newest reading."""

    equipment_id: str
    source: str | None
    state: SensorState
    last_time: Micros | None
    last_value: float | None


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor that has fallen silent and was told of. Those of one cause share an `incident`."""

    equipment_id: str
    since: Micros
    """Its newest reading."""
    noticed_at: Micros
    source: str | None
    incident: str


NotificationKind: TypeAlias = Literal[
    "new_sensor",
    "silent",
    "back",
    "import_done",
    "import_failed",
    "gap_closed",
    "disk",
    "lag",
    "clock_skew",
    "imbalance",
]


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened and that a person may want to know. `id` grows with each.

    It stands for `count` sensors (of one `source`, where that is known) or, of `gap_closed`, gaps;
    `equipment_id` names the only one.
    """

    id: int
    kind: NotificationKind
    equipment_id: str | None
    created_at: Micros
    count: int = 1
    source: str | None = None
    import_id: int | None = None
    detail: str | None = None
