"""Where the local administrator's door is: a Unix socket in the data folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NAME = "pipewatcher.sock"
ADDRESS_BYTES_MAX = 100
"""A Unix socket's address holds 104 to 108 bytes."""


@contextlib.contextmanager
def address_of(data_dir: Path) -> Iterator[str]:
    """The socket's path, or, in a folder whose path is too long for one, a short way to it that
    is good while the context lasts."""
    path = data_dir / NAME
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(data_dir, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
