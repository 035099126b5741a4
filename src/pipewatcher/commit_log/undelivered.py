"""What of the commit log is not in the store yet: counted as it comes and goes, never searched."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pipewatcher.ports import Backlog

MARK_INTERVAL_S = 0.1
"""How far apart the instants are that are kept: the age's error, and a bound on its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Entries `[first, end)` and what they hold; `since` is when the first was committed."""

    first: int
    end: int
    readings: int = 0
    bytes: int = 0
    since: float = 0.0


class Undelivered:
    """Of the event loop's thread only."""

    def __init__(self, span: Span) -> None:
        self.first = span.first
        """Everything before it is stored."""
        self.end = span.end
        self._readings = span.readings
        self._bytes = span.bytes
        self._marks: deque[tuple[int, float]] = deque()
        self._acked: dict[int, Span] = {}
        if span.end > span.first:
            self._marks.append((span.first, span.since))

    def committed(self, span: Span) -> None:
        self.end = span.end
        self._readings += span.readings
        self._bytes += span.bytes
        if not self._marks or not 0 <= span.since - self._marks[-1][1] < MARK_INTERVAL_S:
            self._marks.append((span.first, span.since))

    def acked(self, span: Span) -> None:
        """Spans may be acked in any order; `first` moves on only over what has no hole."""
        self._acked[span.first] = span
        while (stored := self._acked.pop(self.first, None)) is not None:
            self._readings -= stored.readings
            self._bytes -= stored.bytes
            self._move(stored.end)

    def backlog(self, now: float) -> Backlog:
        age = now - self._marks[0][1] if self._marks else 0.0
        return Backlog(readings=self._readings, bytes=self._bytes, oldest_age_s=max(0.0, age))

    def _move(self, first: int) -> None:
        self.first = first
        if first >= self.end:
            self._marks.clear()
        while len(self._marks) > 1 and self._marks[1][0] <= first:
            self._marks.popleft()
