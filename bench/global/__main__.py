"""A million sensors in three regions, and what strikes them: lag, buffers and loss.

    python bench/global     # writes docs/global/*.svg, figures.json and the tables of both pages

A model, not a run: of what was measured it takes bytes and CPU per reading. One seed, one result.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from cost import costs
from model import Trace
from pictures import Panel, panels
from scenarios import CUT_FROM_S, CUTS, FAILOVER_S, HOUR, play
from tables import tables
from texts import LANGUAGES, word

from pipewatcher.capacity.figures import measured

TOP = Path(__file__).parents[2]
FOLDER = TOP / "docs/global"
PAGES = {"en": TOP / "docs/global.md", "pt": TOP / "docs/pt/global.md"}


def drawn(figures: dict[str, Any], traces: dict[str, Trace]) -> Iterator[tuple[str, str]]:
    """File name and content."""
    for language in LANGUAGES:

        def say(name: str, language: str = language) -> str:
            return word(name, language)

        def file(name: str, language: str = language) -> str:
            return f"{name}.svg" if language == "en" else f"{name}-{language}.svg"

        for name, hours in CUTS.items():
            trace = traces[name]
            shown = [
                Panel(say("accepted"), trace.accepted_per_s),
                Panel(say("lag"), [lag / HOUR for lag in trace.lag_s]),
                Panel(say("edges"), [count / 1e6 for count in trace.edge]),
            ]
            begins = CUT_FROM_S / HOUR
            across = [at / HOUR for at in trace.at_s]
            shaded = (begins, begins + hours)
            yield file(name), panels(say(name), across, say("hours"), shown, shaded)
        for name, panel in (
            (
                "region-lost",
                Panel(say("unmirrored"), [n / 1e3 for n in traces["region-lost"].unmirrored]),
            ),
            ("herd", Panel(say("edges"), [n / 1e6 for n in traces["herd"].edge])),
        ):
            trace = traces[name]
            lag = Panel(say("lag-minutes"), [lag / 60 for lag in trace.lag_s])
            shown = [Panel(say("accepted"), trace.accepted_per_s), lag, panel]
            if name == "region-lost":
                shown.append(Panel(say("lost"), [count / 1e3 for count in trace.lost]))
            across = [at / 60 for at in trace.at_s]
            shaded = (5, 5 + FAILOVER_S / 60) if name == "region-lost" else (10, 70)
            yield file(name), panels(say(name), across, say("minutes"), shown, shaded)
        held = [float(hours) for hours, _ in figures["buffers"]]
        lost = Panel(say("lost-million"), [count / 1e6 for _, count in figures["buffers"]])
        yield file("buffers"), panels(say("buffers"), held, say("buffer"), [lost])


def with_tables(page: str, made: dict[str, list[str]]) -> str:
    """The page with what stands below each `<!-- bench/global: name -->` made anew."""

    def block(old: re.Match[str]) -> str:
        return "\n".join([old[1], "", *made[old[2]], "", ""])

    return re.sub(r"(<!-- bench/global: ([\w-]+) -->)\n\n(?:\|.*\n)*\n?", block, page)


def main() -> None:
    figures, traces = play(measured())
    figures["cost"] = costs(measured())
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    for name, picture in drawn(figures, traces):
        (FOLDER / name).write_text(picture, "utf-8")
    for language, page in PAGES.items():
        made = with_tables(page.read_text("utf-8"), tables(figures, language))
        page.write_text(made, "utf-8")


if __name__ == "__main__":
    main()
