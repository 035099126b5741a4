"""Lighthouse over the page's screens against a demo plant; needs npx and, once, the network.

Somebody who was signed in before comes back with an empty cache, as on the morning after an
upgrade. `--preset desktop` is a computer in the control room (Lighthouse simulates 10 Mbit/s and
40 ms), `mobile` a phone in the field (1.6 Mbit/s, 150 ms, a quarter of the processor). Of several
runs the median counts; the machine's load stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from screenshots import demo
from servers.process import free_port

SCREENS = {
    "overview": "/",
    "sensors": "/sensors",
    "sensor": "/sensor?id=EQ-10731&window=48h",
    "compare": "/compare?id=EQ-10000&id=EQ-10001&id=EQ-10002",
    "gaps": "/gaps",
    "imports": "/imports",
}
CATEGORIES = ("performance", "accessibility", "best-practices")
BAR = 95
LIGHTHOUSE = ["npx", "--yes", "lighthouse@12"]


def report(command: list[str], url: str, port: int, preset: str, folder: Path) -> dict[str, Any]:
    out = folder / "report.json"
    preset_of = ["--preset=desktop"] if preset == "desktop" else []
    subprocess.run(
        [
            *command,
            url,
            f"--port={port}",
            "--quiet",
            *preset_of,
            f"--only-categories={','.join(CATEGORIES)}",
            "--disable-storage-reset",
            "--output=json",
            f"--output-path={out}",
        ],
        check=True,
    )
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


def scores_of(found: dict[str, Any]) -> dict[str, int]:
    categories = found["categories"]
    return {each: round((categories[each]["score"] or 0) * 100) for each in CATEGORIES}


def tell(name: str, preset: str, runs: list[dict[str, Any]]) -> bool:
    """Whether every median reaches the bar; what keeps the last run from it is told."""
    scores = [scores_of(found) for found in runs]
    medians = {each: statistics.median(one[each] for one in scores) for each in CATEGORIES}
    told = ", ".join(f"{each} {score:.0f}" for each, score in medians.items())
    each_run = " ".join(str(one["performance"]) for one in scores)
    print(
        f"{name}, {preset}: {told} (bar: {BAR}; performance of each run: {each_run}; "
        f"load {os.getloadavg()[0]:.1f})",
        flush=True,
    )
    categories, audits = runs[-1]["categories"], runs[-1]["audits"]
    for category in CATEGORIES:
        for ref in categories[category]["auditRefs"]:
            audit = audits[ref["id"]]
            score = audit["score"]
            if ref["weight"] and score is not None and score < 0.9:
                print(f"  {ref['id']}: {score} {audit.get('displayValue', '')}")
    return min(medians.values()) >= BAR


def forget_files(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.clearBrowserCache")
    session.detach()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(SCREENS), choices=list(SCREENS))
    parser.add_argument("--preset", choices=["desktop", "mobile"], default="desktop")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lighthouse", nargs="*", default=LIGHTHOUSE, help="how it is called")
    given = parser.parse_args()
    chromium = os.environ.get("PIPEWATCHER_TEST_CHROMIUM") or shutil.which("chromium")
    port = free_port()
    good = True
    with (
        demo() as (url, token),
        tempfile.TemporaryDirectory() as name,
        sync_playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            f"{name}/profile",
            executable_path=chromium,
            args=[f"--remote-debugging-port={port}"],
        )
        context.request.post(f"{url}/api/v1/session", data={"token": token})
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".sensor-table .line")
        page.goto("about:blank")
        for screen in given.only:
            runs = []
            for _ in range(given.runs):
                forget_files(page)
                address = url + SCREENS[screen]
                runs.append(report(given.lighthouse, address, port, given.preset, Path(name)))
            good &= tell(screen, given.preset, runs)
        context.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
