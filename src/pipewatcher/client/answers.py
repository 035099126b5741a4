"""What an answer of the server means for the readings that were sent."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from pipewatcher.client.buffers import Numbered
from pipewatcher.client.errors import RequestRefused, Unreachable
from pipewatcher.client.readings import Refused

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
RETRY_AFTER_MAX_S = 300.0
"""A server cannot silence a client for longer."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Rejection(msgspec.Struct):
    index: int = 0
    field: str = ""
    reason: str = ""
    code: str = "invalid_reading"


class _Body(msgspec.Struct):
    code: str = ""
    detail: str = ""
    rejected: int = 0
    errors: list[_Rejection] = []


class Taken(msgspec.Struct, frozen=True):
    """What became of a batch: all but the refused ones below `up_to` are durable."""

    up_to: int
    """The number after the last reading of which the answer tells."""
    refused: list[Refused]


def taken(response: httpx.Response, batch: Sequence[Numbered]) -> Taken:
    """Raises `Unreachable` or `RequestRefused`."""
    if response.status_code in {200, 204}:
        return Taken(batch[-1][0] + 1, [])
    body = _body_of(response)
    named = [error for error in body.errors if 0 <= error.index < len(batch)]
    if response.status_code in {207, 422} and body.rejected and named:
        return _judged(named, body.rejected, batch)
    raise failure(response)


def _judged(named: Sequence[_Rejection], rejected: int, batch: Sequence[Numbered]) -> Taken:
    refused = []
    for error in named:
        number, reading = batch[error.index]
        refused.append(
            Refused(
                row=number,
                field=error.field,
                reason=error.reason,
                code=error.code,
                equipment_id=reading.equipment_id,
                value=reading.value,
                at=reading.at,
            )
        )
    if len(refused) < rejected:
        # An answer names the first hundred: what follows the last of them is sent again.
        return Taken(max(one.row for one in refused) + 1, refused)
    return Taken(batch[-1][0] + 1, refused)


def failure(response: httpx.Response) -> Unreachable | RequestRefused:
    body = _body_of(response)
    status = response.status_code
    code, detail = body.code or response.reason_phrase, body.detail or "no details"
    if status in _AGAIN:
        wait_s = _retry_after_s(response.headers.get("retry-after"))
        return Unreachable(f"{status} {code}: {detail}", wait_s)
    return RequestRefused(status, code, detail)


def wait_s(attempt: int, retry_after_s: float | None) -> float:
    """Before the next try: what the server asked for, and more with each try; by chance, so that
    a plant's devices do not come back together."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 16))
    return (retry_after_s or 0.0) + random.uniform(longest / 2, longest)


def _body_of(response: httpx.Response) -> _Body:
    """Empty where a proxy answered with something of its own."""
    try:
        return msgspec.json.decode(response.content, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Body()


def _retry_after_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), RETRY_AFTER_MAX_S)
