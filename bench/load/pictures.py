"""The plots of a set-up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plots

QUANTILES = ("p50_ms", "p90_ms", "p99_ms", "p999_ms")
QUANTILE_NAMES = ("p50", "p90", "p99", "p99.9")


def draw(
    setup: dict[str, Any], grid: list[dict[str, Any]], folder: Path
) -> Iterator[tuple[str, str]]:
    """Writes them; file name and what it shows."""
    for name, (what, picture) in _pictures(setup, grid).items():
        file = f"{setup['setup']}-{name}.svg"
        (folder / file).write_text(picture, "utf-8")
        yield file, f"{setup['setup']}: {what}"


def _pictures(setup: dict[str, Any], grid: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    samples, seconds = setup["samples"], setup["per_second"]
    processes = [name.removeprefix("mb_") for name in samples[0] if name.startswith("mb_")]
    until_s = samples[-1]["at_s"] or 0.0
    phases = [(phase["from_s"], phase["until_s"]) for phase in setup["phases"]]
    rows = [
        (f"{phase['name']} loop", [phase[name] for name in QUANTILES])
        for phase in grid
        if phase["mode"] != "wrk"
    ]

    def over_time(
        title: str, lines: dict[str, plots.Points], unit: str, *, log: bool = False
    ) -> tuple[str, str]:
        return title, plots.over_time(
            title, lines, unit=unit, log=log, phases=phases, until_s=until_s
        )

    return {
        "latency": (
            "latency by scenario",
            plots.ranges("Latency by scenario", rows, QUANTILE_NAMES),
        ),
        "throughput": over_time("Readings committed", {"committed": _rate(samples)}, "readings/s"),
        "latency-over-time": over_time(
            "Latency over time",
            {
                label: [(row["at_s"], row[name]) for row in seconds if name in row]
                for label, name in zip(QUANTILE_NAMES, QUANTILES, strict=True)
            },
            "ms",
            log=True,
        ),
        "errors": over_time(
            "Messages refused or failed",
            {"refused": [(row["at_s"], row["refused"]) for row in seconds]},
            "messages/s",
        ),
        "overload": (
            "messages while three times the capacity is offered",
            plots.over_time(
                "Overload: acknowledged and refused",
                {
                    "acknowledged": [
                        (row["at_s"], row["messages"]) for row in setup["overload"]["per_second"]
                    ],
                    "refused": [
                        (row["at_s"], row["refused"]) for row in setup["overload"]["per_second"]
                    ],
                },
                unit="messages/s, by when they were due",
            ),
        ),
        "overload-memory": (
            "memory while three times the capacity is offered",
            plots.over_time(
                "Overload: memory",
                {"pipewatcher": _column(setup["overload"]["samples"], "mb_pipewatcher")},
                unit="MB",
            ),
        ),
        "cpu": over_time(
            "CPU",
            {name: _column(samples, f"cpu_{name}") for name in (*processes, "load")},
            "cores",
        ),
        "memory": over_time(
            "Memory", {name: _column(samples, f"mb_{name}") for name in processes}, "MB"
        ),
        "disk": over_time("Disk", {"data": _column(samples, "disk_mb")}, "MB"),
        "lag": over_time(
            "Lag: acknowledged and not stored yet", {"oldest": _column(samples, "lag_s")}, "s"
        ),
        "connections": over_time(
            "Established connections",
            {"HTTP": _column(samples, "http"), "MQTT": _column(samples, "mqtt")},
            "sockets of the server",
        ),
    }


def _column(samples: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["at_s"], row[name]) for row in samples if row[name] is not None]


def _rate(samples: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Between samples at which the count was told anew."""
    points: list[tuple[float, float]] = []
    before: tuple[float, float] | None = None
    for at, count in _column(samples, "committed"):
        if before is None or at - before[0] >= 1:
            if before is not None:
                points.append((at, (count - before[1]) / (at - before[0])))
            before = at, count
    return points
