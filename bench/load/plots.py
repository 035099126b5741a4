"""Plots as SVG, by hand: lines over time, and ranges of latency by scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 960, 250
APART_S = 5.0
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 30, 28
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b", "#555555")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:14px}"
    ".grid{stroke:#ddd;stroke-width:1}.axis{fill:#555}.phase{fill:#f4f6f8}"
    "polyline{fill:none;stroke-width:1.5}"
)


def over_time(
    title: str,
    lines: Mapping[str, Points],
    *,
    unit: str,
    log: bool = False,
    phases: Sequence[tuple[float, float]] = (),
    until_s: float = 0.0,
) -> str:
    """`lines`: name -> points of (seconds, value), not joined over more than `APART_S`; every
    second of `phases` is shaded; the axis reaches at least `until_s`."""
    values = [y for points in lines.values() for _, y in points if not log or y > 0]
    last = max([until_s, *(x for points in lines.values() for x, _ in points)]) or 1.0
    scale, marks = _scale(values, log=log, length=HEIGHT - TOP - BOTTOM)
    across = (WIDTH - LEFT - RIGHT) / max(last, 1e-9)
    parts = [_text(LEFT, 18, f"{title} ({unit})", "title")]
    for begin, end in phases[::2]:
        parts.append(
            f'<rect class="phase" x="{LEFT + begin * across:.1f}" y="{TOP}" '
            f'width="{max(0.0, end - begin) * across:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
        )
    bottom = HEIGHT - BOTTOM
    for mark in marks:
        y = bottom - scale(mark)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y))
        parts.append(_text(LEFT - 6, y + 4, _short(mark), "axis", "end"))
    parts += [
        _text(LEFT + second * across, HEIGHT - 8, f"{second:g} s", "axis", "middle")
        for second in _steps(last)
    ]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        for run in _runs([(x, y) for x, y in points if not log or y > 0]):
            drawn = " ".join(f"{LEFT + x * across:.1f},{bottom - scale(y):.1f}" for x, y in run)
            parts.append(f'<polyline stroke="{colour}" points="{drawn}"/>')
        parts.append(_key(number, name, colour))
    return _svg(HEIGHT, title, parts)


def ranges(title: str, rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]) -> str:
    """A row for each scenario, a dot for each quantile, in ms on a logarithmic axis."""
    height = TOP + BOTTOM + 22 * len(rows)
    left, length = 250, WIDTH - 250 - RIGHT
    scale, marks = _scale([v for _, row in rows for v in row if v > 0], log=True, length=length)
    parts = [_text(10, 18, f"{title} (ms)", "title")]
    for mark in marks:
        x = left + scale(mark)
        parts.append(_line(x, TOP, x, height - BOTTOM))
        parts.append(_text(x, height - 8, _short(mark), "axis", "middle"))
    for at, (label, row) in enumerate(rows):
        y = TOP + 22 * at + 11
        parts.append(_text(left - 8, y + 4, label, "", "end"))
        places = [left + scale(value) for value in row if value > 0]
        if places:
            parts.append(f'<path d="M{places[0]:.1f} {y}H{places[-1]:.1f}" stroke="#999"/>')
        for number, x in enumerate(places):
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{COLOURS[number]}"/>')
    parts += [_key(number, name, COLOURS[number]) for number, name in enumerate(names)]
    return _svg(height, title, parts)


def _runs(points: Points) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = []
    for x, y in points:
        if not runs or x - runs[-1][-1][0] > APART_S:
            runs.append([])
        runs[-1].append((x, y))
    return runs


def _scale(
    values: Sequence[float], *, log: bool, length: float
) -> tuple[Callable[[float], float], list[float]]:
    """From a value to its distance from the axis' begin, and where marks stand."""
    most = max(values, default=1.0) or 1.0
    if not log:
        step = 10 ** math.floor(math.log10(most)) / 2
        while most / step > 6:
            step *= 2
        top = math.ceil(most / step) * step
        return (lambda value: value / top * length), [
            step * n for n in range(round(top / step) + 1)
        ]
    low = math.floor(math.log10(min(values, default=0.1)))
    high = max(low + 1, math.ceil(math.log10(most)))
    marks = [10.0**power for power in range(low, high + 1)]
    return (lambda value: (math.log10(value) - low) / (high - low) * length), marks


def _steps(last: float) -> list[float]:
    step = next(s for s in (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 7_200) if last / s <= 12)
    return [step * n for n in range(int(last / step) + 1)]


def _short(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _key(number: int, name: str, colour: str) -> str:
    x, y = WIDTH - RIGHT + 14, TOP + 10 + 18 * number
    return f'<rect x="{x}" y="{y - 8}" width="12" height="3" fill="{colour}"/>' + _text(
        x + 18, y - 2, name
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="grid" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
