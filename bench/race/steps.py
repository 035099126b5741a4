"""The steps of the race, the same for every peer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import Watch
from month import END_S, SENSORS, WINDOWS_S, late, name, value
from peers import Peer, Reading
from system import CORES

HERE = Path(__file__).parent
SINGLE_CONNECTIONS = 64
BATCH = 1_000
BATCH_CONNECTIONS = 16
INGEST_PER_S = 20_000
"""Readings, in batches, while questions are asked."""
ASKED = 5
GIVE_UP_S = 20.0
"""A question that takes longer is asked once."""


@dataclass(frozen=True, kw_only=True)
class Size:
    seconds: float
    every_s: int
    """Of each sensor's readings in the month."""
    late: int


def run(peer: Peer, folder: Path, size: Size, csv_path: Path, rows: int) -> dict[str, Any]:
    """All figures of one peer: live writes on a fresh server, then the month on another."""
    watch = Watch()
    found: dict[str, Any] = {"name": peer.name, "promise": peer.promise, "notes": peer.notes}
    with _started(peer, folder / "live"):
        found["single"] = _wrk(peer, 1, SINGLE_CONNECTIONS, size.seconds, END_S)
        later = END_S + 3_600 * 24
        found["batch"] = _wrk(peer, BATCH, BATCH_CONNECTIONS, size.seconds, later)
        peer.settle()
        acknowledged = found["single"]["readings"] + found["batch"]["readings"]
        found["not_stored"] = max(0, acknowledged - peer.count())
    with _started(peer, folder / "month"):
        began = time.perf_counter()
        peer.import_csv(csv_path)
        found["csv_per_s"] = rows / (time.perf_counter() - began)
        assert peer.count() == rows, (peer.count(), rows)
        found["means"] = {window: _means(peer, s) for window, s in WINDOWS_S.items()}
        found["answers"] = peer.means(WINDOWS_S["30d"], END_S)
        found["bytes_per_reading"] = peer.bytes_stored() / rows
        found["late_per_s"] = _late(peer, size)
        found["beside"] = _beside(peer, size)
        found["peak_mb"] = _peak_mb(peer.pid)
    shares = watch.shares()
    found["others"], found["stolen"] = shares.others, shares.stolen
    return found


class _started:  # noqa: N801 - reads as a word in `with`
    """On the first core; everything else is on the others."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self._peer, self._folder = peer, folder

    def __enter__(self) -> None:
        ours = os.sched_getaffinity(0)
        os.sched_setaffinity(0, CORES[:1])  # what is started now inherits it: threads, JVM and all
        try:
            self._peer.start(self._folder)
        finally:
            os.sched_setaffinity(0, ours)

    def __exit__(self, *_: object) -> None:
        self._peer.stop()


def _wrk(peer: Peer, size: int, connections: int, seconds: float, begin_s: int) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    command += ["-s", str(HERE / "race.lua"), peer.url, "--", peer.form, str(size)]
    command += [peer.write_path, peer.authorization, str(begin_s - 60 * 86_400)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = re.search(r"RESULT (.*)", done.stdout)
    assert said is not None, done.stdout
    figures: dict[str, Any] = json.loads(said[1])
    figures["readings"] = (figures["requests"] - figures["errors"]) * size
    figures["per_s"] = figures["readings"] / figures["lasted_s"]
    return figures


def _means(peer: Peer, window_s: int) -> float:
    """Median, in ms."""
    took: list[float] = []
    while len(took) < ASKED and sum(took) < GIVE_UP_S * 1e3:
        began = time.perf_counter()
        answer = peer.means(window_s, END_S)
        took.append((time.perf_counter() - began) * 1e3)
        assert len(answer) == SENSORS, len(answer)
    return median(took)


def _late(peer: Peer, size: Size) -> float:
    """Readings/s of batches, one at a time, anywhere in the month; until all can be asked for."""
    readings = late(size.late, size.every_s)
    batches = list(iter(lambda: list(islice(readings, BATCH)), []))
    began = time.perf_counter()
    for batch in batches:
        peer.send(batch)
    peer.settle()
    return size.late / (time.perf_counter() - began)


def _beside(peer: Peer, size: Size) -> dict[str, float]:
    """Means over 24 h, one question after the other, while readings come in at a constant rate."""
    sent: list[float] = []
    ended = threading.Event()
    ingesting = threading.Thread(target=_ingest, args=(peer, sent, ended), daemon=True)
    ingesting.start()
    took: list[float] = []
    began = time.perf_counter()
    try:
        while time.perf_counter() - began < 2 * size.seconds:
            asked = time.perf_counter()
            peer.means(WINDOWS_S["24h"], END_S)
            took.append((time.perf_counter() - asked) * 1e3)
        lasted = time.perf_counter() - began
    finally:
        ended.set()
        ingesting.join()
    return {
        "per_s": len(sent) * BATCH / lasted,
        "p50_ms": float(np.percentile(took, 50)),
        "p99_ms": float(np.percentile(took, 99)),
    }


def _ingest(peer: Peer, sent: list[float], ended: threading.Event) -> None:
    began = time.perf_counter()
    while not ended.is_set():
        first = len(sent) * BATCH
        peer.send([_live(n) for n in range(first, first + BATCH)])
        sent.append(time.perf_counter())
        ended.wait(max(0.0, began + len(sent) * BATCH / INGEST_PER_S - time.perf_counter()))


def _live(number: int) -> Reading:
    """The day before the month's end, at seconds that the file has not."""
    at_s = END_S - 86_400 + 30 + number // SENSORS * 7
    return name(number % SENSORS), at_s, value(number % SENSORS, at_s)


def _peak_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+)", text)
    return int(found[1]) / 1_024 if found else 0.0
