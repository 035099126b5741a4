"""Spans of time as people write them: `60s`, `5m`, `1h`, `90d`, `5y`."""

from __future__ import annotations

import math
import re

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "y": 365 * 86_400.0}
SPAN_MAX_S = 200 * SECONDS["y"]


def parse_span(text: str) -> float:
    """Seconds. A year has 365 days, `m` is minutes. Raises `ValueError`, saying what is wrong."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", text.strip())
    if found is None or found[2] not in SECONDS:
        raise ValueError(
            f"{text!r} is no span of time: a number and one of {', '.join(SECONDS)},"
            " as 60s, 5m, 1h, 90d or 5y"
        )
    seconds = float(found[1]) * SECONDS[found[2]]
    if not 0 < seconds <= SPAN_MAX_S:
        raise ValueError(f"{text!r} must be more than nothing and at most 200y")
    return seconds


def span(seconds: float) -> str:
    """In the largest unit of which it has at least one, with two digits that count."""
    for name in ("y", "d", "h", "m", "s"):
        if seconds >= SECONDS[name]:
            return f"{_short(seconds / SECONDS[name])} {name}"
    return f"{_short(seconds / SECONDS['ms'])} ms"


def size(count: float) -> str:
    """Bytes in powers of ten."""
    for name, one in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{_short(count / one)} {name}"
    return f"{_short(count / 1e3)} kB"


def number(count: float) -> str:
    for name, one in ((" billion", 1e9), (" million", 1e6)):
        if count >= one:
            return f"{_short(count / one)}{name}"
    return f"{count:,.0f}" if count >= 10 else _short(count)


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    digits = max(0, 1 - math.floor(math.log10(value))) if value > 0 else 0
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
