"""Repeats a run: `PYTHONPATH=src:tests python -m faults embedded --seed 1 --faults 20`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from faults.run import run
from faults.setups import SET_UPS


def main() -> None:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("set_up", choices=sorted(SET_UPS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--only", help="Kinds of faults, by |.")
    parser.add_argument("--folder", type=Path, help="Kept; a temporary one by default.")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.folder or Path(temporary)
        report = asyncio.run(run(told.set_up, told.seed, told.faults, folder, told.only))
    print(report)


if __name__ == "__main__":
    main()
