"""Why a gap came to be, where that can be known."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from pipewatcher.model.gaps import Downtime, GapCause
from pipewatcher.model.time import MINUTE, Micros

SENDERS_BACK: Micros = MINUTE
"""How long after a downtime senders may take to connect again."""


def cause_of(
    downtimes: Sequence[Downtime], start: Micros, end: Micros, cadence: Micros
) -> GapCause | None:
    """`downtime` when nothing is missing but what was due while we were away, and until the senders
    were back. Downtimes with nothing due between them are one."""
    first = start + cadence
    at = bisect.bisect_right(downtimes, first, key=lambda downtime: downtime.start) - 1
    if at < 0:
        return None
    back = downtimes[at].end
    for later in downtimes[at + 1 :]:
        if later.start > back + cadence + SENDERS_BACK:
            break
        back = later.end
    return "downtime" if end - cadence <= back + SENDERS_BACK else None
