"""Cadences, gaps, and what people did about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from pipewatcher.model.readings import IMPORT_ORIGIN_PREFIX
from pipewatcher.model.time import Micros

GAP_FACTOR = 3
"""A sensor's hold limit is so many of its cadences: a longer step is a gap."""


EVENT_DRIVEN = 0
"""The cadence set for a sensor that has none, and therefore no gaps."""


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
