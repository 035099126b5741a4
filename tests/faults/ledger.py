"""What was acknowledged, and what nobody answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]
"""Sensor and instant."""


class Ledger:
    """A reading without an answer is sent again, the same, until there is one; then its key is
    `spent`: the earlier try may still be under way, and what is written last wins."""

    def __init__(self) -> None:
        self.acknowledged: dict[Key, float] = {}
        self.uncertain: dict[Key, set[float]] = defaultdict(set)
        self.spent: set[Key] = set()
        self.by_door: Counter[str] = Counter()
        self.by_sensor: Counter[str] = Counter()

    def sent(self, readings: Iterable[tuple[Key, float]]) -> None:
        for key, value in readings:
            self.uncertain[key].add(value)

    def unanswered(self, readings: Iterable[tuple[Key, float]]) -> None:
        self.spent.update(key for key, _ in readings)

    def acked(self, door: str, readings: Iterable[tuple[Key, float]]) -> None:
        for key, value in readings:
            self.acknowledged[key] = value
            self.uncertain[key].clear()
            self.by_door[door] += 1
            self.by_sensor[key[0]] += 1

    def took_back(self, sensor: str, live: Mapping[str, float]) -> None:
        """An import that had all readings of `sensor`, over `live` ones."""
        for name, instant in list(self.acknowledged):
            if name == sensor:
                del self.acknowledged[name, instant]
        self.acknowledged |= {(sensor, instant): value for instant, value in live.items()}

    def sensors(self) -> set[str]:
        return {sensor for sensor, _ in self.uncertain}

    def of(self, sensor: str) -> dict[str, set[float]]:
        """Each instant's values that may stand; where nothing was acknowledged, none may too."""
        return {
            instant: pending | {self.acknowledged[sensor, instant]}
            if (sensor, instant) in self.acknowledged
            else set(pending)
            for (name, instant), pending in self.uncertain.items()
            if name == sensor
        }
