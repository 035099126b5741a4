"""The balance sheet: what was received is what was accepted and what was rejected, and what the
commit log accepted is what the store has and what still waits.

Two counts that know nothing of each other are compared: the commit log's, kept in the transaction
that makes a reading durable, and the store's, kept in the transaction that stores it. Both survive
`kill -9`, so the difference is zero at any moment, or something was lost or stored twice. What was
rejected is counted beside them (see `rejections`): a rejected reading is nowhere to be looked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from pipewatcher.model.figures import DoorBooks, StoreBooks
from pipewatcher.ports import CommitLog, ReadingsStore

TRIES = 5
"""The commit log may have gone on since the store was asked."""


class Rejections(Protocol):
    """Rejected readings by door, as `rejections.Rejections` counts them."""

    def ever(self) -> Counter[str]: ...

    def since_start(self) -> Counter[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSheet:
    """What waits in the commit log is told by door once it is stored."""

    ever: DoorBooks
    rejected: int
    stored_since_start: int
    rejected_since_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSheet:
    """`received = accepted + rejected` and `accepted = stored + in_commit_log + difference`, since
    ever."""

    received: int
    accepted: int
    rejected: int
    stored: int
    in_commit_log: int
    difference: int
    doors: list[DoorSheet]


class Balance:
    def __init__(self, commit_log: CommitLog, store: ReadingsStore, rejections: Rejections) -> None:
        self._commit_log = commit_log
        self._store = store
        self._rejections = rejections
        self._at_start: dict[str, int] = {}

    async def start(self) -> None:
        """Before anything is taken: what is stored from now on is since the start."""
        books = await self._store.books()
        if books is not None:
            self._at_start = {door.door: door.stored for door in books.doors}

    async def sheet(self) -> BalanceSheet | None:
        """None where commit log or store cannot know it. Raises `Busy`."""
        for _ in range(TRIES):
            books = await self._store.books()
            if books is None:
                return None
            accepted = await self._commit_log.accepted_before(books.position)
            if accepted is not None:
                return self._sheet(books, accepted)
        return None

    async def difference(self) -> int:
        sheet = await self.sheet()
        return sheet.difference if sheet is not None else 0

    def _sheet(self, books: StoreBooks, accepted: int) -> BalanceSheet:
        rejected, since_start = self._rejections.ever(), self._rejections.since_start()
        doors = {door: _nothing_by(door) for door in rejected}
        doors |= {door.door: door for door in books.doors}
        stored = sum(door.stored for door in books.doors)
        waiting = self._commit_log.backlog().readings
        # A row that is in no column, or in two, is found as well.
        torn = sum(abs(door.stored - _parts(door)) for door in books.doors)
        return BalanceSheet(
            received=accepted + waiting + rejected.total(),
            accepted=accepted + waiting,
            rejected=rejected.total(),
            stored=stored,
            in_commit_log=waiting,
            difference=accepted - stored if accepted != stored else torn,
            doors=[
                DoorSheet(
                    ever=door,
                    rejected=rejected[name],
                    stored_since_start=door.stored - self._at_start.get(name, 0),
                    rejected_since_start=since_start[name],
                )
                for name, door in sorted(doors.items())
            ],
        )


def _nothing_by(door: str) -> DoorBooks:
    return DoorBooks(
        door=door, stored=0, new=0, identical=0, corrected=0, repeated=0, skipped=0, unfolded=0
    )


def _parts(door: DoorBooks) -> int:
    folded = door.new + door.identical + door.corrected + door.repeated + door.skipped
    return folded + door.unfolded
