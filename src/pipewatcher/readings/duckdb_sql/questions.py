"""The questions that run, so that a large transaction is committed while none does.

DuckDB shows rows that one transaction has inserted in whole row groups (122,880 rows) to questions
that are older than its commit, while what it deleted still stands for them: a reading that was
moved would be there twice, or an hour counted twice, in their answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

ROWS_SEEN_EARLY = 122_880 // 2
"""From so many readings on a transaction is large: each may renew two rollups."""


class Questions:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._held = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Begins once no commit waits: so a commit waits for one question's time at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def none(self) -> Iterator[None]:
        """While it lasts no question runs. For one thread at a time, that asks none itself."""
        with self._changed:
            self._held = True
            self._changed.wait_for(lambda: not self._running)
        try:
            yield
        finally:
            with self._changed:
                self._held = False
                self._changed.notify_all()
