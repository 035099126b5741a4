"""The machine, its versions, and how much of it others had while we measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from pipewatcher import __version__

BUSY_SHARE = 0.05
"""Of all cores' time: taken by others or stolen by the host, from which a run is called busy."""
PACKAGES = ("duckdb", "uvloop", "msgspec", "httptools", "confluent-kafka", "numpy")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Shares:
    """Of all cores' time."""

    others: float
    stolen: float
    idle: float

    @property
    def busy(self) -> bool:
        return self.others + self.stolen > BUSY_SHARE


class Watch:
    """From its making to `shares()`: the time of all cores, less what is ours."""

    def __init__(self, *more: int) -> None:
        """`more`: processes that are not below this one."""
        self._more = more
        self._before = self._now()

    def shares(self) -> Shares:
        total, idle, stolen, ours = (
            after - before for after, before in zip(self._now(), self._before, strict=True)
        )
        total = max(total, 1e-9)
        others = max(0.0, total - idle - stolen - ours)
        return Shares(others / total, stolen / total, idle / total)

    def _now(self) -> tuple[float, float, float, float]:
        times = psutil.cpu_times()
        steal = getattr(times, "steal", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return total, idle, steal, sum(map(cpu_s, (os.getpid(), *self._more)))


def cpu_s(pid: int) -> float:
    """Of a process, of what it has waited for, and of all that runs below it."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        below = process.children()
    except psutil.Error:
        return 0.0
    own = times.user + times.system + times.children_user + times.children_system
    return float(own) + sum(cpu_s(one.pid) for one in below)


def describe() -> dict[str, Any]:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    packages = {name: version(name) for name in PACKAGES}
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "disk": _disk(),
        "kernel": platform.release(),
        "versions": {
            "PipeWatcher": f"{__version__} ({_commit()})",
            "Python": sys.version.split()[0],
            **packages,
            "wrk": _first_line("wrk", "-v").removeprefix("wrk "),
        },
    }


def load_before(seconds: float = 3.0) -> dict[str, float]:
    """Load averages, and what others took while we did nothing."""
    one, five, fifteen = os.getloadavg()
    watch = Watch()
    time.sleep(seconds)
    shares = watch.shares()
    return {
        "load_1": one,
        "load_5": five,
        "load_15": fifteen,
        "others": shares.others,
        "stolen": shares.stolen,
        "idle": shares.idle,
    }


def _disk() -> str:
    """File system and sync: how long one fdatasync of 4 kB takes."""
    path = Path("fsync-probe.tmp")
    took = []
    with path.open("wb") as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return f"one fdatasync of 4 kB: median {sorted(took)[25] * 1e3:.2f} ms"


def _commit() -> str:
    def git(*words: str) -> str:
        return _output("git", *words).strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return (git("rev-parse", "--short", "HEAD") or "no git") + (" with changes" if changed else "")


def _first_line(*command: str) -> str:
    return _output(*command).strip().partition("\n")[0].split(" Copyright")[0]


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr
