"""Faults over all set-ups and doors, and the table of them as Markdown.

    python bench/faults.py             a few minutes: what one machine does before a release
    python bench/faults.py --long      N faults in all, in runs of ten, on each set-up in turn
    python bench/faults.py --long --faults 500 --set-ups embedded,broker

Ends with 1 at the first fault that lost, doubled or changed something, and says how to repeat it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from faults.kinds_of_servers import KINDS
from faults.run import Report, run
from faults.setups import SET_UPS

PER_RUN = 10
SHORT = 30
LONG = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help=f"{LONG} faults instead of {SHORT}.")
    parser.add_argument("--faults", type=int, help="So many, instead.")
    parser.add_argument("--set-ups", default=",".join(SET_UPS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Begin no run later.")
    told = parser.parse_args()
    wanted = told.faults or (LONG if told.long else SHORT)
    reports: list[Report] = []
    began = time.monotonic()
    try:
        while sum(report.faults.total() for report in reports) < wanted:
            if time.monotonic() - began > told.minutes * 60:
                break
            names = told.set_ups.split(",")
            reports.append(_one(names[len(reports) % len(names)], told.seed + len(reports)))
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        print("\n".join(_table(reports)))
    return 0


def _one(set_up: str, seed: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(set_up, seed, PER_RUN, Path(folder)))
    print(f"{set_up}, seed {seed}: {dict(report.faults)}", file=sys.stderr, flush=True)
    return report


def _table(reports: list[Report]) -> list[str]:
    set_ups = [name for name in SET_UPS if any(report.set_up == name for report in reports)]
    faults = {name: Counter[str]() for name in set_ups}
    acknowledged = {name: Counter[str]() for name in set_ups}
    slowest: dict[str, float] = {}
    for report in reports:
        faults[report.set_up] += report.faults
        acknowledged[report.set_up] += report.acknowledged
        for kind, seconds in report.slowest.items():
            slowest[kind] = max(seconds, slowest.get(kind, 0))
    lines = [
        _row("fault", *set_ups, "all doors answer within"),
        _row(*["---"] * (len(set_ups) + 2)),
    ]
    for kind in KINDS:
        if kind in slowest:
            counts = [str(faults[name][kind] or "–") for name in set_ups]
            lines.append(_row(kind, *counts, f"{slowest[kind]:.1f} s"))
    totals = [str(faults[name].total()) for name in set_ups]
    lines.append(_row("**in all**", *totals, f"{max(slowest.values(), default=0):.1f} s"))
    doors = sorted({door for counts in acknowledged.values() for door in counts})
    lines += [
        _row(f"acknowledged: {door}", *(str(acknowledged[name][door]) for name in set_ups), "")
        for door in doors
    ]
    for text, of in (
        ("readings compared", lambda report: report.compared),
        ("tries without an answer", lambda report: report.unanswered),
    ):
        sums = (sum(of(r) for r in reports if r.set_up == name) for name in set_ups)
        lines.append(_row(text, *map(str, sums), ""))
    return lines


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
