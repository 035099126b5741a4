"""Readings: what flows from the doors to the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from pipewatcher.model.time import Micros

Position: TypeAlias = Mapping[int, int]
"""Where a reader of the commit log stands: partition -> offset of the next entry."""


IMPORT_DOOR = "import"
IMPORT_ORIGIN_PREFIX = f"{IMPORT_DOOR}:"


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


class ReadingVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One write of a reading, standing or overwritten."""

    value: float
    origin: str


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
