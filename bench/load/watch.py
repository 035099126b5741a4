"""Samples of the running system once a second: what the plots over time are made of."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
from machine import cpu_s
from system import System

from server import AUTH

EVERY_S = 1.0
ESTABLISHED = "01"


class Sampler:
    """`samples` grow from `start` to `stop`; each is a dict with `at_s` since the start."""

    def __init__(self, system: System) -> None:
        self.samples: list[dict[str, float | None]] = []
        self.began = time.monotonic()
        self._system = system
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._asker = threading.Thread(target=self._ask, daemon=True)
        self._told: dict[str, Any] | None = None
        self._told_at = 0.0

    def __enter__(self) -> Sampler:
        self._asker.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._asker.join()

    def now_s(self) -> float:
        return time.monotonic() - self.began

    def most(self, name: str, since_s: float, until_s: float) -> float:
        found = (row for row in self.samples if since_s <= (row["at_s"] or 0.0) <= until_s)
        return max((row[name] or 0.0 for row in found), default=0.0)

    def _run(self) -> None:
        before, cpu_before = self.now_s(), self._cpu()
        while not self._ended.wait(EVERY_S):
            now, cpu = self.now_s(), self._cpu()
            lasted = now - before
            sample: dict[str, float | None] = {"at_s": now}
            for name, seconds in cpu.items():
                sample[f"cpu_{name}"] = (seconds - cpu_before[name]) / lasted
            for name, pid in self._system.pids.items():
                sample[f"mb_{name}"] = _memory_mb(pid)
            sample["disk_mb"] = sum(map(_size, self._system.folders)) / 1e6
            sample["http"] = established(self._system.http_port)
            sample["mqtt"] = established(self._system.mqtt_port)
            told = self._told if now - self._told_at < 5 * EVERY_S else None
            sample["committed"] = told["stages"]["committed"] if told else None
            sample["lag_s"] = told["lag"]["seconds"] if told else None
            self.samples.append(sample)
            before, cpu_before = now, cpu

    def _ask(self) -> None:
        """Apart, so that an answer that is slow under load does not delay the samples."""
        with httpx.Client(base_url=self._system.server.url, headers=AUTH, timeout=10) as http:
            while not self._ended.wait(EVERY_S):
                try:
                    answer = http.get("/api/v1/status")
                except httpx.TransportError:
                    continue
                if answer.status_code == 200:
                    self._told, self._told_at = answer.json(), self.now_s()

    def _cpu(self) -> dict[str, float]:
        found = {name: cpu_s(pid) for name, pid in self._system.pids.items()}
        found["load"] = cpu_s(os.getpid()) - sum(found.values())
        return found


def established(port: int) -> int:
    """Sockets of this machine whose own end is this port, as the kernel lists them."""
    wanted = f":{port:04X}"
    return sum(
        fields[1].endswith(wanted) and fields[3] == ESTABLISHED
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    )


def _memory_mb(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return None


def _size(folder: Path) -> int:
    size = 0
    for below, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(below) / name).stat().st_size
            except FileNotFoundError:
                continue  # a log's segment that was deleted meanwhile
    return size
