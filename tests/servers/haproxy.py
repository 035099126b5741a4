"""HAProxy, which stands before the gateways and the API in compose.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path

from servers.process import ServerProcess, accepts


def missing() -> str | None:
    return None if shutil.which("haproxy") else "there is no haproxy"


def haproxy(config: Path, port: int) -> ServerProcess:
    return ServerProcess(
        ["haproxy", "-db", "-f", str(config)], config.parent, lambda: accepts(port)
    )
