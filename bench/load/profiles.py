"""Where the time of the hot paths goes: `python bench/load/profiles.py [--seconds 8]`.

Drives each path for so long while py-spy samples the server's threads a hundred times a second.
Writes `docs/load-report/profiles.md` and the stacks, one a line with its samples, as viewers of
flame graphs (speedscope, inferno) read them. Needs wrk and py-spy (`pip install py-spy`).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[2] / "src"))
sys.path.insert(1, str(Path(__file__).parents[2] / "tests"))

import machine
import scenarios
from beside import Import
from phases import Run
from system import running

ROOT = Path(__file__).resolve().parents[2]
RATE = 100
TOP = 6
THREADS = 4
STACKS_MIN = 2
"""Samples; rarer stacks are not kept."""
CONNECTIONS = 64
BATCHES = 16
IMPORT_ROWS_PER_S = 300_000
IDLE = re.compile(r"(^|;)(wait|_worker|select|acquire|_wait_for_tstate_lock) \([^;]*$")


@dataclass(frozen=True, slots=True)
class HotPath:
    title: str
    drive: Callable[[Run, float], object]
    done: str
    """What was done about the top of it."""


def means(one: Run, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        one.system.ask("/api/v1/averages", window="30d", limit=20_000)


def imported(one: Run, seconds: float) -> None:
    with Import(one.system, int(seconds * IMPORT_ROWS_PER_S), one.ledger.begin_s):
        pass


PATHS = {
    "single": HotPath(
        f"Single readings, {CONNECTIONS} connections",
        lambda one, s: one.by_wrk("single", CONNECTIONS, s),
        "The answer is written by the commit's callback, without a task or a timer; a head is "
        "parsed once and known by its bytes; one SQLite row holds a whole group of requests. What "
        "is left on top is the kernel's `send` and uvloop's own loop (decision 0010).",
    ),
    "batch": HotPath(
        f"Batches of 100, {BATCHES} connections",
        lambda one, s: one.by_wrk("batch", BATCHES, s),
        "msgspec decodes into structs and numpy checks whole columns; only a payload with "
        "something odd is read again item by item. Folding takes readings in order by numpy, "
        "without window functions (decisions 0010, 0011).",
    ),
    "mqtt": HotPath(
        f"MQTT QoS 1, {CONNECTIONS} devices",
        lambda one, s: one.by_ledger("closed", "mqtt", CONNECTIONS, s),
        "Packets are cut out of the buffer in place, a topic is judged once a device, PUBACKs of a "
        "commit leave in one write (decision 0030).",
    ),
    "import": HotPath(
        "A CSV import",
        imported,
        "Columns are cut out of the file's bytes by numpy, runs of one sensor or one instant at a "
        "time; blocks go to the commit log as columns (decision 0012).",
    ),
    "means": HotPath(
        "Means over 30 days, one question after the other",
        means,
        "Days are kept as rollups beside hours; equal questions that wait share an answer; rows "
        "are no longer copied attribute by attribute (half of an answer's Python). What is left "
        "is DuckDB's reading of the hours that the window cuts, and the JSON.",
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", action="append", choices=list(PATHS))
    parser.add_argument("--out", type=Path, default=ROOT / "docs/load-report")
    given = parser.parse_args()
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None or shutil.which("wrk") is None:
        print("needs py-spy (pip install py-spy) and wrk (make servers)", file=sys.stderr)
        return 2
    (given.out / "profiles").mkdir(parents=True, exist_ok=True)
    head = heading(given.seconds)
    parts = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        running("embedded", Path(folder)) as system,
        scenarios.running_on(system) as one,
    ):
        for name in given.only or PATHS:
            stacks = profile(spy, one, PATHS[name], given.seconds, Path(folder))
            kept = [f"{stack} {count}" for stack, count in stacks if count >= STACKS_MIN]
            (given.out / f"profiles/{name}.txt").write_text("\n".join(kept) + "\n", "utf-8")
            parts.append(section(name, PATHS[name], stacks))
    (given.out / "profiles.md").write_text("\n".join([head, *parts]), "utf-8")
    return 0


def profile(
    spy: str, one: Run, path: HotPath, seconds: float, folder: Path
) -> list[tuple[str, int]]:
    """Stacks with their samples, the most frequent first; without what only waits."""
    raw = folder / "stacks.txt"
    command = [spy, "record", "--pid", str(one.system.server.pid), "--threads", "--nonblocking"]
    command += ["--rate", str(RATE), "--duration", str(max(1, round(seconds)))]
    with subprocess.Popen(
        [*command, "--format", "raw", "--output", str(raw)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        path.drive(one, seconds)
    counts: Counter[str] = Counter()
    for line in raw.read_text("utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        if not IDLE.search(stack):
            counts[without_places(stack)] += int(count)
    return counts.most_common()


def without_places(stack: str) -> str:
    """Thread ids, and where packages are installed, differ from run to run."""
    stack = re.sub(r"^thread \(\d+\): ", "", stack)
    return re.sub(r" \([^;]*?([^/;()]+?)(:\d+)?\)", r" (\1)", stack)


def heading(seconds: float) -> str:
    described = machine.describe()
    version = described["versions"]["PipeWatcher"]
    load = machine.load_before()["load_1"]
    return (
        "# Profiles of the hot paths\n\n"
        f"Written by `python bench/load/profiles.py --seconds {seconds:g}`, never by hand: "
        f"{described['processor']}, {described['cores']} cores, PipeWatcher {version} on one of "
        f"them, load average before {load:.1f}. Samples of py-spy, {RATE} a second and thread, "
        "without what waits; what C code takes stands at the Python line that called it, the wait "
        "of the event loop at `Runner.run`.\n"
    )


def section(name: str, path: HotPath, stacks: list[tuple[str, int]]) -> str:
    total = sum(count for _, count in stacks) or 1
    by_thread: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for stack, count in stacks:
        thread, *frames = stack.split(";")
        by_thread[thread][frames[-1] if frames else thread] += count
    lines = [f"## {path.title}", "", path.done, "", "| Thread | Share | At the top of it |"]
    lines.append("| --- | ---: | --- |")
    ordered = sorted(by_thread.items(), key=lambda one: -one[1].total())
    for thread, frames in ordered[:THREADS]:
        top = ", ".join(
            f"`{frame}` {100 * count / total:.0f}%" for frame, count in frames.most_common(TOP)
        )
        lines.append(f"| {thread} | {100 * frames.total() / total:.0f}% | {top} |")
    return "\n".join([*lines, "", f"[All stacks](profiles/{name}.txt)", ""])


if __name__ == "__main__":
    sys.exit(main())
