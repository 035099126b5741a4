"""promtool, Prometheus's own client and checker: a program that tests need like a server."""

from __future__ import annotations

import shutil
import subprocess


def missing() -> str | None:
    return None if shutil.which("promtool") else "there is no promtool"


def promtool(*arguments: str) -> str:
    """What it prints. Raises when it fails."""
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
