"""The readings that every peer gets: 2,000 sensors, a month, known by their number."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

SENSORS = 2_000
DAYS = 30
DAY_S = 86_400
END_S = int(time.time()) // 3_600 * 3_600
"""Windows end here; everything is before."""
WINDOWS_S = {"24h": DAY_S, "48h": 2 * DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S}


def name(sensor: int) -> str:
    return f"EQ-{10_000 + sensor}"


def value(sensor: int, at_s: int) -> float:
    return round(20 + (sensor * 37 + at_s // 60 * 13) % 9_973 / 100, 2)


def stamp(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_csv(path: Path, every_s: int) -> int:
    """The month, all sensors every so many seconds, in the order of time; how many rows."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("equipmentId,timestamp,value\n")
        for at_s in range(END_S - DAYS * DAY_S, END_S, every_s):
            at = stamp(at_s)
            file.writelines(f"{name(n)},{at},{value(n, at_s):.2f}\n" for n in range(SENSORS))
            rows += SENSORS
    return rows


def late(readings: int, every_s: int) -> Iterator[tuple[str, int, float]]:
    """Of random sensors and instants of the month, between those of the file: sensor, seconds."""
    random = np.random.default_rng(7)
    steps = DAYS * DAY_S // every_s
    sensors = random.integers(0, SENSORS, readings).tolist()
    instants = random.integers(0, steps, readings).tolist()
    for number, (sensor, step) in enumerate(zip(sensors, instants, strict=True)):
        at_s = END_S - DAYS * DAY_S + step * every_s + 1 + number % (every_s - 1)
        yield name(sensor), at_s, value(sensor, at_s)
