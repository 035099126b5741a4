"""Many random histories against the brute-force oracle of the tests: gaps, coverage, both means,
versions, receipts and the balance sheet, after live writes, imports, dry runs, undos, cadence
changes, folds and restarts in any order. The tests run some dozens; this is the long run.

    python bench/trust_histories.py --sequences 2000

Ends with status 1 and the shortest history that it found wrong. `--seed` repeats a run.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "unit"))

from test_readings_histories import Rehearsed, Step, live_through, steps


def kind_of(step: Step) -> str:
    if isinstance(step, Rehearsed):
        return "dry runs"
    if isinstance(step, dict):
        return "cadence changes"
    if isinstance(step, str):
        return {"fold": "folds", "restart": "restarts", "recluster": "reclusterings"}.get(
            step, "undos"
        )
    return "imports" if step[0].origin.startswith("import:") else "live batches"


def main() -> None:
    arguments = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    arguments.add_argument("--sequences", type=int, default=2_000)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    wanted = arguments.parse_args()
    lived: Counter[str] = Counter()

    @seed(wanted.seed)
    @settings(
        max_examples=wanted.sequences,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(history=steps)
    def run(history: list[Step]) -> None:
        asyncio.run(live_through(history))
        lived["sequences"] += 1
        lived.update(kind_of(step) for step in history)
        if lived["sequences"] % 100 == 0:
            print(f"{lived['sequences']:,} sequences are as they should be", flush=True)

    began = time.monotonic()
    run()
    sequences = lived.pop("sequences")
    parts = ", ".join(f"{count:,} {kind}" for kind, count in lived.most_common())
    print(
        f"seed {wanted.seed}: {sequences:,} sequences in {time.monotonic() - began:,.0f} s: {parts}"
    )


if __name__ == "__main__":
    main()
