"""A copy of a SQLite database that is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_database(path: Path, folder: Path) -> None:
    """Into a file of the same name, as it is at this moment; from any thread. Raises
    `sqlite3.Error`."""
    with (
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(folder / path.name)) as target,
    ):
        source.backup(target)
