"""Where readings wait until they are stored. Each has a number, counted from 0 and never given
twice; they leave in the order of their numbers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol, TypeAlias

from pipewatcher.client.errors import BufferFull
from pipewatcher.client.readings import Reading

Numbered: TypeAlias = tuple[int, Reading]


class Buffer(Protocol):
    """Used by the writers' threads and the sender's at the same time."""

    lasting: bool
    """Whether readings outlive the process."""

    def add(self, readings: Sequence[Reading]) -> None:
        """All of them or none. Raises `BufferFull`."""
        ...

    def oldest(self, count: int) -> list[Numbered]: ...

    def remove(self, up_to: int) -> None:
        """Those with numbers below."""
        ...

    def next_number(self) -> int:
        """All in it have smaller ones."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None: ...


class MemoryBuffer:
    lasting = False

    def __init__(self, readings_max: int) -> None:
        self._readings_max = readings_max
        self._readings: deque[Reading] = deque()
        self._first = 0
        self._lock = threading.Lock()

    def add(self, readings: Sequence[Reading]) -> None:
        with self._lock:
            if len(self._readings) + len(readings) > self._readings_max:
                raise BufferFull
            self._readings.extend(readings)

    def oldest(self, count: int) -> list[Numbered]:
        with self._lock:
            return list(enumerate(islice(self._readings, count), self._first))

    def remove(self, up_to: int) -> None:
        with self._lock:
            while self._readings and self._first < up_to:
                self._readings.popleft()
                self._first += 1

    def next_number(self) -> int:
        with self._lock:
            return self._first + len(self._readings)

    def __len__(self) -> int:
        return len(self._readings)

    def close(self) -> None:
        """Nothing is held but memory."""
