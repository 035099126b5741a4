"""The standings, from the figures of a race: `README.md` and `index.html`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import BUSY_SHARE
from month import WINDOWS_S
from pages import Page

Figures = dict[str, Any]


@dataclass(frozen=True)
class Row:
    title: str
    of: Callable[[Figures], float]
    more_is_better: bool
    shown: str = ",.0f"


def _mean_over(window: str) -> Callable[[Figures], float]:
    def of(peer: Figures) -> float:
        took_ms: float = peer["means"][window]
        return took_ms

    return of


ROWS = (
    Row("Single readings/s, 64 connections", lambda p: p["single"]["per_s"], True),
    Row("their p99, ms", lambda p: p["single"]["p99_ms"], False, ",.1f"),
    Row("Readings/s in batches of 1,000, 16 connections", lambda p: p["batch"]["per_s"], True),
    Row("CSV rows/s, from upload until all are stored", lambda p: p["csv_per_s"], True),
    *(
        Row(f"Means of 2,000 sensors over {window}, ms", _mean_over(window), False)
        for window in WINDOWS_S
    ),
    Row("Bytes per reading, after the import", lambda p: p["bytes_per_reading"], False, ",.1f"),
    Row("Late readings/s, anywhere in the month", lambda p: p["late_per_s"], True),
    Row("Means over 24h beside ingest, p50 ms", lambda p: p["beside"]["p50_ms"], False),
    Row("the same, p99 ms", lambda p: p["beside"]["p99_ms"], False),
    Row("readings/s taken meanwhile, of 20,000", lambda p: p["beside"]["per_s"], True),
    Row("Most memory, MB", lambda p: p["peak_mb"], False),
)
OURS = "PipeWatcher"
WHY = (
    "**Why a peer wins where it does.** Whoever answers before the disk has it (VictoriaMetrics, "
    "QuestDB) has no fdatasync in the way of a single reading or a late batch: kill -9 or a power "
    "cut takes what it had answered. Line protocol is cheaper to read than JSON, and its instants "
    "are numbers. PipeWatcher's receipt for a batch or a CSV says which items were refused and "
    "why, and tells new from corrected; its means carry coverage, gaps and a time-weighted mean. "
    "SQLite's row is larger and its mean reads every row, but nothing has to start or to be "
    "folded: on little data it is hard to beat. What is printed is what was measured; where "
    "PipeWatcher is behind, that is work to do."
)


def compare_answers(peers: list[Figures]) -> None:
    """Replaces each peer's means over 30 days by their greatest difference to the first peer's."""
    all_answers = [peer.pop("answers") for peer in peers]
    for peer, answers in zip(peers, all_answers, strict=True):
        first = all_answers[0]
        peer["differs_by"] = max(abs(answers[sensor] - mean) for sensor, mean in first.items())


def write(found: Figures, folder: Path) -> None:
    page = Page("The race")
    peers, before, machine = found["peers"], found["before"], found["machine"]
    busiest = max(peer["others"] + peer["stolen"] for peer in peers)
    if max(busiest, before["others"] + before["stolen"]) > BUSY_SHARE:
        page.text(
            "**The machine was busy with other work**: ratios are rough, figures too low. Run it "
            "again on a quiet machine before you quote it."
        )
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    shares = ", ".join(f"{p['name']} {p['others'] + p['stolen']:.0%}" for p in peers)
    facts = {
        "Command": f"`{found['command']}`, {found['when']}, took {found['took_s'] / 60:.0f} "
        f"minutes; {found['rows']:,} readings of a month; wrk for {found['seconds']:g} s each.",
        "Machine": f"{machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']:g} GB, Linux {machine['kernel']}; {machine['disk']}.",
        "Cores": f"each peer alone on {found['cores']['peer']}, wrk and clients on "
        f"{found['cores']['others']}.",
        "Others on the machine": f"load average before {before['load_1']:.2f}; share of all cores' "
        f"time that went to others: {before['others'] + before['stolen']:.0%} before, {shares}.",
        "Versions": f"{versions}.",
    }
    page.points([f"**{name}**: {text}" for name, text in facts.items()])
    page.heading("Standings")
    page.text("The best of each row is bold; in brackets PipeWatcher's advantage (× > 1: ours).")
    page.table(["", *(peer["name"] for peer in peers)], [_row(row, peers) for row in ROWS])
    page.heading("What an answer means")
    page.table(
        [
            "Peer",
            "A write was answered, so it is",
            "To know",
            "Answered, not stored",
            "Mean differs",
        ],
        [
            [p["name"], p["promise"], p["notes"], f"{p['not_stored']:,}", f"{p['differs_by']:.1g}"]
            for p in peers
        ],
    )
    absent = [f"{name}: {why}" for name, why in found["absent"].items()]
    if absent:
        page.text(f"Left out: {'; '.join(absent)}.")
    page.text(WHY)
    (folder / "README.md").write_text(page.markdown(), "utf-8")
    (folder / "index.html").write_text(page.html(), "utf-8")


def _row(row: Row, peers: list[Figures]) -> list[str]:
    values = [row.of(peer) for peer in peers]
    best = max(values) if row.more_is_better else min(values)
    ours = next((v for v, p in zip(values, peers, strict=True) if p["name"] == OURS), None)
    cells = [row.title]
    for value, peer in zip(values, peers, strict=True):
        shown = f"{value:{row.shown}}"
        cell = f"**{shown}**" if value == best else shown
        if ours is not None and peer["name"] != OURS and value and ours:
            ratio = ours / value if row.more_is_better else value / ours
            cell += f" ({ratio:.2g} ×)"
        cells.append(cell)
    return cells
