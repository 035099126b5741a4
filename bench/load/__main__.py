"""The load report: starts the system, loads it, audits it and writes the report.

make load-report                       everything; how long it takes stands in the report
make load-report ARGS=--quick          the same in short
python bench/load --help
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import signal
import sys
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[2] / "src"))
sys.path.insert(1, str(Path(__file__).parents[2] / "tests"))

import machine
import report
import scenarios
import system

ROOT = Path(__file__).resolve().parents[2]
FILES_SPARE = 1_000
"""Beside one file descriptor for each connection."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short phases")
    parser.add_argument("--setup", action="append", choices=list(system.NEEDS), help="both")
    parser.add_argument("--connections", type=_numbers, help="500,1000,5000,10000")
    parser.add_argument("--seconds", type=float, help="of each phase")
    parser.add_argument("--soak", type=float, help="seconds of the soak; 3600 is an hour")
    parser.add_argument("--storm", type=int, help="devices of the reconnect storm")
    parser.add_argument("--rows", type=int, help="of the import")
    parser.add_argument("--audit-all", action="store_true", help="every sensor reading by reading")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/load-report")
    parser.add_argument("--render", action="store_true", help="only write the report anew")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def size_of(given: argparse.Namespace) -> scenarios.Size:
    size = scenarios.QUICK if given.quick else scenarios.FULL
    wanted = {
        "connections": given.connections,
        "seconds": given.seconds,
        "soak_s": given.soak,
        "storm": given.storm,
        "import_rows": given.rows,
    }
    size = replace(size, **{name: value for name, value in wanted.items() if value is not None})
    return replace(size, audited=None) if given.audit_all else size


def enough_files(size: scenarios.Size) -> str | None:
    """What is missing for so many connections; the limit is raised as far as it may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    needed = max(*size.connections, size.storm) + FILES_SPARE
    if most >= needed:
        return None
    return f"{needed:,} open files for each process, {most:,} are allowed (ulimit -Hn)"


def measure(size: scenarios.Size, setups: list[str], out: Path) -> dict[str, Any]:
    """The figures, that are also written after each set-up."""
    began = time.monotonic()
    found: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["python", "bench/load", *sys.argv[1:]]),
        "machine": machine.describe(),
        "before": machine.load_before(),
        "size": asdict(size),
        "setups": [],
    }
    for setup in setups:
        print(f"{setup}:", flush=True)
        with tempfile.TemporaryDirectory(prefix="load-", ignore_cleanup_errors=True) as folder:
            found["setups"].append(scenarios.run(setup, Path(folder), size))
        found["took_s"] = time.monotonic() - began
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report.rounded(found), separators=(",", ":"))
        (out / "figures.json").write_text(text + "\n")
    return found


def main() -> int:
    given = arguments()
    if not given.render:
        size, setups = size_of(given), given.setup or list(system.NEEDS)
        missing = [*system.missing(setups), *filter(None, [enough_files(size)])]
        if missing:
            print("The load report needs what is not here:", *missing, sep="\n  ", file=sys.stderr)
            return 2
        measure(size, setups, given.out)
    found = json.loads((given.out / "figures.json").read_text())
    report.write(found, given.out)
    print(f"{given.out / 'README.md'}: {report.verdict(found)}")
    return 0 if report.nothing_lost(found) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then
    sys.exit(main())
