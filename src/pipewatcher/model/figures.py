"""What the stores answer: means, series, counts."""

from __future__ import annotations

import msgspec

from pipewatcher.model.readings import Position
from pipewatcher.model.time import Micros


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
