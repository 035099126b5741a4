"""The appends that become durable together: gathered in the order of the calls, then encoded."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from pipewatcher.commit_log.group_format import batch_of_readings, encode_batch, encode_group
from pipewatcher.model.readings import Batch, Position
from pipewatcher.model.time import Micros

GROUP_READINGS_MAX = 65_536
GROUP_BYTES_MAX = 2**20
"""A group takes no further append once it is past one of these, so that its commit stays short;
one append larger than that is a group of its own."""

Append: TypeAlias = asyncio.Future[Position]
Single: TypeAlias = tuple[Append, str, Micros, float, str]
Whole: TypeAlias = tuple[Append, Batch]


class Group:
    def __init__(self) -> None:
        self.appends: list[Append] = []
        self.refused: list[tuple[Append, Exception]] = []
        """Appends that cannot be encoded: their own fault, which their neighbours do not share."""
        self.readings = 0
        self._encoded: list[bytes] = []
        self._bytes = 0
        self._singles: list[Single] = []

    @property
    def full(self) -> bool:
        return (
            self.readings + len(self._singles) >= GROUP_READINGS_MAX
            or self._bytes >= GROUP_BYTES_MAX
        )

    def add(self, append: Single | Whole) -> None:
        if len(append) == 5:
            self._singles.append(append)
            return
        self._end_singles()
        future, batch = append
        self._add([future], batch)

    def encode(self) -> bytes:
        """The group's row; the group is complete then."""
        self._end_singles()
        return encode_group(self._encoded, self.readings)

    def _end_singles(self) -> None:
        """Turns neighbours that came one by one into one batch."""
        singles, self._singles = self._singles, []
        if not singles:
            return
        try:
            futures, *columns = zip(*singles, strict=True)
            self._add(list(futures), batch_of_readings(*columns))
        except (ValueError, TypeError, OverflowError) as error:
            if len(singles) == 1:
                self.refused.append((singles[0][0], error))
                return
            for single in singles:
                self._singles = [single]
                self._end_singles()

    def _add(self, futures: list[Append], batch: Batch) -> None:
        try:
            encoded = encode_batch(batch)
        except ValueError as error:
            if len(futures) > 1:
                raise
            self.refused.append((futures[0], error))
            return
        self.appends += futures
        self.readings += len(batch)
        self._encoded.append(encoded)
        self._bytes += len(encoded)
