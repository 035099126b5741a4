"""Imports: their jobs, what a dry run foretells, what an undo takes back."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import Micros


class ImportCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What an import's rows did to the store; the five parts add up to `accepted`.

    `repeated` rows were overtaken by a later row of the same file; `skipped` ones would have
    changed a stored value and were left out because `corrections=skip` was asked for.
    """

    accepted: int = 0
    new: int = 0
    identical: int = 0
    corrected: int = 0
    repeated: int = 0
    skipped: int = 0
    next_block: int = 0
    """The first block that is not in the store yet: where a resumed import goes on."""


class UndoneSensor(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing an import does to one sensor, between its first and last reading touched."""

    equipment_id: str
    removed: int
    restored: int
    changed: int
    first_time: Micros
    last_time: Micros


class UndoPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing an import would do.

    `removed` readings would be gone; `restored` ones would come back to the write below, `changed`
    of them to another value. `overtaken` rows of the import do not stand: nothing is seen of them.
    """

    removed: int
    restored: int
    changed: int
    overtaken: int
    sensors: int
    items: list[UndoneSensor]
    """The first 100 sensors, most touched first."""


class UndoCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing an import did."""

    removed: int
    restored: int


class SensorChange(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor over the span of a file, as it is and as it would be with it, by the cadence that
    it has now; its coverage is None where it has none, its time-weighted mean where it is new."""

    equipment_id: str
    count_before: int
    count_after: int
    mean_before: float | None
    mean_after: float
    weighted_before: float | None = None
    weighted_after: float | None = None
    coverage_before: float | None = None
    coverage_after: float | None = None


class MendedGap(msgspec.Struct, frozen=True, kw_only=True):
    """A gap, from the reading before it to the one after it, that would be closed."""

    equipment_id: str
    start: Micros
    end: Micros
    expected: int


class OverwrittenReading(msgspec.Struct, frozen=True, kw_only=True):
    """A stored reading that would get another value."""

    equipment_id: str
    event_time: Micros
    stored: float
    value: float
    origin: str


SuspicionKind: TypeAlias = Literal[
    "outside_range", "unit_jump", "clock_shifted", "after_newest", "duplicate_file"
]


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor of a suspicion, with its first reading that gave rise to it."""

    equipment_id: str
    readings: int
    event_time: Micros
    value: float
    factor: float | None = None
    """Of a unit jump: the file's mean by the stored one."""
    shift_hours: int | None = None
    """Of a shifted clock: what would have to be added to the file's times."""


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """A sign that something is wrong with a file; the first 20 sensors."""

    kind: SuspicionKind
    sensors: int = 0
    readings: int = 0
    items: list[Suspect] = msgspec.field(default_factory=list)
    import_id: int | None = None
    """Of a duplicate file: the newest import of the same bytes."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would do, were it applied now. `[start, end)` holds all of its readings."""

    counts: ImportCounts
    start: Micros | None = None
    end: Micros | None = None
    sensors: int = 0
    new_sensors: int = 0
    new_sensor_ids: list[str] = msgspec.field(default_factory=list)
    """The first 100."""
    changes: list[SensorChange] = msgspec.field(default_factory=list)
    """The first 100 sensors, most changed first."""
    live_overwritten: int = 0
    live_rows: list[OverwrittenReading] = msgspec.field(default_factory=list)
    """The first 100 of `live_overwritten`."""
    gaps_closed: int = 0
    gaps_partly: int = 0
    closed: list[MendedGap] = msgspec.field(default_factory=list)
    """The newest 100 of `gaps_closed`."""
    suspicions: list[Suspicion] = msgspec.field(default_factory=list)


ImportState: TypeAlias = Literal[
    "queued", "running", "done", "failed", "cancelled", "interrupted", "undoing", "undone"
]


class ImportJob(msgspec.Struct, kw_only=True):
    """One import from its upload to its receipt, as the registry keeps it."""

    id: int
    state: ImportState
    file_name: str
    created_at: Micros
    created_by: str
    bytes_total: int
    content_sha256: str
    timezone: str | None = None
    keep_stored: bool = False
    dry_run: bool = False
    """Nothing is stored: what it would do is worked out, until it is applied."""
    started_at: Micros | None = None
    finished_at: Micros | None = None
    bytes_done: int = 0
    rows_done: int = 0
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    counts: ImportCounts | None = None
    unknown_columns: list[str] = msgspec.field(default_factory=list)
    errors: list[Rejection] = msgspec.field(default_factory=list)
    error: str | None = None
    sensors: int = 0
    undone: UndoCounts | None = None
    kept_by: str = ""
    """The installation whose disk holds the uploaded file."""
