"""The scenarios of a set-up, in their order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import audit
from beside import Dashboards, Import
from phases import Run
from plan import KINDS
from system import CORES, System, running
from watch import Sampler

BEGIN_BEFORE_S = 20 * 86_400
OPEN_SHARE = 0.7
"""Of what the closed loop reached: the arrival rate of the open loop."""
SOAK_SHARE = 0.5
FEW = 64
"""Connections."""
OVERLOAD = 3.0
OVERLOAD_LIMITS = {"backlog_max_mb": 16, "inflight_max_mb": 16}
CALM_CONNECTIONS = 256
OVERLOAD_CONNECTIONS = 5_000
OVERLOAD_WARM_UP = 2.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a run is; `audited` sensors are compared reading by reading, None is all."""

    connections: tuple[int, ...]
    seconds: float
    soak_s: float
    storm: int
    import_rows: int
    audited: int | None


FULL = Size(
    connections=(500, 1_000, 5_000, 10_000),
    seconds=10,
    soak_s=300,
    storm=10_000,
    import_rows=500_000,
    audited=1_000,
)
QUICK = Size(
    connections=(500, 1_000, 5_000, 10_000),
    seconds=3,
    soak_s=20,
    storm=10_000,
    import_rows=100_000,
    audited=300,
)


def run(setup: str, folder: Path, size: Size) -> dict[str, Any]:
    """Everything about one set-up, as plain data."""
    with running(setup, folder / "main") as system, running_on(system) as one:
        capacity = _grid(one, size)
        found: dict[str, Any] = {"setup": setup, "capacity": capacity}
        found["one_core"] = _one_core(one, size)
        found["storm"] = one.by_ledger("storm", "mqtt", size.storm, 0, name="reconnect storm")
        found["beside"] = _beside(one, size, capacity["single"])
        found["soak"] = one.by_ledger(
            "open",
            "single",
            size.connections[0],
            size.soak_s,
            per_s=capacity["single"] * SOAK_SHARE,
            name="soak",
        )
        print(f"  {setup}: audit of every reading …", flush=True)
        began = time.monotonic()
        found["audit"] = asdict(audit.by_readings(system, one.ledger, size.audited))
        found["audit"]["took_s"] = time.monotonic() - began
        found["audit"]["of_sensors"] = len(one.ledger.sent)
        found["balance"] = system.status()["balance"]
    found |= {
        "phases": one.phases,
        "samples": one.sampler.samples,
        "per_second": one.per_second,
        "overload": _overload(setup, folder / "overload", size),
        "cores": {"system": CORES[:1], "others": CORES[1:] or CORES},
    }
    return found


@contextmanager
def running_on(system: System) -> Iterator[Run]:
    begin_s = int(time.time()) // 3_600 * 3_600 - BEGIN_BEFORE_S
    with Sampler(system) as sampler:
        yield Run(system, sampler, audit.Ledger(begin_s))


def _grid(one: Run, size: Size) -> dict[str, float]:
    """Messages/s by kind that the closed loop of the fewest connections reached."""
    capacity: dict[str, float] = {}
    for kind in KINDS:
        for connections in size.connections:
            if kind != "mqtt":
                one.by_wrk(kind, connections, size.seconds)
            closed = one.by_ledger("closed", kind, connections, size.seconds)
            capacity.setdefault(kind, closed["messages_per_s"])
            rate = closed["messages_per_s"] * OPEN_SHARE
            one.by_ledger("open", kind, connections, size.seconds, per_s=rate)
    return capacity


def _one_core(one: Run, size: Size) -> dict[str, Any]:
    """wrk on PipeWatcher's own core, with few connections and with the most."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES[:1])
    try:
        return {
            name: one.by_wrk("single", connections, size.seconds, name=f"one core, {name}")
            for name, connections in (("few", FEW), ("most", size.connections[-1]))
        }
    finally:
        os.sched_setaffinity(0, ours)


def _beside(one: Run, size: Size, capacity: float) -> dict[str, Any]:
    """Single readings at half the capacity, dashboards and an import at the same time."""
    connections = size.connections[min(1, len(size.connections) - 1)]
    with (
        Dashboards(one.system) as dashboards,
        Import(one.system, size.import_rows, one.ledger.begin_s) as importing,
    ):
        phase = one.by_ledger(
            "open",
            "single",
            connections,
            2 * size.seconds,
            per_s=capacity * SOAK_SHARE,
            name="with dashboards and an import",
        )
    phase["dashboards"] = dashboards.figures()
    phase["import"] = importing.figures()
    stored = audit.stored_with_prefix(one.system, "IMP-")
    phase["import"]["lost"] = phase["import"].get("accepted", 0) - stored
    return phase


def _overload(setup: str, folder: Path, size: Size) -> dict[str, Any]:
    """Batches at three times the capacity from many connections, with small limits, so that the
    refusals begin within seconds. Senders do not heed Retry-After: the worst of them."""
    few = min(CALM_CONNECTIONS, size.connections[0])
    many = min(OVERLOAD_CONNECTIONS, size.connections[-1])
    with running(setup, folder, **OVERLOAD_LIMITS) as system, running_on(system) as one:
        seconds = 2 * size.seconds
        one.by_ledger("closed", "batch", few, OVERLOAD_WARM_UP, name="warm-up")
        calm = one.by_ledger("closed", "batch", few, seconds, name="capacity")
        rate = calm["messages_per_s"] * OVERLOAD
        over = one.by_ledger(
            "open", "batch", many, seconds, per_s=rate, late_s=0, name="three times the capacity"
        )
    return {
        "capacity": calm,
        "over": over,
        "goodput": over["messages_per_s"] / calm["messages_per_s"],
        "settings": OVERLOAD_LIMITS,
        "samples": one.sampler.samples,
        "per_second": one.per_second,
    }
