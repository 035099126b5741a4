"""Memory that was freed goes back to the system, so that the process shrinks after a load, and is
looked for only now and then."""

from __future__ import annotations

import ctypes
import gc

import pyarrow as pa

ARENAS_MAX = 2
"""Heaps that threads share: each keeps what it once needed (measured over an import: 90 MB)."""
KEPT_FREE_BYTES = 2**20
OBJECTS_BEFORE_COLLECTION = 100_000
"""A delivery from Kafka is tens of thousands of objects that die together: at Python's 700 the
collector looked at them over and over, for a fifth of the writer's time."""
_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8  # both of <malloc.h>


def give_back_freed_memory() -> None:
    """Call it before threads are started. Other C libraries than glibc go their own ways."""
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS_MAX)
        mallopt(_M_TRIM_THRESHOLD, KEPT_FREE_BYTES)


def collect_rarely() -> None:
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, 10, 10)
