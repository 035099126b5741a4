"""How often somebody may be wrong while signing in, without locking anybody else out.

Failures are counted for an address and a name together, and more of them for an address alone: who
guesses at a name from elsewhere does not keep its owner out. A browser that has signed in before
is not counted at all; it goes its own way (`identity.people.known_browser`).
"""

from __future__ import annotations

import time
from collections import deque

from pipewatcher.errors import TooManyRequests

WINDOW_S = 60.0
NAME_FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 100
COUNTED_MAX = 20_000
"""Addresses and pairs that are remembered; the oldest is forgotten first."""


class SignInLimit:
    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], deque[float]] = {}

    def check(self, address: str, name: str = "") -> None:
        """Raises `TooManyRequests`. Without a name only the address counts."""
        limits = {(address, name): NAME_FAILURES_MAX, (address, ""): ADDRESS_FAILURES_MAX}
        for key, most in limits.items():
            failures = self._failures.get(key)
            if failures is None:
                continue
            while failures and failures[0] < time.monotonic() - WINDOW_S:
                failures.popleft()
            if len(failures) >= most:
                raise TooManyRequests

    def failed(self, address: str, name: str = "") -> None:
        for key in {(address, name), (address, "")}:
            if key not in self._failures and len(self._failures) >= COUNTED_MAX:
                self._failures.pop(next(iter(self._failures)))
            self._failures.setdefault(key, deque(maxlen=ADDRESS_FAILURES_MAX)).append(
                time.monotonic()
            )
