"""The words of the house: what flows from the doors to the stores, and what answers a question.

Instants inside the house are UTC microseconds since 1970-01-01 (`int`, named `*_time` or `*_at`);
they become RFC 3339 text only at the edge. Windows are half-open: `[start, end)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from pipewatcher.rate import RateLimit

Micros: TypeAlias = int
Position: TypeAlias = Mapping[int, int]
"""Where a reader of the commit log stands: partition -> offset of the next entry."""

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR

IMPORT_ORIGIN_PREFIX = "import:"
GAP_FACTOR = 3
"""A sensor's hold limit is so many of its cadences: a longer step is a gap."""
EVENT_DRIVEN = 0
"""The cadence set for a sensor that has none, and therefore no gaps."""


def covers(have: Position, want: Position) -> bool:
    """True when a reader that stands at `have` has passed everything below `want`."""
    return all(have.get(partition, 0) >= offset for partition, offset in want.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBlock:
    """Which part of an import a batch is. Blocks of one import are numbered 0, 1, 2, …"""

    import_id: int
    block: int
    keep_stored: bool = False
    """True for `?corrections=skip`: a row that would change a stored value is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Valid readings in the order in which they were accepted, as columns of equal length n.

    Texts are dictionary-coded: reading i is of sensor `equipment_ids[codes[i]]` and came by
    `origins[origin_codes[i]]`; `origin_codes` is None when all came by `origins[0]`.
    An origin is `http:<token>`, `mqtt:<token>`, `import:<id>` or `line-protocol:<token>`.
    """

    equipment_ids: Sequence[str]
    codes: npt.NDArray[np.uint32]
    event_times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    origins: Sequence[str]
    origin_codes: npt.NDArray[np.uint32] | None = None
    block: ImportBlock | None = None

    def __len__(self) -> int:
        return len(self.codes)


class StoredReading(msgspec.Struct, frozen=True, kw_only=True):
    equipment_id: str
    event_time: Micros
    value: float
    origin: str


class RefusedReading(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted reading that the store's engine will never take: it becomes a dead letter."""

    equipment_id: str
    event_time: Micros
    value: float
    origin: str
    reason: str


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that carried readings which nobody could be told are refused. `id` grows with each.

    `payload` ends early when `payload_bytes`, what was sent, is more.
    """

    id: int
    door: Literal["mqtt", "mqtt-broker", "store"]
    topic: str
    client: str
    received_at: Micros
    reason: str
    rejections: list[Rejection]
    """The first 100."""
    payload: bytes
    payload_bytes: int
    edited_by: str | None = None

    @property
    def cut(self) -> bool:
        return self.payload_bytes > len(self.payload)


class SensorAverage(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor over `[start, end)`; `mean`, `min`, `max` are None when `count` is 0.

    `first_time` and `last_in_window` bound the readings inside the window; `last_time` and
    `last_value` are the newest reading before `end`, inside the window or not; `oldest_time` is
    the sensor's first reading ever. In `time_weighted_mean` each value holds until the next
    reading or the hold limit, from before `start` and up to `end` too; None when none is held.

    `cadence`, `gap_time` (inside gaps, from `start` or `oldest_time` on) and `longest_gap` (its
    part in the window) are None for a sensor without a cadence: nothing is expected of it.
    """

    equipment_id: str
    count: int
    mean: float | None
    min: float | None
    max: float | None
    first_time: Micros | None
    last_in_window: Micros | None
    last_time: Micros | None
    last_value: float | None
    time_weighted_mean: float | None
    oldest_time: Micros | None
    cadence: Micros | None
    gap_time: Micros | None
    longest_gap: Micros | None

    def coverage(self, start: Micros, end: Micros) -> float | None:
        """Of the window that this was asked for."""
        if self.cadence is None or self.oldest_time is None:
            return None
        return 1 - (self.gap_time or 0) / (end - max(start, self.oldest_time))


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


NO_END: Micros = 2**62
"""Where a gap ends that has not ended yet: later than any reading."""


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """The usual step between a sensor's readings; what a person has set goes first."""

    learned: Micros | None = None
    setting: Micros | None = None
    """Or `EVENT_DRIVEN`."""

    @property
    def effective(self) -> Micros | None:
        return (self.learned if self.setting is None else self.setting) or None


def expected_in_gap(start: Micros, end: Micros, cadence: Micros) -> int:
    """How many readings are missing between the readings at `start` and `end`."""
    return max(1, round((end - start) / cadence) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapColumns:
    """Gaps as columns of equal length; gap i is of sensor `equipment_ids[codes[i]]`, from the
    reading before it to the one after it, or to `NO_END` for a silence that goes on."""

    equipment_ids: Sequence[str]
    codes: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    cadences: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def empty(cls) -> GapColumns:
        none = np.empty(0, np.int64)
        return cls(
            equipment_ids=(), codes=none.astype(np.int32), starts=none, ends=none, cadences=none
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MendedColumns:
    """Gaps into which readings came, as they were before the first of that origin, which came at
    `times`. Whether anything is left of them is seen in the gaps that there are now."""

    equipment_ids: Sequence[str]
    codes: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    origins: Sequence[str]
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def empty(cls) -> MendedColumns:
        none = np.empty(0, np.int64)
        return cls(
            equipment_ids=(),
            codes=none.astype(np.int32),
            starts=none,
            ends=none,
            origins=(),
            times=none,
        )


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps that are whole again by readings of one origin: of an import, or of a UTC day."""

    origin: str
    day: int
    """Days since 1970 of the first of them; 0 for an import."""
    count: int
    equipment_id: str | None
    """Of the only one."""

    @property
    def import_id(self) -> int | None:
        number = self.origin.removeprefix(IMPORT_ORIGIN_PREFIX)
        return None if number == self.origin else int(number)


class GapsMet(msgspec.Struct, frozen=True, kw_only=True):
    """How many gaps an import closed and filled in part, and how many that had been
    requested before it left."""

    closed: int
    partly: int
    untouched: int


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Readings of one sensor in `[start, start + width)`: never a mean without its extremes."""

    start: Micros
    mean: float
    min: float
    max: float
    count: int
    imported: int
    """How many of `count` came by an import."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    equipment_id: str
    buckets: list[Bucket]


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


class ReadingVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One write of a reading, standing or overwritten."""

    value: float
    origin: str


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


class DoorBooks(msgspec.Struct, frozen=True, kw_only=True):
    """Readings that came by one door (http, mqtt, import, …) since ever, as the store has them:
    `stored = new + identical + corrected + repeated + skipped + unfolded`.

    `repeated` were overtaken before they were folded, or by a later row of their own import.
    """

    door: str
    stored: int
    new: int
    identical: int
    corrected: int
    repeated: int
    skipped: int
    unfolded: int


class StoreBooks(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot: what was stored below `position` of the commit log."""

    position: Position
    doors: list[DoorBooks]


class StoreStats(msgspec.Struct, frozen=True, kw_only=True):
    """None is what an engine could only tell by reading everything."""

    readings: int | None
    """Distinct readings stored and folded."""
    unfolded: int | None
    """Rows that wait for the next fold; queries see them already."""
    sensors: int
    file_bytes: int | None
    folds: int
    fold_seconds: float


class Rejection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one reading was refused. `index` counts from 0 in JSON, `line` from 1 in text."""

    field: str
    reason: str
    index: int | None = None
    line: int | None = None
    code: str = "invalid_reading"


RECEIPT_ERRORS_MAX = 100


class Receipt(msgspec.Struct, kw_only=True):
    """What a batch answers: `received = accepted + rejected`, and the first 100 errors."""

    received: int
    accepted: int
    rejected: int
    errors: list[Rejection] = msgspec.field(default_factory=list)
    unknown_fields: int = 0


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


GapState: TypeAlias = Literal["open", "requested", "partly_filled", "filled", "accepted"]
MarkState: TypeAlias = Literal["open", "requested", "accepted"]
GapCause: TypeAlias = Literal["device", "gateway", "downtime", "unknown"]


class Downtime(msgspec.Struct, frozen=True, kw_only=True):
    """`[start, end)` in which the historian itself took nothing: from the last instant at which it
    is known to have run to its being ready again."""

    start: Micros
    end: Micros


class GapMark(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did about a gap. Sensor and `start` name it; `end` is where it ended, or now,
    when it was marked: what of it is filled since is seen in the readings."""

    equipment_id: str
    start: Micros
    end: Micros
    state: MarkState
    cause: GapCause | None = None
    note: str | None = None
    changed_by: str
    changed_at: Micros


class WriteScope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sensors whose readings somebody may write: those listed and those with the prefix."""

    prefix: str | None = None
    equipment_ids: frozenset[str] = frozenset()

    def allows(self, equipment_id: str) -> bool:
        return equipment_id in self.equipment_ids or (
            self.prefix is not None and equipment_id.startswith(self.prefix)
        )


class TokenLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token is good for beside its role; None is no limit."""

    expires_at: Micros | None = None
    writes: WriteScope | None = None
    requests_per_s_max: int | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is kept: only the SHA-256 of its 32 random bytes, never the secret.

    After a rotation the secret before it goes on until `previous_until`.
    """

    id: int
    name: str
    role: str
    secret_sha256: bytes
    created_at: Micros
    created_by: str = ""
    limits: TokenLimits = TokenLimits()
    previous_sha256: bytes | None = None
    previous_until: Micros | None = None
    last_used_at: Micros | None = None
    """To within a minute."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Who changed what. `before` and `after` are JSON, None where there is no such state."""

    actor: str
    by: str
    """How he showed who he is: `token`, `session` or `local`."""
    address: str
    """Where he asked from; empty on the Unix socket."""
    action: str
    """`noun.verb`, as in `token.revoke`."""
    target: str
    """`noun:name`, as in `sensor:EQ-1`."""
    before: str | None = None
    after: str | None = None


class AuditEntry(Change, frozen=True, kw_only=True):
    """A change as it is kept for ever: entries are numbered 1, 2, 3, … without a hole."""

    id: int
    at: Micros
    previous: bytes
    sha256: bytes


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `name` is kept as it was written and found whatever its case."""

    id: int
    name: str
    role: str
    password_hash: str | None
    created_at: Micros
    created_by: str
    totp_secret: str | None = None
    disabled: bool = False
    signed_in_at: Micros | None = None
    issuer: str | None = None
    """The OpenID provider that knows him, under `subject`; such a person has no password."""
    subject: str | None = None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A link that makes a person, or lets one in again; it works once."""

    secret_sha256: bytes
    role: str
    person_id: int | None
    name: str | None
    created_at: Micros
    created_by: str
    expires_at: Micros

    @property
    def id(self) -> str:
        return self.secret_sha256.hex()[:32]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person's signed-in browser; the cookie's secret is kept as its SHA-256 only."""

    secret_sha256: bytes
    name: str
    role: str
    created_at: Micros
    expires_at: Micros
    token_sha256: bytes | None = None
    """Signed in with this token: the session ends with it."""
    person_id: int | None = None
    """Signed in as this person, whose role counts as it is now."""
    seen_at: Micros = 0
    """To within a minute."""
    address: str = ""
    agent: str = ""
    provider: str | None = None
    """The name of the OpenID provider that it was begun by, where it is to be ended too."""
    id_token: str | None = None

    @property
    def id(self) -> str:
        """Names the session; who knows it cannot use it."""
        return self.secret_sha256.hex()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking: a token, a session or the local administrator on the Unix socket."""

    name: str
    role: str
    by: Literal["token", "session", "local"] = "token"
    person_id: int | None = None
    token_id: int | None = None
    writes: WriteScope | None = None
    """The sensors whose readings may be written; None is all."""
    rate: RateLimit | None = None
    """Every door takes one from it for each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an adapter can do beyond the port's promises; what is False is asserted absent."""

    import_outcomes: bool = False
    """Splits an import's rows into new, identical, corrected and repeated."""
    import_blocks: bool = False
    """A commit log that delivers an import's block as it was appended."""
    versions: bool = False
    """Keeps what imports overwrite: they can be undone, and a reading's history can be asked."""
    stores_position: bool = False
    """Keeps the commit-log position in the same transaction as the readings."""
    cadences: bool = False
    """Learns cadences; gaps, coverage and the time-weighted mean follow from them."""
    retention: bool = False
    """Drops raw readings by age and keeps their rollups."""
    split_roles: bool = False
    """May be shared by several processes."""
