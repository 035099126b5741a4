"""The race: the same readings, machine and cores, for PipeWatcher and its peers, in one run.

    make race                  everything
    make race ARGS=--quick     in short
    python bench/race --only PipeWatcher --only QuestDB

Peers that are not installed are named and left out; bench/race/prepare.sh fetches them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[2] / "src"))
sys.path.insert(1, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(1, str(Path(__file__).parents[1] / "load"))

import machine
import standings
import steps
from line_peers import InfluxDB, QuestDB, VictoriaMetrics
from month import write_csv
from peers import Afternoon, Peer, PipeWatcher, on_path
from system import Cores

ROOT = Path(__file__).resolve().parents[2]
PEERS: tuple[type[Peer], ...] = (PipeWatcher, InfluxDB, VictoriaMetrics, QuestDB, Afternoon)
FULL = steps.Size(seconds=10, every_s=900, late=200_000)
QUICK = steps.Size(seconds=3, every_s=21_600, late=20_000)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/race", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=[peer.name for peer in PEERS])
    parser.add_argument("--out", type=Path, default=ROOT / "docs/race")
    parser.add_argument("--render", action="store_true", help="only write the page anew")
    given = parser.parse_args()
    if not given.render:
        if on_path("wrk", "wrk"):
            print("The race needs wrk (Debian: wrk; or make servers)", file=sys.stderr)
            return 2
        found = race(QUICK if given.quick else FULL, given.only)
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    standings.write(json.loads((given.out / "figures.json").read_text()), given.out)
    print(given.out / "README.md")
    return 0


def race(size: steps.Size, only: list[str] | None) -> dict[str, Any]:
    began = time.monotonic()
    cores = Cores()
    found: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["python", "bench/race", *sys.argv[1:]]),
        "machine": machine.describe(),
        "before": machine.load_before(),
        "cores": {"peer": cores.system, "others": cores.others},
        "seconds": size.seconds,
        "absent": {},
        "peers": [],
    }
    os.sched_setaffinity(0, cores.others)
    with tempfile.TemporaryDirectory(prefix="race-", ignore_cleanup_errors=True) as text:
        folder = Path(text)
        found["rows"] = write_csv(folder / "month.csv", size.every_s)
        for kind in PEERS:
            if only and kind.name not in only:
                continue
            if why := kind.missing():
                found["absent"][kind.name] = why
                print(f"{kind.name} is left out: {why}", file=sys.stderr)
                continue
            print(f"{kind.name} …", flush=True)
            place = folder / kind.name.partition(" ")[0].lower()
            one = steps.run(kind(), place, size, folder / "month.csv", found["rows"])
            found["peers"].append(one)
    standings.compare_answers(found["peers"])
    found["took_s"] = time.monotonic() - began
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then
    sys.exit(main())
