"""Lighthouse over the page's screens against a demo plant; needs npx and, once, the network."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from screenshots import demo
from servers.process import free_port

SCREENS = {
    "overview": "/",
    "sensor": "/sensor?id=EQ-10731&window=48h",
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


def tell(name: str, preset: str, found: dict[str, Any]) -> bool:
    """Whether every score reaches the bar; what keeps one from it is told."""
    categories, audits = found["categories"], found["audits"]
    scores = {each: round((categories[each]["score"] or 0) * 100) for each in CATEGORIES}
    told = ", ".join(f"{each} {score}" for each, score in scores.items())
    print(f"{name}, {preset}: {told} (bar: {BAR})", flush=True)
    for category in CATEGORIES:
        for ref in categories[category]["auditRefs"]:
            audit = audits[ref["id"]]
            score = audit["score"]
            if ref["weight"] and score is not None and score < 0.9:
                print(f"  {ref['id']}: {score} {audit.get('displayValue', '')}")
    return min(scores.values()) >= BAR


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(SCREENS), choices=list(SCREENS))
    parser.add_argument("--preset", choices=["desktop", "mobile"], default="desktop")
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
        for screen in given.only:
            found = report(given.lighthouse, url + SCREENS[screen], port, given.preset, Path(name))
            good &= tell(screen, given.preset, found)
        context.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
