"""What a page must stand: keys only, zoom, many sensors, wild names, no server; and axe."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import APIResponse, Browser, Route, expect, sync_playwright

from page_harness import settled, signed_in, violations
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
ASKED_WITHIN_S = 60


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


WIDE = "EQ-" + "\N{CJK UNIFIED IDEOGRAPH-6E2C}" * 61
SCRIPT = 'EQ"><script>alert(1)</script>'
SCREENS = {
    "/": "Overview",
    "/?view=means": "Overview",
    "/sensors": "Sensors",
    "/sensor?id=EQ-1": "EQ-1",
    "/compare?id=EQ-1&id=EQ-2": "Compare",
    "/gaps": "Gaps",
    "/imports": "Imports",
    "/dead-letters": "Dead letters",
    "/notifications": "Notifications",
    "/balance": "Balance",
    "/access": "Access",
    "/account": "",
}


def rows_of(sensor: str, minutes: range) -> list[dict[str, object]]:
    return [
        {
            "equipmentId": sensor,
            "timestamp": (now() - timedelta(minutes=minute)).isoformat(),
            "value": 20 + minute % 7,
        }
        for minute in minutes
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("limits") / "data") as server:
        rows = rows_of("EQ-1", range(300))
        rows += [row for n, row in enumerate(rows_of("EQ-2", range(300))) if not 60 < n < 100]
        for name in (WIDE, SCRIPT):
            rows += rows_of(name, range(60))
        sent = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH, timeout=60)
        assert sent.status_code == 200
        yield server


@pytest.fixture(scope="module")
def browser(chromium: Path, server: Server) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_on_any_screen(browser: Browser, server: Server, theme: str) -> None:
    found: list[str] = []
    with signed_in(browser, server, theme=theme, reduced_motion="reduce") as page:
        for path, title in SCREENS.items():
            page.goto(server.url + path)
            if title:
                expect(page.get_by_role("heading", name=title, exact=True).first).to_be_attached()
            settled(page)
            found += [f"{path}: {one}" for one in violations(page)]
    assert not found, "\n".join(found)


def test_the_form_to_sign_in_has_no_violation_either(browser: Browser, server: Server) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(server.url)
    expect(page.get_by_label("Password")).to_be_visible()
    assert violations(page) == []
    context.close()


def test_everything_is_reached_by_keys_alone(browser: Browser, server: Server) -> None:
    with signed_in(browser, server) as page:
        page.goto(server.url)
        table = page.get_by_role("grid", name="Sensors")
        expect(table.locator(".line").first).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        for _ in range(60):
            if table.evaluate("table => table === document.activeElement"):
                break
            page.keyboard.press("Tab")
        expect(table).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press(" ")
        expect(table.locator("[aria-selected=true]")).to_have_count(1)
        page.keyboard.press("c")
        expect(page.get_by_role("heading", name="Compare")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("l")
        expect(page.get_by_role("heading", name="Gaps")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("o")
        map_ = page.get_by_role("application", name="Map of all sensors")
        map_.focus()
        page.keyboard.press("ArrowRight")
        expect(map_.locator(".heat-card")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator(".sensor-head h1")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_key_that_is_pressed_before_the_chart_is_there_is_kept(
    browser: Browser, server: Server
) -> None:
    with signed_in(browser, server) as page:
        page.goto(server.url)
        expect(page.locator(".sensor-table .line").first).to_be_visible()
        held: list[tuple[Route, APIResponse]] = []

        def hold_what_draws(route: Route) -> None:
            answer = route.fetch()
            if "_echarts_instance_" in answer.text():
                held.append((route, answer))
            else:
                route.fulfill(response=answer)

        page.route("**/_next/**/*.js", hold_what_draws)
        page.locator(".sensor-table .line", has_text="EQ-2").click()
        frame = page.get_by_role("application", name="Line of EQ-2")
        expect(frame).to_have_attribute("aria-busy", "true")
        page.keyboard.press("]")
        expect(frame).to_be_focused()
        page.wait_for_timeout(500)
        expect(page.locator(".cursor-card")).to_have_count(0)
        until = time.monotonic() + ASKED_WITHIN_S
        while not held:
            assert time.monotonic() < until, "what draws was never asked for"
            page.wait_for_timeout(100)
        for route, answer in held:
            route.fulfill(response=answer)
        expect(page.locator(".cursor-card")).to_contain_text("Gap")


def test_at_twice_the_size_nothing_is_cut_off(browser: Browser, server: Server) -> None:
    # A window of 1440 zoomed to 200 % is a window of 720.
    with signed_in(browser, server, width=720, height=450, device_scale_factor=2) as page:
        for path in SCREENS:
            page.goto(server.url + path)
            settled(page)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 720, path


def test_a_name_of_64_wide_characters_and_one_that_is_markup_are_names(
    browser: Browser, server: Server
) -> None:
    with signed_in(browser, server) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for name in (WIDE, SCRIPT):
            page.goto(f"{server.url}/sensors")
            page.get_by_label("Narrow down").fill(name)
            row = page.locator(".sensor-table .line")
            expect(row).to_have_count(1)
            expect(row).to_contain_text(name)
            row.click()
            expect(page.get_by_role("heading", name=name)).to_be_visible()
            expect(page.locator(".chart canvas").first).to_be_visible()
            for path in ("/", "/gaps"):
                page.goto(server.url + path)
                settled(page)
                assert page.evaluate("document.documentElement.scrollWidth") <= 1440, (path, name)


def test_a_viewer_sees_all_and_may_change_nothing(browser: Browser, server: Server) -> None:
    made = httpx.post(
        f"{server.url}/api/v1/tokens", json={"name": "eye", "role": "viewer"}, headers=AUTH
    ).json()
    with signed_in(browser, server, token=made["token"]) as page:
        page.goto(f"{server.url}/sensor?id=EQ-1")
        expect(page.get_by_role("button", name="Export")).to_be_visible()
        expect(page.get_by_role("button", name="Edit")).to_have_count(0)
        page.goto(f"{server.url}/imports")
        expect(page.get_by_text("Files are imported by operators.")).to_be_visible()
        page.goto(f"{server.url}/gaps")
        expect(page.get_by_role("row", name="EQ-2").first).to_be_visible()
        expect(page.get_by_role("checkbox")).to_have_count(0)


def test_a_part_that_fails_says_so_and_the_rest_goes_on(browser: Browser, server: Server) -> None:
    with signed_in(browser, server) as page:
        page.route("**/api/v1/series*", lambda route: route.fulfill(status=503, json={}))
        page.goto(f"{server.url}/sensor?id=EQ-1")
        chart = page.get_by_label("Chart", exact=True)
        expect(chart.get_by_role("alert")).to_contain_text("The historian answered 503")
        expect(page.get_by_label("Means", exact=True)).to_contain_text("100.0")
        page.unroute_all()
        chart.get_by_role("button", name="Try again").click()
        expect(chart.locator("canvas")).to_be_visible()


def test_a_killed_server_is_told_and_one_that_is_back_heals_the_page(
    browser: Browser, tmp_path: Path, chromium: Path
) -> None:
    server = Server(tmp_path / "data").start()
    try:
        rows = rows_of("EQ-1", range(60))
        httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH)
        with signed_in(browser, server) as page:
            page.goto(server.url)
            expect(page.locator(".sensor-table .line")).to_have_count(1)
            port = server.url.rpartition(":")[2]
            server.kill()
            bar = page.get_by_role("alert").filter(has_text="Live updates stopped")
            expect(bar).to_be_visible(timeout=60_000)
            expect(page.locator(".sensor-table .line")).to_have_count(1)
            server = Server(tmp_path / "data", http_port=port).start()
            bar.get_by_role("button", name="Try now").click()
            expect(bar).to_be_hidden(timeout=60_000)
            reading = {"equipmentId": "EQ-8", "timestamp": now().isoformat(), "value": 8}
            assert httpx.post(
                f"{server.url}/api/v1/readings", json=reading, headers=AUTH
            ).is_success
            expect(page.locator(".sensor-table .line")).to_have_count(2, timeout=60_000)
    finally:
        server.kill()


@pytest.mark.slow
def test_twenty_thousand_sensors_are_shown_found_and_scrolled(
    browser: Browser, tmp_path: Path
) -> None:
    with Server(tmp_path / "many") as server:
        for block in range(4):
            rows = [
                {
                    "equipmentId": f"MANY-{n:05}",
                    "timestamp": (now() - timedelta(seconds=n % 50)).isoformat(),
                    "value": n % 100,
                }
                for n in range(block * 5_000, (block + 1) * 5_000)
            ]
            sent = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH, timeout=60)
            assert sent.status_code == 200
        with signed_in(browser, server) as page:
            page.goto(server.url)
            expect(page.get_by_text("20,000 sensors by kind")).to_be_visible(timeout=60_000)
            assert page.locator(".sensor-table .line").count() < 60
            page.keyboard.press("/")
            page.keyboard.type("MANY-19999")
            expect(page.get_by_role("option", name="MANY-19999")).to_be_visible(timeout=10_000)
            page.keyboard.press("Escape")
            page.locator(".sensor-table").evaluate("table => table.scrollTo(0, 1e7)")
            expect(page.locator(".sensor-table .line").last).to_contain_text("MANY-")
