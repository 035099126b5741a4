"""Faults over all set-ups and doors, appended run by run to bench/faults.jsonl.

    python bench/faults.py             a few minutes: what one machine does before a release
    python bench/faults.py --long      until there are 500 in the file, and 10 of each kind
    python bench/faults.py --tables    write what is in the file into docs/reliability.md, also pt

Each run has the kinds that were least in its set-up so far. A long run goes on where another was
ended; several may run at a time (--set-ups). Ends with 1 when something was lost, doubled or
changed, or did not answer, and says how to repeat it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from faults.every_kind import KINDS
from faults.run import run
from faults.setups import SET_UPS
from faults.words import PORTUGUESE

Run: TypeAlias = dict[str, Any]
"""A line of the file: a `Report`, or `failed` with what was wrong."""

TOP = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("faults.jsonl")
PER_RUN = 12
SHORT = 36
LONG = 500
OF_EACH_KIND = 10
PAGES = {"docs/reliability.md": False, "docs/pt/reliability.md": True}
BEGIN, END = "<!-- bench/faults.py --tables: begin -->", "<!-- end -->"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--set-ups", default=",".join(SET_UPS), help="Of these, in turn.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Begin no run later.")
    told = parser.parse_args()
    if told.tables:
        _write_tables(_runs(told.results))
        return 0
    until = time.monotonic() + told.minutes * 60
    names = told.set_ups.split(",")
    failed, made = 0, 0
    while time.monotonic() < until:
        before = _runs(told.results)
        if _is_long_enough(before) if told.long else made >= SHORT:
            break
        set_up = min(names, key=lambda name: _faults(before, name).total())
        result = _one(set_up, before)
        made += PER_RUN
        failed += "failed" in result
        with told.results.open("a") as file:
            file.write(json.dumps(result) + "\n")
    print("\n".join(_table(_runs(told.results), portuguese=False)))
    return 1 if failed else 0


def _one(set_up: str, before: list[Run]) -> Run:
    seed = 1 + max((one["seed"] for one in before if one["set_up"] == set_up), default=0)
    told = {"set_up": set_up, "seed": seed, "revision": _revision()}
    only = "|".join(_least(set_up, before))
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = asyncio.run(run(set_up, seed, PER_RUN, Path(folder), only))
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr, flush=True)
        return {**told, "failed": str(error)}
    return {**vars(report), **told, "seconds": round(time.monotonic() - began)}


def _least(set_up: str, before: list[Run]) -> list[str]:
    """Kinds that were had least, anywhere and then here."""
    anywhere, here = _faults(before), _faults(before, set_up)
    possible = [name for name, kind in KINDS.items() if set_up in kind.set_ups]
    enough = {name: min(anywhere[name], OF_EACH_KIND) for name in possible}
    return sorted(possible, key=lambda name: (enough[name], here[name]))[:PER_RUN]


def _is_long_enough(runs: list[Run]) -> bool:
    counts = _faults(runs)
    return counts.total() >= LONG and all(counts[kind] >= OF_EACH_KIND for kind in KINDS)


def _runs(results: Path) -> list[Run]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines()]


def _passed(runs: list[Run], set_up: str | None = None) -> list[Run]:
    return [r for r in runs if "failed" not in r and set_up in {None, r["set_up"]}]


def _faults(runs: list[Run], set_up: str | None = None) -> Counter[str]:
    return sum((Counter(one["faults"]) for one in _passed(runs, set_up)), Counter())


def _revision() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True)
    return told.stdout.strip()


def _write_tables(runs: list[Run]) -> None:
    for name, portuguese in PAGES.items():
        page = TOP / name
        before, _, rest = page.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        table = "\n".join(_table(runs, portuguese=portuguese))
        page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


def _table(runs: list[Run], *, portuguese: bool) -> list[str]:
    set_ups = [name for name in SET_UPS if _passed(runs, name)]
    faults = {name: _faults(runs, name) for name in set_ups}
    slowest: dict[str, float] = {}
    for passed in _passed(runs):
        for kind, seconds in passed["slowest"].items():
            slowest[kind] = max(seconds, slowest.get(kind, 0))
    fault, answers, in_all, acknowledged, others = _WORDS[portuguese]

    def word(name: str) -> str:
        return PORTUGUESE[name] if portuguese else name

    def seconds_of(value: float) -> str:
        return f"{value:.1f} s".replace(".", "," if portuguese else ".")

    lines = [_row(fault, *set_ups, answers), _row(*["---"] * (len(set_ups) + 2))]
    for kind in sorted(slowest, key=list(KINDS).index):
        counts = [str(faults[name][kind] or "–") for name in set_ups]
        lines.append(_row(word(kind), *counts, seconds_of(slowest[kind])))
    totals = [str(faults[name].total()) for name in set_ups]
    lines.append(_row(f"**{in_all}**", *totals, seconds_of(max(slowest.values(), default=0))))
    by_door = {
        name: sum((Counter(r["acknowledged"]) for r in _passed(runs, name)), Counter())
        for name in set_ups
    }
    for door in sorted({door for counts in by_door.values() for door in counts}):
        counts = [str(by_door[name][door]) for name in set_ups]
        lines.append(_row(f"{acknowledged}: {word(door)}", *counts, ""))
    for text, member in zip(others, ("compared", "unanswered"), strict=False):
        sums = [str(sum(r[member] for r in _passed(runs, name))) for name in set_ups]
        lines.append(_row(text, *sums, ""))
    failed = [str(sum(r["set_up"] == name for r in runs if "failed" in r)) for name in set_ups]
    lines.append(_row(f"**{others[-1]}**", *failed, ""))
    return lines


_WORDS = {
    False: (
        "fault",
        "all doors answer within",
        "in all",
        "acknowledged",
        ("readings compared", "tries without an answer", "runs that found something wrong"),
    ),
    True: (
        "falha",
        "todas as portas respondem em até",
        "ao todo",
        "confirmadas",
        ("leituras comparadas", "tentativas sem resposta", "execuções que acharam algo errado"),
    ),
}


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
