"""What is played: a million sensors in three regions, and what strikes the first of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model import REGIONS, Fault, Trace, World, run

from pipewatcher.capacity.figures import Figures
from pipewatcher.capacity.plan import SAFETY

HOUR = 3_600.0
SENSORS, PLANTS, INTERVAL_S = 1_000_000, 500, 60.0
LINE_TIMES = 4.0
"""A plant's line carries so many times what its sensors send."""
BUFFER_S = 96 * HOUR
MIRROR_LATE_S = 5.0
FAILOVER_S = 120.0
SENT_AGAIN_S = 600.0
BACKOFF_S = 30.0
"""As our own clients: 0.5 to 30 s, at random."""
CUT_FROM_S = 6 * HOUR
CUTS = {"cut-6h": 6, "cut-72h": 72}
BUFFERS_H = (12, 24, 48, 60, 72, 84, 96)
HEADROOMS = (1.25, 1.5, 2.0, 3.0, 4.0)


def world(**changed: Any) -> World:
    live = SENSORS / INTERVAL_S
    made = World(
        plants=PLANTS,
        sensors=SENSORS,
        interval_s=INTERVAL_S,
        link_per_s=LINE_TIMES * live / PLANTS,
        intake_per_s=SAFETY * live / REGIONS,
        drain_per_s=SAFETY * live / REGIONS,
        mirror_per_s=SAFETY * live / REGIONS,
        mirror_late_s=MIRROR_LATE_S,
        failover_s=FAILOVER_S,
        buffer_s=BUFFER_S,
        sent_again_s=SENT_AGAIN_S,
        backoff_s=BACKOFF_S,
        step_s=300.0,
    )
    return replace(made, **changed)


def with_headroom(times: float, **changed: Any) -> World:
    per_region = times * SENSORS / INTERVAL_S / REGIONS
    return world(
        intake_per_s=per_region, drain_per_s=per_region, mirror_per_s=per_region, **changed
    )


def cut(hours: float, played_h: float) -> Trace:
    ends = CUT_FROM_S + hours * HOUR
    return run(world(), Fault(cut=(CUT_FROM_S, ends)), played_h * HOUR)


def region_lost(headroom: float, sent_again_s: float) -> Trace:
    found = with_headroom(headroom, step_s=1.0, sent_again_s=sent_again_s)
    return run(found, Fault(lost_s=300.0), 1_500.0)


def herd(headroom: float) -> Trace:
    """All plants of a region come back at once, after an hour, by wide lines."""
    back = with_headroom(headroom, step_s=30.0, link_per_s=10 * SENSORS / INTERVAL_S / PLANTS)
    return run(back, Fault(cut=(600.0, 600.0 + HOUR)), 6 * HOUR)


def buffers(hours: float) -> list[tuple[int, int]]:
    """Hours that an edge holds, and readings lost in a cut."""
    found = []
    for held in BUFFERS_H:
        fault = Fault(cut=(CUT_FROM_S, CUT_FROM_S + hours * HOUR))
        trace = run(world(buffer_s=held * HOUR), fault, CUT_FROM_S + (hours + 1) * HOUR)
        found.append((held, trace.lost[-1]))
    return found


def caught_up_s(trace: Trace, since_s: float, step_s: float) -> float | None:
    """Seconds from `since_s` until nothing older than two steps waits at an edge."""
    for at, lag in zip(trace.at_s, trace.lag_s, strict=True):
        if at >= since_s + BACKOFF_S and lag <= 2 * step_s:
            return at - since_s
    return None


def summary(trace: Trace) -> dict[str, Any]:
    return {
        "produced": trace.produced[-1],
        "stored": trace.stored[-1],
        "edge": trace.edge[-1],
        "waiting": trace.waiting[-1],
        "lost": trace.lost[-1],
        "fullest_edge_s": round(max(trace.fullest_s)),
        "most_waiting": max(trace.waiting),
        "lag_max_s": max(trace.lag_s),
        "accepted_max_per_s": round(max(trace.accepted_per_s)),
    }


def play(measured: Figures) -> tuple[dict[str, Any], dict[str, Trace]]:
    """The figures, and the traces that are drawn."""
    traces = {
        "cut-6h": cut(6, 24),
        "cut-72h": cut(72, 160),
        "region-lost": region_lost(3, 0),
        "herd": herd(2),
    }
    figures: dict[str, Any] = {name: summary(trace) for name, trace in traces.items()}
    for name, hours in CUTS.items():
        ended = CUT_FROM_S + hours * HOUR
        figures[name]["caught_up_s"] = caught_up_s(traces[name], ended, 300)
    figures["region-lost"] = {
        f"{headroom:g}, {again:g}": summary(played)
        | {"caught_up_s": caught_up_s(played, 300 + FAILOVER_S, 1)}
        for headroom in (2.0, 3.0)
        for again in (0.0, SENT_AGAIN_S)
        for played in [region_lost(headroom, again)]
    }
    figures["herd"] = {
        f"{headroom:g}": summary(played) | {"caught_up_s": caught_up_s(played, 600 + HOUR, 30)}
        for headroom in HEADROOMS
        for played in [herd(headroom)]
    }
    figures["buffers"] = [list(pair) for pair in buffers(72)]
    return {"world": inputs(measured), **figures}, traces


def inputs(measured: Figures) -> dict[str, float]:
    """What the readings mean on lines, disks and cores, by the measured figures."""
    live = SENSORS / INTERVAL_S
    plant = live / PLANTS
    return {
        "sensors": SENSORS,
        "plants": PLANTS,
        "regions": REGIONS,
        "live_per_s": round(live, 1),
        "plant_per_s": round(plant, 2),
        "line_kbit_per_s": round(LINE_TIMES * plant * measured.wire_batch_bytes * 8 / 1e3, 1),
        "edge_mb_per_h": round(plant * HOUR * measured.kafka_bytes / 1e6, 1),
        "kafka_gb_per_h_and_copy": round(live / REGIONS * HOUR * measured.kafka_bytes / 1e9, 2),
        "gateway_cores": round(SAFETY * live / REGIONS / measured.gateway_per_s, 2),
        "writer_cores": round(SAFETY * live / REGIONS * measured.writer_us / 1e6, 2),
    }
