"""The page in Chromium against a demo plant: load, change of window, scrolling, live, memory."""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import statistics
import sys
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import pipewatcher
from screenshots import demo

PAGE = Path(pipewatcher.__file__).parent / "page"
ROW = ".sensor-table .line"
TASKS = """
window.tasks = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.tasks.push(one.duration);
}).observe({ type: "longtask", buffered: true });
"""


def first_load_kb() -> float:
    """Gzipped JavaScript that the overview's document asks for."""
    html = (PAGE / "index.html").read_text("utf-8")
    names = set(re.findall(r'src="/(_next/[^"]+\.js)"(?! noModule)', html))
    return sum(len(gzip.compress((PAGE / name).read_bytes(), 6)) for name in names) / 1_000


def interactive_ms(browser: Browser, url: str, token: str) -> float:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.request.post(f"{url}/api/v1/session", data={"token": token})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(ROW)
    took = (time.perf_counter() - began) * 1_000
    context.close()
    return took


def window_change_ms(page: Page) -> list[float]:
    """From the press to the first frame with the other window's figures."""
    found = []
    for key in "2341":
        before = page.locator(".page-head .about").inner_text()
        took = page.evaluate(
            """([key, before]) => new Promise((done) => {
                const began = performance.now();
                const look = () => {
                    const now = document.querySelector(".page-head .about");
                    if (now && now.textContent !== before) done(performance.now() - began);
                    else requestAnimationFrame(look);
                };
                dispatchEvent(new KeyboardEvent("keydown", { key }));
                look();
            })""",
            [key, before],
        )
        found.append(float(took))
        page.wait_for_timeout(800)
    return found


def scrolling(page: Page) -> tuple[list[float], float]:
    """Tasks over 50 ms (each in ms) while a wheel scrolls the table, and frames a second."""
    page.locator(".sensor-table").hover()
    page.evaluate(
        """() => {
            window.tasks = [];
            window.frames = [];
            const look = (at) => { window.frames.push(at); requestAnimationFrame(look); };
            requestAnimationFrame(look);
        }"""
    )
    for step in range(100):
        page.mouse.wheel(0, 400 if step < 60 else -400)
        page.wait_for_timeout(30)
    tasks = page.evaluate("window.tasks")
    frames = page.evaluate("window.frames")
    return tasks, 1_000 * (len(frames) - 1) / (frames[-1] - frames[0])


def heap_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--live-seconds", type=int, default=60)
    given = parser.parse_args()
    chromium = os.environ.get("PIPEWATCHER_TEST_CHROMIUM") or shutil.which("chromium")
    print(f"JavaScript of the first load, gzipped: {first_load_kb():.0f} kB (bar: 350)")
    with demo() as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        api = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60)
        began = time.perf_counter()
        api.get(f"{url}/api/v1/averages?window=24h").raise_for_status()
        baseline = (time.perf_counter() - began) * 1_000
        loads = [interactive_ms(browser, url, token) for _ in range(5)]
        print(
            f"overview of 2,000 sensors, first rows: median {statistics.median(loads):.0f} ms, "
            f"best {min(loads):.0f} (bar: 1,500; the call of means alone: {baseline:.0f})"
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.request.post(f"{url}/api/v1/session", data={"token": token})
        page = context.new_page()
        page.add_init_script(TASKS)
        page.goto(url)
        page.wait_for_selector(ROW)
        page.wait_for_timeout(8_000)  # the other windows are fetched ahead
        changes = window_change_ms(page)
        told = ", ".join(f"{one:.0f}" for one in changes)
        print(f"window change: {told} ms (bar: 150)")
        tasks, rate = scrolling(page)
        print(
            f"scrolling: {len(tasks)} tasks over 50 ms (bar: 0), longest "
            f"{max(tasks, default=0):.0f} ms; {rate:.0f} frames/s (bar: 60)"
        )
        page.evaluate("window.tasks = []")
        first = heap_mb(page)
        heaps = []
        for _ in range(max(1, given.live_seconds // 10)):
            page.wait_for_timeout(10_000)
            heaps.append(heap_mb(page))
        tasks = page.evaluate("window.tasks")
        over = [task for task in tasks if task > 50]
        print(
            f"live for {given.live_seconds} s: {len(over)} tasks over 50 ms, longest "
            f"{max(tasks, default=0):.0f} ms; heap {first:.1f} → {heaps[-1]:.1f} MB, "
            f"most {max(heaps):.1f}"
        )
        browser.close()


if __name__ == "__main__":
    main()
