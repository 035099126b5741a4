"""Files that are on the disk when a call returns. Everything here raises `OSError`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def sync(file: BinaryIO) -> None:
    # What Python still buffers is not in the file yet.
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in it durable: new files, renames."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Replaces the file; a crash leaves the old one or the new one, whole."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        sync(file)
    part.replace(path)
    sync_folder(path.parent)
