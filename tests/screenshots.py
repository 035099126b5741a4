"""Pictures of every screen, light and dark, in both languages, wide and narrow: `make screenshots`.

A demo plant of its own serves them, and an empty one, on free ports and in folders that go with
them. The wall is taken at 1920, not live is the overview whose server does not answer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from mqtt_harness import Raw, connect, publish
from page_harness import settled
from server import TOKEN, Server
from servers.process import free_port

Plant: TypeAlias = tuple[str, str]
"""Its address, and a token of an admin."""
OUT = Path(__file__).parents[1] / "test-results/screenshots"
SCREENS = {
    "overview": "/",
    "overview-means": "/?view=means",
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
WALL = (1920, 1080)
SETTLED_MS = 1_500
BAD = b'{"equipmentId": "EQ-10009", "value": "21,5", "timestamp": "2026-01-31T12:00:00Z"}'


@contextmanager
def demo(mqtt: str = "off") -> Iterator[tuple[str, str]]:
    """Its address and token."""
    environment = {
        **os.environ,
        "PIPEWATCHER_PLANT_NAME": "Aurora plant",
        "PIPEWATCHER_PLANT_ZONE": "America/Sao_Paulo",
        "PIPEWATCHER_MQTT_PORT": mqtt,
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


def dry_run(api: httpx.Client) -> None:
    """A file that fills gaps, corrects and fails, looked at and not applied."""
    means = {one["equipmentId"]: one["mean"] for one in api.get("/averages").json()["items"]}
    lines = ["equipmentId,timestamp,value"]
    for gap in api.get("/gaps", params={"limit": 40}).json()["items"]:
        sensor = gap["equipmentId"]
        at = datetime.fromisoformat(gap["start"])
        end = datetime.fromisoformat(gap["end"]) if gap["end"] else datetime.now(UTC)
        while at < end:
            # The first stands at a reading that is there: it is corrected.
            lines.append(f"{sensor},{at.isoformat()},{(means[sensor] or 20) * 1.02:.2f}")
            at += timedelta(minutes=15)
    lines += ["EQ-10000,yesterday,1", "EQ-10000,2026-01-01T00:00:00Z,Bad Input"]
    api.post(
        "/imports",
        params={"dry_run": "true", "fileName": "gw08_resend.csv"},
        headers={"content-type": "text/csv"},
        content="\n".join(lines) + "\n",
    ).raise_for_status()


def fill(url: str, token: str, mqtt_port: int) -> None:
    """What a plant has after its first days: people, tokens, a file, a message nobody answered."""
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=120) as api:
        dry_run(api)
        for name in ("gateway-08", "gateway-21"):
            api.post("/tokens", json={"name": name, "role": "device"}).raise_for_status()
        api.post("/users/invitations", json={"role": "operator"}).raise_for_status()
    with socket.create_connection(("127.0.0.1", mqtt_port)) as connection:
        device = Raw(connection)
        for packet in (connect(token=token), publish(BAD, topic="plant/gw-08/readings")):
            device.send(packet)
            device.packet()
        device.close()


@contextmanager
def looking(browser: Browser, language: str, theme: str, size: tuple[int, int]) -> Iterator[Page]:
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=2 if width < 500 else 1
    )
    context.add_init_script(
        f"localStorage.setItem('theme','{theme}');localStorage.setItem('language','{language}')"
    )
    yield context.new_page()
    context.close()


def sign_in(page: Page, url: str, token: str) -> None:
    page.context.request.post(f"{url}/api/v1/session", data={"token": token})


def take(page: Page, path: Path) -> None:
    settled(page)
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=path)


def take_all(browser: Browser, plant: Plant, empty: Plant, folder: Path, wanted: list[str]) -> int:
    before = len(list(folder.iterdir()))
    for language in ("en", "pt-BR"):
        for theme in ("light", "dark"):
            for name, size in SIZES.items():
                end = f"{theme}-{language[:2]}-{name}.png"
                with looking(browser, language, theme, size) as page:
                    page.goto(plant[0])
                    take(page, folder / f"sign-in-{end}")
                    sign_in(page, *plant)
                    for screen in wanted:
                        page.goto(plant[0] + SCREENS[screen])
                        take(page, folder / f"{screen}-{end}")
                    page.route("**/api/v1/live", lambda route: route.abort())
                    page.goto(plant[0])
                    settled(page)
                    page.route("**/api/**", lambda route: route.abort())
                    page.locator(".not-live").wait_for(timeout=60_000)
                    page.screenshot(path=folder / f"not-live-{end}")
                with looking(browser, language, theme, size) as page:
                    sign_in(page, *empty)
                    page.goto(empty[0])
                    take(page, folder / f"first-run-{end}")
            with looking(browser, language, theme, WALL) as page:
                sign_in(page, *plant)
                page.goto(f"{plant[0]}/?wall=1")
                take(page, folder / f"wall-{theme}-{language[:2]}-{WALL[0]}.png")
    return len(list(folder.iterdir())) - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", nargs="*", default=list(SCREENS), choices=list(SCREENS))
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    chromium = os.environ.get("PIPEWATCHER_TEST_CHROMIUM") or shutil.which("chromium")
    mqtt_port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder) / "data") as server,
        demo(str(mqtt_port)) as (url, token),
        sync_playwright() as playwright,
    ):
        fill(url, token, mqtt_port)
        browser = playwright.chromium.launch(executable_path=chromium)
        empty = (server.url, TOKEN)
        taken = take_all(browser, (url, token), empty, given.out, given.only)
        browser.close()
    print(f"{taken} pictures in {given.out}")


if __name__ == "__main__":
    main()
