"""Disk and clock that fail on demand: a small library, compiled here and preloaded."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class Control(IntEnum):
    """As in shim.c."""

    SYNC_DELAY_MS = 0
    SYNC_ERRNO = 1
    WRITE_ERRNO = 2
    CLOCK_OFFSET_S = 3
    STRUCK = 4


def missing() -> str | None:
    return None if shutil.which("cc") else "there is no C compiler (cc)"


class Shim:
    """For one process and the files below `data`; `folder` gets library, control and journal."""

    def __init__(self, folder: Path, data: Path) -> None:
        folder.mkdir(parents=True)
        self.data = data
        self.journal = folder / "journal"
        library, control = folder / "shim.so", folder / "control"
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", SOURCE, "-o", library, "-ldl"],
            check=True,
        )
        control.write_bytes(bytes(8 * len(Control)))
        with control.open("r+b") as file:
            self._numbers = mmap.mmap(file.fileno(), 0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTS_FOLDER": str(data.resolve()),
            "FAULTS_CONTROL": str(control),
            "FAULTS_JOURNAL": str(self.journal),
        }

    def set(self, number: Control, value: int) -> None:
        struct.pack_into("=q", self._numbers, 8 * number, value)

    @property
    def struck(self) -> int:
        """How often it made something fail or wait."""
        found: int = struct.unpack_from("=q", self._numbers, 8 * Control.STRUCK)[0]
        return found
