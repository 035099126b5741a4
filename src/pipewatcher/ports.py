"""The three ports. Their docstrings are the promise that every adapter's contract suite checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipewatcher.model.figures import SensorAverage, Series, StoreBooks, StoreStats
from pipewatcher.model.gaps import Cadence, Downtime, GapColumns, GapMark, MendedColumns
from pipewatcher.model.imports import Forecast, ImportCounts, ImportJob, UndoCounts, UndoPreview
from pipewatcher.model.plant import Dropped, Notification, Retention, Sensor, Silence
from pipewatcher.model.readings import (
    Batch,
    DeadLetter,
    Features,
    Position,
    ReadingVersion,
    RefusedReading,
    StoredReading,
)
from pipewatcher.model.time import Micros
from pipewatcher.registry_ports import AuditRegistry, PeopleRegistry, SessionRegistry, TokenRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What was acknowledged and is not in the readings store yet."""

    readings: int
    bytes: int
    oldest_age_s: float


class Delivery(Protocol):
    """Entries of the commit log in the order in which they were accepted."""

    @property
    def batches(self) -> Sequence[Batch]: ...

    @property
    def position(self) -> Position:
        """Where a reader stands once these batches are stored."""
        ...

    async def ack(self) -> None:
        """Says that the batches are stored: the commit log need not deliver them again.

        A crash before it means that they are delivered once more.
        """
        ...


class CommitLog(Protocol):
    """Where a reading becomes durable."""

    @property
    def features(self) -> Features: ...

    @property
    def available(self) -> bool:
        """False while appends would fail: the doors refuse at once. Never blocks."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Ends once every append that was begun is durable or has failed."""
        ...

    def append(self, batch: Batch) -> asyncio.Future[Position]:
        """Takes a batch of at least one reading, whole or not at all.

        The future ends with a position at or past the batch when it is durable: synced to disk,
        or acknowledged by all in-sync replicas. It fails with `DiskFull`: then nothing of the
        batch will be delivered; or with `CommitLogUnavailable`: then parts of it may be, and the
        sender should send it again.
        Appends become durable in the order of the calls. Cancelling the future cancels the
        wait, not the write. Call it from the event loop's thread only.
        """
        ...

    def append_reading(
        self, equipment_id: str, event_time: Micros, value: float, origin: str
    ) -> asyncio.Future[Position]:
        """`append` for the hot path of one reading: the same promise and order."""
        ...

    def end(self) -> Position:
        """Past everything whose append has ended well so far."""
        ...

    async def tail(self) -> Position:
        """Past everything that any process was told is durable before this was called.

        Raises `CommitLogUnavailable`.
        """
        ...

    async def acked(self, group: str) -> Position:
        """Up to where the readers of the group, in any process, have acked.

        Partitions of which nothing was acked are left out. Raises `CommitLogUnavailable`.
        """
        ...

    async def accepted_before(self, position: Position) -> int | None:
        """How many readings it has accepted, since ever, below a position that the store has had.

        None where nobody can tell, or when it has gone on meanwhile: ask with a newer position.
        """
        ...

    def backlog(self) -> Backlog:
        """Never blocks; cheap enough to ask for every request."""
        ...

    def deliveries(self, group: str, start: Position) -> AsyncGenerator[Delivery, None]:
        """Every durable entry from `start` on, for ever, each to one reader of the group.

        Deliveries not acked before a restart come again; order is kept per sensor.
        `start` is where the store stands; it overrides what the commit log remembers.
        """
        ...


class Rehearsal(Protocol):
    """An import tried out on what is stored; nothing of it is ever written there.

    Memory does not grow with it. Every call raises `StoreUnavailable` when the store was opened
    again meanwhile: then it has to be begun anew.
    """

    async def add(self, batch: Batch) -> None: ...

    async def forecast(self, ranges: Mapping[str, tuple[float | None, float | None]]) -> Forecast:
        """What all batches would do after everything that was appended to the store; asked once.

        `ranges` are the least and greatest value of sensors' instruments, where they are known.
        """
        ...

    async def close(self) -> None: ...


