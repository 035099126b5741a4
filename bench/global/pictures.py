"""Panels of lines above each other, as SVG that is read on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 860, 110, 64, 16, 44, 34
POINTS_MAX = 240
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:14px}"
    ".grid{stroke:#8884;stroke-width:1}.shade{fill:#c8553d22}.line{fill:none;stroke:#1b6ca8;"
    "stroke-width:1.8}@media(prefers-color-scheme:dark){text{fill:#ddd}.line{stroke:#6cb6ea}}"
)


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    values: Sequence[float]


def panels(
    title: str,
    across: Sequence[float],
    unit: str,
    shown: Sequence[Panel],
    shaded: tuple[float, float] | None = None,
) -> str:
    first, last = across[0], across[-1]

    def x(value: float) -> float:
        return LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    parts = [_text(LEFT, 18, title, "title")]
    for number, panel in enumerate(shown):
        top = TOP + number * (PANEL + GAP)
        parts += _panel(panel, across, x, top, shaded)
    height = TOP + len(shown) * (PANEL + GAP) + 8
    for mark in _marks(first, last, 10):
        parts.append(_text(x(mark), height - 22, f"{mark:g}", anchor="middle"))
    parts.append(_text(WIDTH - RIGHT, height - 6, unit, anchor="end"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _panel(
    panel: Panel,
    across: Sequence[float],
    x: Callable[[float], float],
    top: float,
    shaded: tuple[float, float] | None,
) -> list[str]:
    most = max(panel.values) or 1.0
    marks = _marks(0, most, 3)
    full = max(most, marks[-1])

    def y(value: float) -> float:
        return top + PANEL - value / full * (PANEL - 18)

    parts = [_text(LEFT, top + 8, panel.title)]
    if shaded is not None:
        begins, ends = shaded
        parts.append(
            f'<rect class="shade" x="{x(begins):.1f}" y="{top + 14}" '
            f'width="{x(ends) - x(begins):.1f}" height="{PANEL - 14}"/>'
        )
    for mark in marks:
        parts.append(f'<path class="grid" d="M{LEFT} {y(mark):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(_text(LEFT - 6, y(mark) + 4, f"{mark:,g}", anchor="end"))
    step = max(1, len(across) // POINTS_MAX)
    chosen = sorted({*range(0, len(across), step), len(across) - 1})
    drawn = " ".join(f"{x(across[n]):.1f},{y(panel.values[n]):.1f}" for n in chosen)
    return [*parts, f'<polyline class="line" points="{drawn}"/>']


def _marks(low: float, high: float, wanted: int) -> list[float]:
    rough = (high - low) / wanted
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough)
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
