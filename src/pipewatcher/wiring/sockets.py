"""Where the HTTP doors listen."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipewatcher import local_socket
from pipewatcher.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Opened:
    """The ports of API and page; None for the one that is not wanted."""

    http: int | None
    https: int | None

    @property
    def any(self) -> int:
        port = self.http if self.http is not None else self.https
        assert port is not None, "the settings demand one of them"
        return port


def listen(setting: str, host: str, port: int) -> socket.socket:
    """Raises `SettingsError`, naming the port's setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"PIPEWATCHER_HTTP_HOST and {setting}: cannot listen on {host}:{port}: "
            f"{error.strerror}",
            hint="Another program may use the port; 0 takes any free one.",
        ) from error
    return listening


@contextlib.contextmanager
def listen_local(data_dir: Path) -> Iterator[socket.socket]:
    """The local administrator's door: the file's mode lets only its owner in."""
    path = data_dir / local_socket.NAME
    path.unlink(missing_ok=True)
    with local_socket.address_of(data_dir) as address:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listening.bind(address)
        finally:
            os.umask(mask)
    try:
        yield listening
    finally:
        path.unlink(missing_ok=True)