class ReadingsStore(Protocol):
    """Where readings are kept and asked for. Of two writes to one (sensor, event_time) the one
    appended last stands."""

    @property
    def features(self) -> Features: ...

    async def open(self) -> None:
        """Raises `DataFolderTooNew` or `StoreUnavailable`."""
        ...

    async def close(self) -> None:
        """Harmless when it is closed already."""
        ...

    async def position(self) -> Position:
        """The position given with the last `append` that was stored; `{}` at first."""
        ...

    async def append(
        self, batches: Sequence[Batch], position: Position
    ) -> Sequence[RefusedReading]:
        """Durable and visible to every query when it returns, but for the refused ones.

        Appending the same batches again changes no answer. Raises `StoreUnavailable`; the
        caller tries again after `open`.
        """
        ...

    async def settle(self) -> None:
        """Returns once everything appended before is folded and counted (`import_counts`)."""
        ...

    async def sensors(self) -> list[str]:
        """Every equipmentId that has or had a reading; new ones are added at the end."""
        ...

    async def averages(
        self, start: Micros, end: Micros, now: Micros | None = None
    ) -> list[SensorAverage]:
        """All sensors with a reading before `end`, over `[start, end)`.

        A silence counts as a gap when it is longer than the hold limit at `now` (else: `end`).
        """
        ...

    async def gaps(
        self,
        start: Micros,
        end: Micros,
        now: Micros,
        equipment_ids: Sequence[str] | None = None,
    ) -> tuple[GapColumns, MendedColumns]:
        """Gaps that overlap `[start, end)`, by code and start; and those of which something came,
        in no order."""
        ...

    async def cadences(self) -> dict[str, Cadence]:
        """Of every sensor of which something is learned or set."""
        ...

    async def set_cadences(self, settings: Mapping[str, Micros | None]) -> None:
        """What people want: a cadence, 0 for an event-driven sensor, None to have it learned.

        When it returns, that and all that follows from it are durable; a crash leaves it done or
        not begun. What is so already costs nothing; unknown sensors are passed over.
        """
        ...

    async def await_filling(self, silences: Sequence[tuple[str, Micros, Micros]]) -> None:
        """Names silences that go on, `(equipment_id, start, now)`: what comes into them from now
        on, also in order, is told by `gaps` as what mended them. Durable when it returns; naming
        one again replaces its end. Raises `NotPossible` where gaps are not known."""
        ...

    async def series(
        self, equipment_ids: Sequence[str], start: Micros, end: Micros, bucket: Micros
    ) -> list[Series]:
        """Buckets that hold readings, ascending; bucket k starts at a multiple of `bucket`
        since 1970, the first one may begin before `start` but counts readings from it on."""
        ...

    async def readings(
        self, equipment_id: str, start: Micros, end: Micros, limit: int
    ) -> list[StoredReading]:
        """The first `limit` readings in `[start, end)`, ascending in event_time."""
        ...

    async def import_counts(self, import_id: int) -> ImportCounts:
        """What was stored of an import and what it did; zeros for an unknown one."""
        ...

    async def preview_undo(self, import_id: int) -> UndoPreview:
        """What `undo` would do now. Raises `NotPossible` without the feature `versions`."""
        ...

    async def undo(self, import_id: int) -> UndoCounts:
        """Takes out what the import wrote, as if it had never been; what it overwrote stands again.

        A live write ends what can be undone of its reading, and of several imports each takes out
        its own, in any order. Everything appended before is judged; nothing of the import may be
        appended meanwhile. Durable when it returns. After a crash in the middle some whole hours
        are undone and others are not: the same call goes on, and the counts are those of all.
        Raises `NotPossible` without the feature `versions`.
        """
        ...

    def rehearse(self, *, keep_stored: bool) -> Rehearsal:
        """Raises `NotPossible` without the feature `import_outcomes`."""
        ...

    async def history(self, equipment_id: str, event_time: Micros) -> list[ReadingVersion]:
        """The write that stands, then what imports overwrote down to the last live write.

        Empty where there is no reading. Raises `NotPossible` without the feature `versions`.
        """
        ...

    async def kept_from(self) -> Micros | None:
        """Before this hour raw readings were dropped and only rollups are left; None: never."""
        ...

    async def would_drop(self, before: Micros) -> Dropped:
        """What `drop` would take away. `before` is the start of a UTC day."""
        ...

    async def drop(self, before: Micros) -> Dropped:
        """Drops raw readings older than `before`, the start of a UTC day, and the versions below
        them; rollups and gaps stay. Nothing older may be appended any more. Raises `NotPossible`
        where `features.retention` is false."""
        ...

    async def books(self) -> StoreBooks | None:
        """What was stored since ever, by door; None where the engine cannot know it."""
        ...

    async def stats(self) -> StoreStats: ...


