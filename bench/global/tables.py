"""The tables of the pages, in a language: each line of them as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scenarios import CUTS, HOUR, INTERVAL_S, REGIONS, SENSORS
from texts import lasted, local, whole, word

Figures = dict[str, Any]
Row = tuple[str, ...]


def cost(figures: Figures, language: str) -> Iterator[Row]:
    for row in figures["cost"]:
        amount = local(f"{row['amount']:,.{1 if row['amount'] < 100 else 0}f}", language)
        price = "–" if row["price"] is None else local(f"{row['price']:.2f}", language)
        month = "–" if row["month"] is None else whole(row["month"], language)
        yield word(row["name"], language), f"{amount} {row['unit']}".strip(), price, month
    total = sum(row["month"] or 0 for row in figures["cost"])
    yield word("q-sum", language), "", "", f"**{whole(total, language)}**"


def cuts(figures: Figures, language: str) -> Iterator[Row]:
    for name, hours in CUTS.items():
        found = figures[name]
        yield (
            f"{hours} h",
            lasted(found["fullest_edge_s"], language),
            f"{whole(found['accepted_max_per_s'], language)}/s",
            lasted(found["caught_up_s"], language),
            whole(found["lost"], language),
        )


def region_lost(figures: Figures, language: str) -> Iterator[Row]:
    for setting, found in figures["region-lost"].items():
        headroom, again_s = setting.split(", ")
        again = f"{word('the last', language)} {lasted(float(again_s), language)}"
        yield (
            local(headroom, language) + " ×",
            word("nothing", language) if again_s == "0" else again,
            lasted(found["lag_max_s"], language),
            lasted(found["caught_up_s"], language),
            whole(found["lost"], language),
        )


def herd(figures: Figures, language: str) -> Iterator[Row]:
    for headroom, found in figures["herd"].items():
        yield (
            local(headroom, language) + " ×",
            f"{whole(found['accepted_max_per_s'], language)}/s",
            lasted(found["caught_up_s"], language),
            whole(found["lost"], language),
        )


def buffers(figures: Figures, language: str) -> Iterator[Row]:
    of_cut = SENSORS / INTERVAL_S / REGIONS * 72 * HOUR
    for hours, count in figures["buffers"]:
        share = local(f"{100 * count / of_cut:.1f}", language)
        yield f"{hours} h", whole(count, language), f"{share} %"


TABLES: dict[str, tuple[Callable[[Figures, str], Iterable[Row]], Row]] = {
    "cost": (cost, ("h-quantity", "h-amount", "h-price", "h-month")),
    "cuts": (cuts, ("h-cut", "h-fullest", "h-accepted", "h-caught", "h-lost")),
    "region-lost": (region_lost, ("h-headroom", "h-again", "h-lag", "h-caught", "h-lost")),
    "herd": (herd, ("h-headroom", "h-accepted", "h-caught", "h-lost")),
    "buffers": (buffers, ("h-buffer", "h-lost", "h-share")),
}


def tables(figures: Figures, language: str) -> dict[str, list[str]]:
    """By their names in the pages."""
    made = {}
    for name, (rows, heads) in TABLES.items():
        lines = [[word(head, language) for head in heads], ["---"] * len(heads)]
        lines += map(list, rows(figures, language))
        made[name] = ["| " + " | ".join(line) + " |" for line in lines]
    return made
