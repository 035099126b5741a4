"""What goes on beside the load: dashboards that ask for means, and an import of a CSV file."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import numpy as np
from plan import text_of
from system import ANSWERED_WITHIN_S, System

from server import AUTH

DASHBOARDS = 10
ASKS_EVERY_S = 2.0
WINDOWS = ("24h", "48h", "7d", "30d")
SENSORS = 500


class Dashboards:
    """Each asks for the means of all sensors every two seconds, over the windows in turn."""

    def __init__(self, system: System) -> None:
        self.took: list[float] = []
        self.failed = 0
        self._url = system.server.url
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True)
            for number in range(DASHBOARDS)
        ]

    def __enter__(self) -> Dashboards:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def figures(self) -> dict[str, Any]:
        took = np.array(self.took or [0.0]) * 1e3
        return {
            "asked": len(self.took),
            "failed": self.failed,
            "p50_ms": float(np.percentile(took, 50)),
            "p99_ms": float(np.percentile(took, 99)),
        }

    def _ask(self, number: int) -> None:
        self._ended.wait(number * ASKS_EVERY_S / DASHBOARDS)
        with httpx.Client(base_url=self._url, headers=AUTH, timeout=ANSWERED_WITHIN_S) as http:
            turn = number
            while not self._ended.is_set():
                window = WINDOWS[turn % len(WINDOWS)]
                turn += 1
                began = time.perf_counter()
                try:
                    answer = http.get("/api/v1/averages", params={"window": window, "limit": 2_000})
                    self.failed += answer.status_code != 200
                except httpx.TransportError:
                    self.failed += 1
                took = time.perf_counter() - began
                self.took.append(took)
                self._ended.wait(max(0.0, ASKS_EVERY_S - took))


class Import:
    """A file of so many rows, from its upload to its receipt."""

    def __init__(self, system: System, rows: int, begin_s: int) -> None:
        self._system = system
        self._body = _file(rows, begin_s)
        self._rows = rows
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._found: dict[str, Any] = {"rows": rows, "state": "it never began"}

    def __enter__(self) -> Import:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def figures(self) -> dict[str, Any]:
        return self._found

    def _run(self) -> None:
        with httpx.Client(
            base_url=self._system.server.url, headers=AUTH, timeout=ANSWERED_WITHIN_S
        ) as http:
            began = time.perf_counter()
            told = http.post(
                "/api/v1/imports", content=self._body, headers={"content-type": "text/csv"}
            ).json()
            job = told
            while job["state"] in {"queued", "running"}:
                time.sleep(0.2)
                job = http.get(f"/api/v1/imports/{told['id']}").json()
            took = time.perf_counter() - began
        self._found = {
            "rows": self._rows,
            "state": job["state"],
            "accepted": job["receipt"]["accepted"],
            "took_s": took,
            "rows_per_s": self._rows / took,
        }


def _file(rows: int, begin_s: int) -> bytes:
    """Each sensor once a minute, before the readings of the generators."""
    steps = rows // SENSORS
    lines = ["equipmentId,timestamp,value"]
    for step in range(steps):
        stamp = text_of(begin_s - (steps - step) * 60)
        lines += [f"IMP-{n:05},{stamp},{(n * 37 + step) % 9_973 / 100:.2f}" for n in range(SENSORS)]
    return "\n".join(lines).encode() + b"\n"