class DeadLetterRegistry(Protocol):
    """What could not be answered, newest last. `door` and `text` leave only the letters of that
    door and those that have the text in reason or topic, whatever its case."""

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Under the next ids (`id` is not looked at), all durable when it returns."""
        ...

    async def dead_letters(
        self,
        limit: int,
        before_id: int | None = None,
        *,
        door: str | None = None,
        text: str | None = None,
    ) -> list[DeadLetter]:
        """Newest first."""
        ...

    async def count_dead_letters(
        self, *, door: str | None = None, text: str | None = None
    ) -> tuple[int, int]:
        """How many there are, and the bytes of their payloads."""
        ...

    async def dead_letter(self, letter_id: int) -> DeadLetter:
        """Raises `NotFound`."""
        ...

    async def save_dead_letter(self, letter: DeadLetter) -> None:
        """Replaces the one with the same id; durable. Raises `NotFound`."""
        ...

    async def remove_dead_letter(self, letter_id: int) -> None:
        """Raises `NotFound`."""
        ...

    async def trim_dead_letters(self, count_max: int, bytes_max: int) -> int:
        """Removes the oldest until no more than that are left; how many went."""
        ...


class GapRegistry(Protocol):
    """What people did about gaps."""

    async def gap_marks(self) -> list[GapMark]:
        """Sorted by equipmentId and start."""
        ...

    async def save_gap_marks(self, marks: Sequence[GapMark]) -> None:
        """Replaces those of the same sensor and start; durable when it returns."""
        ...


class DowntimeRegistry(Protocol):
    """When the historian itself was away."""

    async def downtimes(self) -> list[Downtime]:
        """Oldest first; none overlaps another."""
        ...

    async def add_downtime(self, downtime: Downtime) -> None:
        """Replaces the one with the same start; durable when it returns."""
        ...


class RejectionRegistry(Protocol):
    """How many readings the doors rejected, since ever."""

    async def rejected(self) -> dict[str, int]:
        """By door."""
        ...

    async def set_rejected(self, counts: Mapping[str, int]) -> None:
        """Replaces the counts of these doors; durable when it returns."""
        ...


class RetentionRegistry(Protocol):
    """For how long raw readings are kept."""

    async def retention(self) -> Retention: ...

    async def set_retention(self, retention: Retention) -> None:
        """Durable when it returns."""
        ...


class NoticeRegistry(Protocol):
    """What people are told, what each of them has read, and which sensors are silent."""

    async def notify(self, notification: Notification, key: str) -> None:
        """Adds it under the next id (its own is not looked at), or replaces the one with this key
        when `count` has grown: then it is told anew. Else nothing changes. Durable."""
        ...

    async def notifications(self, limit: int, before_id: int | None = None) -> list[Notification]:
        """Newest first."""
        ...

    async def notifications_after(self, after_id: int, limit: int) -> list[Notification]:
        """Oldest first."""
        ...

    async def count_unread(self, person: str, count_max: int) -> int:
        """At most `count_max`."""
        ...

    async def read_up_to(self, person: str) -> int:
        """The greatest id that the person has read; 0 at first."""
        ...

    async def mark_read(self, person: str, up_to: int) -> None:
        """Never goes back."""
        ...

    async def silences(self) -> list[Silence]:
        """Sorted by equipmentId."""
        ...

    async def begin_silences(self, silences: Sequence[Silence]) -> None:
        """Leaves those alone that have begun already."""
        ...

    async def end_silences(self, equipment_ids: Sequence[str]) -> None: ...

    async def claim(self, what: str, holder: str, now: Micros, until: Micros) -> bool:
        """Whether `holder` may do this work until then: nobody else holds it at `now`."""
        ...


class Registry(
    TokenRegistry,
    SessionRegistry,
    AuditRegistry,
    PeopleRegistry,
    DeadLetterRegistry,
    GapRegistry,
    DowntimeRegistry,
    RejectionRegistry,
    RetentionRegistry,
    NoticeRegistry,
    Protocol,
):
    """Sensors, imports and identity: small, slow-changing, transactional."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def register(self, equipment_ids: Sequence[str], seen_at: Micros) -> list[str]:
        """Adds the unknown ones, each with a notification `new_sensor`, and returns them.

        Each id is returned once and notified once, ever, also when several processes register
        it at the same time or one of them is killed and the call comes again.
        """
        ...

    async def sensors(self) -> list[Sensor]:
        """Sorted by equipmentId."""
        ...

    async def sensor(self, equipment_id: str) -> Sensor:
        """Raises `NotFound`."""
        ...

    async def update_sensor(
        self, equipment_id: str, changes: Mapping[str, str | float | None]
    ) -> Sensor:
        """Sets the named fields of `Sensor` and returns the result. Raises `NotFound`."""
        ...

    async def add_import(self, job: ImportJob) -> ImportJob:
        """Stores the job under the next free id (`job.id` is not looked at); durable."""
        ...

    async def save_import(self, job: ImportJob) -> None:
        """Replaces the job with the same id; durable. Raises `NotFound`."""
        ...

    async def import_job(self, import_id: int) -> ImportJob:
        """Raises `NotFound`."""
        ...

    async def import_jobs(self, limit: int, before_id: int | None = None) -> list[ImportJob]:
        """Newest first."""
        ...
