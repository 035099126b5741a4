"""A power cut: after `kill -9`, what was not synced is taken from the files again.

A disk may have written any of the unsynced blocks, in any order, and half of the last. Names of
files (made, renamed, removed) are taken as ordered and durable, as ext4 and XFS do it in effect.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

HEAD = struct.Struct("=6q")
SECTOR_BYTES = 512
WRITTEN, CUT, SYNCED = range(3)


@dataclass(frozen=True)
class Note:
    """Of shim.c: at `offset`, `old` became `new`; or the file of `old_size` was cut there."""

    raw: bytes
    kind: int
    inode: int
    offset: int
    old_size: int
    old: bytes
    new: bytes


Keep: TypeAlias = Callable[[list[Note], random.Random], Iterator[Note]]


def keep_nothing(notes: list[Note], rng: random.Random) -> Iterator[Note]:
    yield from ()


def keep_some(notes: list[Note], rng: random.Random) -> Iterator[Note]:
    """Any of them, as a disk that orders its writes itself."""
    yield from (note for note in notes if rng.random() < 0.5)


def tear_last(notes: list[Note], rng: random.Random) -> Iterator[Note]:
    """All but the end of the last one, at a sector's edge."""
    yield from notes[:-1]
    last = notes[-1]
    kept = rng.randrange(0, len(last.new) + 1) // SECTOR_BYTES * SECTOR_BYTES
    if kept:
        yield replace(last, new=last.new[:kept])


def cut_power(data: Path, journal: Path, keep: Keep, rng: random.Random) -> int:
    """To be called when the process is dead. How many unsynced writes there were."""
    by_inode = {path.stat().st_ino: path for path in data.rglob("*") if path.is_file()}
    lost = 0
    for inode, notes in sorted(_unsynced(journal).items()):
        path = by_inode.get(inode)
        if path is not None and not path.name.endswith("-shm"):  # memory, not a file
            lost += len(notes)
            _take_back(path, notes)
            _apply(path, keep(notes, rng))
    journal.unlink()
    return lost


def tidy(journal: Path) -> None:
    """After a kill: without what was synced, and without a last note that was cut off, whose write
    then never came."""
    kept = [note.raw for notes in _unsynced(journal).values() for note in notes]
    journal.write_bytes(b"".join(kept))


def _unsynced(journal: Path) -> dict[int, list[Note]]:
    """By inode, in the order of the writes."""
    found: dict[int, list[Note]] = {}
    for note in _notes(journal.read_bytes()):
        if note.kind == SYNCED:
            found.pop(note.inode, None)
        else:
            found.setdefault(note.inode, []).append(note)
    return found


def _notes(raw: bytes) -> Iterator[Note]:
    at = 0
    while at + HEAD.size <= len(raw):
        kind, inode, offset, old_size, length, old_length = HEAD.unpack_from(raw, at)
        body = at + HEAD.size
        end = body + old_length + length
        if end > len(raw):
            return
        old, new = raw[body : body + old_length], raw[body + old_length : end]
        yield Note(raw[at:end], kind, inode, offset, old_size, old, new)
        at = end


def _take_back(path: Path, notes: list[Note]) -> None:
    with path.open("r+b") as file:
        for note in reversed(notes):
            file.seek(note.offset)
            file.write(note.old)
            file.truncate(note.old_size)


def _apply(path: Path, notes: Iterator[Note]) -> None:
    with path.open("r+b") as file:
        for note in notes:
            if note.kind == CUT:
                file.truncate(note.offset)
            else:
                file.seek(note.offset)
                file.write(note.new)
