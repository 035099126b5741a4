"""One phase of load: a generator runs, is watched, and what it was told is audited."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import audit
import numpy as np
from generator import Order
from machine import Watch
from plan import KINDS
from system import System
from watch import Sampler, established

from server import TOKEN

HERE = Path(__file__).parent
WRK_SENSORS = 2_000
COUNTED_EVERY_S = 0.25
LOOKS = 3
QUANTILES = {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "p999_ms": 99.9}


@dataclass
class Run:
    """What one system's phases share."""

    system: System
    sampler: Sampler
    ledger: audit.Ledger
    wrk_next: int = 0
    phases: list[dict[str, Any]] = field(default_factory=list)
    per_second: list[dict[str, float]] = field(default_factory=list)

    def by_ledger(
        self,
        mode: str,
        kind: str,
        connections: int,
        seconds: float,
        *,
        per_s: float = 0.0,
        late_s: float = 10.0,
        name: str = "",
    ) -> dict[str, Any]:
        """Our own generator; `per_s` are messages. Every acknowledgement goes into the ledger."""
        first = self.ledger.next
        port = self.system.mqtt_port if kind == "mqtt" else self.system.http_port
        with tempfile.TemporaryDirectory() as folder:
            order = Order(
                mode=mode,
                kind=kind,
                port=port,
                token=TOKEN,
                connections=connections,
                seconds=seconds,
                per_s=per_s,
                late_s=late_s,
                first=first,
                begin_s=self.ledger.begin_s,
                out=str(Path(folder) / "ledger.npz"),
            )
            phase = self._begin(mode, kind, connections, name)
            said, told = _generate(order, port, phase)
            self._end(phase)
            with np.load(order.out) as found:
                self.ledger.add(first, found)
                at, took, refused_at = found["at"], found["took"], found["refused_at"]
        codes = Counter(said.pop("codes"))
        phase |= said
        phase["connected_s"] = told
        phase["acknowledged"] = codes.pop("ok", 0)
        phase["not_acknowledged"] = dict(codes)
        phase["messages_per_s"] = phase["acknowledged"] / max(phase["lasted_s"], 1e-9)
        phase["readings_per_s"] = phase["messages_per_s"] * KINDS[kind]
        phase["intended_per_s"] = per_s
        phase |= quantiles(took)
        self._by_second(phase, at, took, refused_at)
        self._audit(phase)
        return phase

    def by_wrk(
        self, kind: str, connections: int, seconds: float, *, name: str = ""
    ) -> dict[str, Any]:
        """An independent generator, closed loop. It cannot tell which of its requests were
        answered, only how many; and what was on the way at its end may be stored or not."""
        size = KINDS[kind]
        before = audit.stored_with_prefix(self.system, "WRK-")
        phase = self._begin("wrk", kind, connections, name)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        command += ["--timeout", "30s", "-s", str(HERE / "unique.lua"), self.system.server.url]
        arguments = [TOKEN, size, self.wrk_next, self.ledger.begin_s]
        with _Counting(self.system.http_port) as counting:
            done = subprocess.run(
                [*command, "--", *map(str, arguments)], capture_output=True, text=True, check=True
            )
        self._end(phase)
        said = re.search(r"RESULT (.*)", done.stdout)
        assert said is not None, done.stdout
        figures: dict[str, Any] = json.loads(said[1])
        sent = figures["next"] - self.wrk_next
        self.wrk_next = (figures["next"] // WRK_SENSORS + 1) * WRK_SENSORS
        errors = {
            name: figures[name]
            for name in ("status", "connect", "read", "write", "timeout")
            if figures[name]
        }
        acknowledged = figures["requests"] - figures["status"]
        phase["settled_s"] = self.system.settle()
        stored = audit.stored_with_prefix(self.system, "WRK-") - before
        phase |= {name: figures[name] for name in QUANTILES}
        phase |= {
            "established": counting.most,
            "acknowledged": acknowledged,
            "not_acknowledged": errors,
            "lasted_s": figures["lasted_s"],
            "messages_per_s": acknowledged / figures["lasted_s"],
            "readings_per_s": acknowledged * size / figures["lasted_s"],
            "audit": {
                "acknowledged": acknowledged * size,
                "stored": stored,
                "sent": sent,
                "lost": max(0, acknowledged * size - stored),
                "unasked": max(0, stored - sent),
            },
        }
        return phase

    def _begin(self, mode: str, kind: str, connections: int, name: str) -> dict[str, Any]:
        phase: dict[str, Any] = {
            "name": name or f"{connections:,} {kind} {mode}",
            "mode": mode,
            "of_grid": not name,
            "kind": kind,
            "connections": connections,
            "from_s": self.sampler.now_s(),
        }
        self.phases.append(phase)
        self._watch = Watch()
        print(f"  {self.system.setup}: {phase['name']} …", flush=True)
        return phase

    def _end(self, phase: dict[str, Any]) -> None:
        phase["until_s"] = self.sampler.now_s()
        phase["shares"] = asdict(self._watch.shares())
        since, until = phase["from_s"], phase["until_s"] + 1
        for name in ("cpu_pipewatcher", "cpu_load", "mb_pipewatcher", "lag_s"):
            phase[name] = self.sampler.most(name, since, until)

    def _by_second(
        self, phase: dict[str, Any], at: np.ndarray, took: np.ndarray, refused_at: np.ndarray
    ) -> None:
        """On the clock of the samples; latencies by the second in which a message was due."""
        began = phase["until_s"] - phase["lasted_s"]
        for second in range(int(max([*at, *refused_at], default=-1)) + 1):
            here = took[(at >= second) & (at < second + 1)]
            refused = float(((refused_at >= second) & (refused_at < second + 1)).sum())
            row = {"at_s": began + second, "messages": float(len(here)), "refused": refused}
            self.per_second.append(row | (quantiles(here) if len(here) else {}))

    def _audit(self, phase: dict[str, Any]) -> None:
        phase["settled_s"] = self.system.settle()
        phase["audit"] = asdict(audit.by_counts(self.system, self.ledger))


def quantiles(took: np.ndarray) -> dict[str, float]:
    if not len(took):
        return dict.fromkeys(QUANTILES, 0.0)
    found = np.percentile(took, list(QUANTILES.values())) * 1e3
    return dict(zip(QUANTILES, map(float, found), strict=True))


def _generate(order: Order, port: int, phase: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """What the generator says at its end, and how long its devices took to connect."""
    command = [sys.executable, str(HERE / "generator.py"), json.dumps(asdict(order))]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as generator,
        _Counting(port) as counting,
    ):
        assert generator.stdin is not None
        assert generator.stdout is not None
        told = re.fullmatch(r"CONNECTED (\d+) (\S+)\n", generator.stdout.readline())
        counting.count()
        generator.stdin.write("go\n")
        generator.stdin.flush()
        rest = generator.stdout.read()
    assert told is not None
    assert generator.returncode == 0, rest
    phase["established"] = counting.most
    said: dict[str, Any] = json.loads(rest)
    return said, float(told[2])


class _Counting:
    """The most sockets that were established at the server's port at a time."""

    def __init__(self, port: int) -> None:
        self.most = 0
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> _Counting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def count(self) -> None:
        """The kernel's table is no snapshot: one look may miss a socket."""
        self.most = max(self.most, *(established(self._port) for _ in range(LOOKS)))

    def _count(self) -> None:
        while not self._ended.wait(COUNTED_EVERY_S):
            self.most = max(self.most, established(self._port))
