"""What a page must stand of the world around it: a thin line, and a file larger than its memory."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from page_harness import signed_in
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
ROW = ".sensor-table .line"
FAST_3G = {
    "offline": False,
    "latency": 562.5,
    "downloadThroughput": 1_440_000 / 8,
    "uploadThroughput": 675_000 / 8,
}
"""As Chromium's own tools have it: milliseconds, and bytes a second."""
WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
}).observe({ type: "layout-shift", buffered: true });
window.shape = false;
new MutationObserver(() => {
  window.shape ||= !!document.querySelector(".skeleton i") && !document.querySelector("ROW");
}).observe(document, { childList: true, subtree: true });
""".replace("ROW", ROW)
SHIFT_GOOD = 0.1
LARGE_MB = 256
GROWN_MB = 96
SENSORS = 500


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("heavy") / "data") as server:
        rows = [
            {
                "equipmentId": f"EQ-{n}",
                "timestamp": (now() - timedelta(minutes=10 * step)).isoformat(),
                "value": n % 90 + step % 7,
            }
            for n in range(SENSORS)
            for step in range(30)
        ]
        sent = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH, timeout=60)
        assert sent.status_code == 200
        yield server


@pytest.fixture(scope="module")
def browser(chromium: Path, server: Server) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


def test_on_a_slow_network_the_shape_comes_first_and_nothing_jumps(
    browser: Browser, server: Server
) -> None:
    with signed_in(browser, server) as page:
        page.add_init_script(WATCH)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.emulateNetworkConditions", FAST_3G)
        page.goto(server.url, wait_until="commit")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.locator(ROW).first).to_be_visible()
        assert page.evaluate("window.shape")
        assert page.evaluate("window.shifted") < SHIFT_GOOD
        page.keyboard.press("2")
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        expect(page.get_by_role("button", name="48 h", pressed=True)).to_be_visible()
        page.locator(ROW).first.click()
        page.keyboard.press("]")
        expect(page.get_by_label("Chart", exact=True).locator("canvas")).to_be_visible()


def memory_mb(browser: Browser) -> int:
    """Of the browser and its pages, as the system counts it."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    found = 0
    for process in told["processInfo"]:
        if process["type"] in ("browser", "renderer"):
            status = Path(f"/proc/{process['id']}/status").read_text("utf-8")
            told_kb = re.search(r"VmRSS:\s+(\d+)", status)
            found += int(told_kb[1]) // 1_024 if told_kb else 0
    return found


@pytest.mark.slow
def test_a_file_larger_than_its_memory_is_sent_with_progress(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "large.csv"
    line = f"{'L' * 60},2026-01-01T00:00:00Z,1.25\n".encode()
    block = line * (1_048_576 // len(line))
    with file.open("wb") as out:
        out.write(b"equipmentId,timestamp,value\n")
        for _ in range(LARGE_MB):
            out.write(block)
    with signed_in(browser, server) as page:
        page.goto(f"{server.url}/imports")
        most = before = memory_mb(browser)
        page.get_by_label("Choose a file").last.set_input_files(file)
        bar = page.get_by_label("New import").get_by_role("progressbar")
        expect(bar).to_be_visible()
        seen: set[str | None] = set()
        while shown := bar.evaluate_all("bars => bars.map((bar) => bar.getAttribute('value'))"):
            seen.update(shown)
            most = max(most, memory_mb(browser))
            page.wait_for_timeout(100)
        assert len(seen - {None}) > 2
        looked = page.locator("section.opened")
        expect(looked).to_contain_text("large.csv")
        assert most - before < GROWN_MB
