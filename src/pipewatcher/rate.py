"""How often somebody may ask: a token bucket that costs a subtraction, no timer and no task."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class RateLimit:
    """`per_s` requests a second, and as many at once after a pause."""

    __slots__ = ("_at", "_clock", "_left", "per_s")

    def __init__(self, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_s = per_s
        self._clock = clock
        self._left = float(per_s)
        self._at = clock()

    def take(self) -> int:
        """Counts one request and returns 0, or refuses it: the seconds until one may come."""
        now = self._clock()
        self._left = min(self.per_s, self._left + (now - self._at) * self.per_s)
        self._at = now
        if self._left < 1:
            return math.ceil((1 - self._left) / self.per_s)
        self._left -= 1
        return 0
