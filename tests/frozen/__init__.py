"""Data folders as released versions wrote them, and what was answered from them then.

`python -m frozen` (with PYTHONPATH=src:tests) makes one of the present formats: a change of a
format needs its migration and, for the one after it, a folder of what it made.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from pipewatcher.commit_log.sqlite_entries import FORMAT_VERSION
from pipewatcher.readings.duckdb_sql.schema import FORMAT
from pipewatcher.registry import sqlite_file

HERE = Path(__file__).parent
PRESENT = f"{FORMAT_VERSION}-{FORMAT}-{len(sqlite_file._STEPS)}"
"""Formats of commit log, readings store and registry."""
VOLATILE = {"notifications", "users"}
"""What the clock adds to by itself, and nobody: there are no people in it."""


def names() -> list[str]:
    return sorted(path.name.removesuffix(".tar.xz") for path in HERE.glob("*.tar.xz"))


def unpack(name: str, folder: Path) -> dict[str, Any]:
    """Makes the data folder; what was answered from it."""
    with tarfile.open(HERE / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    answers: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    (folder / "answers.json").unlink()
    return answers


def check_same(then: Any, now: Any, where: str = "") -> None:
    """All that was told then is told now; there may be more members."""
    if isinstance(then, dict):
        for name in then.keys() - VOLATILE:
            if name.endswith("SinceStart"):
                continue
            assert name in now, f"{where}.{name} is not told any more"
            check_same(then[name], now[name], f"{where}.{name}")
    elif isinstance(then, list):
        assert len(then) == len(now), (where, then, now)
        for place, (one, other) in enumerate(zip(then, now, strict=True)):
            check_same(one, other, f"{where}[{place}]")
    else:
        assert then == now, f"{where}: was {then!r}, is {now!r}"
