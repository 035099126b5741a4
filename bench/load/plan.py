"""Which reading is which: every one is unique, and known from its connection and its number.

Connection c speaks for sensor `EQ-c`. Its reading with number n is of the instant `begin + n`
seconds and has a value that follows from c and n. So what must be stored is known without keeping
it, and a ledger is a handful of counts and the list of what was not acknowledged.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

BATCH = 100
KINDS = {"single": 1, "batch": BATCH, "mqtt": 1}
"""Kind of message -> readings in each."""
_VALUES = 90_000


class Stamps:
    """Instants of readings from `first` on as text, made once for all connections."""

    def __init__(self, begin_s: int, first: int) -> None:
        self._begin_s = begin_s
        self._first = first
        self._made: list[bytes] = []

    def __getitem__(self, number: int) -> bytes:
        at = number - self._first
        while at >= len(self._made):
            moment = self._begin_s + self._first + len(self._made)
            self._made.append(text_of(moment).encode())
        return self._made[at]


def text_of(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


VALUE_TEXTS = [b"%d.%02d" % divmod(value + 10_000, 100) for value in range(_VALUES)]
"""All of one length, so that every message of a kind has one length too."""


def value_at(connection: int, number: int) -> int:
    """Where in `VALUE_TEXTS` the value of this reading stands."""
    return (connection * 7_919 + number * 104_729) % _VALUES


def values_of(connection: int, numbers: np.ndarray) -> np.ndarray:
    places = (connection * 7_919 + numbers.astype(np.int64) * 104_729) % _VALUES
    return (places + 10_000) / 100


def sensor(connection: int) -> str:
    return f"EQ-{connection:05}"


def reading(connection: int, number: int, stamps: Stamps) -> bytes:
    return b'{"equipmentId":"EQ-%05d","value":%s,"timestamp":"%s"}' % (
        connection,
        VALUE_TEXTS[value_at(connection, number)],
        stamps[number],
    )


def batch(connection: int, first: int, stamps: Stamps) -> bytes:
    head = b'{"equipmentId":"EQ-%05d","value":' % connection
    place = value_at(connection, first)
    parts = []
    for number in range(first, first + BATCH):
        parts.append(head + VALUE_TEXTS[place] + b',"timestamp":"' + stamps[number] + b'"}')
        place = (place + 104_729) % _VALUES
    return b"[" + b",".join(parts) + b"]"
