"""Pictures of every screen, light and dark, in both languages, wide and narrow: `make screenshots`.

A demo plant of its own serves them, on a free port and in a folder that goes with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).parents[1] / "test-results/screenshots"
SCREENS = {
    "overview": "/",
    "overview-means": "/?view=means",
    "wall": "/?wall=1",
    "sensors": "/sensors",
    "sensor": "/sensor?id=EQ-10731&window=48h",
    "compare": "/compare?id=EQ-10000&id=EQ-10001&id=EQ-10002&id=EQ-10005&id=EQ-10007&id=EQ-10011",
    "compare-overlaid": "/compare?id=EQ-10000&id=EQ-10001&id=EQ-10002&id=EQ-10007&mode=overlay",
    "gaps": "/gaps",
    "imports": "/imports",
    "import-dry-run": "/imports?id=1",
    "dead-letters": "/dead-letters",
    "notifications": "/notifications",
    "balance": "/balance",
    "access": "/access",
    "account": "/account",
}
SIZES = {"1440": (1440, 900), "390": (390, 844)}
SETTLED_MS = 4_000


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Its address and token."""
    environment = {
        **os.environ,
        "PIPEWATCHER_PLANT_NAME": "Aurora plant",
        "PIPEWATCHER_PLANT_ZONE": "America/Sao_Paulo",
        "PIPEWATCHER_MQTT_PORT": "off",
    }
    command = [sys.executable, "-m", "pipewatcher", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(3)]
            yield lines[1].rpartition(" ")[2], lines[2].rpartition(" ")[2]
        finally:
            process.terminate()
            process.wait(60)


def dry_run(page: Page, url: str, token: str) -> None:
    """A file that fills, corrects and fails, looked at and not applied."""
    rows = page.request.get(
        f"{url}/api/v1/gaps?limit=40", headers={"authorization": f"Bearer {token}"}
    ).json()["items"]
    lines = ["equipmentId,timestamp,value"]
    for gap in rows:
        day, _, clock = gap["start"].partition("T")
        lines += [f"{gap['equipmentId']},{day}T{clock[:5]}:{second:02}Z,42.5" for second in (1, 31)]
    lines += ["EQ-10000,yesterday,1", "EQ-10000,2026-01-01T00:00:00Z,Bad Input"]
    page.request.post(
        f"{url}/api/v1/imports?dry_run=true&fileName=gw08_resend.csv",
        headers={"authorization": f"Bearer {token}", "content-type": "text/csv"},
        data="\n".join(lines) + "\n",
    )


def take(browser: Browser, url: str, token: str, folder: Path, wanted: list[str]) -> int:
    taken = 0
    for language in ("en", "pt-BR"):
        for theme in ("light", "dark"):
            for name, (width, height) in SIZES.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    device_scale_factor=2 if width < 500 else 1,
                )
                context.add_init_script(
                    f"localStorage.setItem('theme','{theme}');"
                    f"localStorage.setItem('language','{language}')"
                )
                page = context.new_page()
                end = f"{theme}-{language[:2]}-{name}.png"
                page.goto(url)
                page.wait_for_timeout(1_000)
                page.screenshot(path=folder / f"sign-in-{end}")
                context.request.post(f"{url}/api/v1/session", data={"token": token})
                for screen in wanted:
                    page.goto(url + SCREENS[screen])
                    page.wait_for_timeout(SETTLED_MS)
                    page.screenshot(path=folder / f"{screen}-{end}")
                    taken += 1
                context.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", nargs="*", default=list(SCREENS), choices=list(SCREENS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("PIPEWATCHER_TEST_CHROMIUM") or shutil.which("chromium")
    with demo() as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        dry_run(browser.new_page(), url, token)
        taken = take(browser, url, token, given.out, given.only)
        browser.close()
    print(f"{taken} pictures in {given.out}")


if __name__ == "__main__":
    main()
