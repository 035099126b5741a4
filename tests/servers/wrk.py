"""wrk is no server, but a program that a test needs like one."""

from __future__ import annotations

import shutil


def missing() -> str | None:
    return None if shutil.which("wrk") else "there is no wrk"
