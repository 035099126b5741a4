"""What each screen shows while it waits, when it cannot be had, and for whom it is not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from page_harness import settled, signed_in
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
LOST = range(200, 260)
"""Minutes ago in which EQ-2 sent nothing."""
SCREENS = {
    "/": "averages",
    "/sensors": "averages",
    "/sensor?id=EQ-2": "series",
    "/compare?id=EQ-1&id=EQ-2": "series",
    "/gaps": "gaps",
    "/imports": "imports",
    "/dead-letters": "dead-letters",
    "/notifications": "notifications",
    "/balance": "status",
    "/access": "audit",
}
"""Each with the call that it cannot do without."""


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("states") / "data") as server:
        rows = [
            {
                "equipmentId": sensor,
                "timestamp": (now() - timedelta(minutes=ago)).isoformat(),
                "value": 20 + ago % 7,
            }
            for sensor in ("EQ-1", "EQ-2")
            for ago in range(600)
            if sensor == "EQ-1" or ago not in LOST
        ]
        sent = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH, timeout=60)
        assert sent.status_code == 200
        person = {"name": "gw", "role": "device"}
        httpx.post(f"{server.url}/api/v1/tokens", json=person, headers=AUTH).raise_for_status()
        yield server


@pytest.fixture(scope="module")
def browser(chromium: Path, server: Server) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


def kept_in(held: list[Route]) -> Callable[[Route], None]:
    """Answers nothing yet; `unroute_all` lets all of them go on."""

    def keep(route: Route) -> None:
        held.append(route)

    return keep


def call_of(path: str) -> str:
    return f"**/api/v1/{SCREENS[path]}*"


@pytest.mark.parametrize("path", SCREENS)
def test_each_screen_shows_the_shape_of_what_is_on_its_way_and_then_that_it_failed(
    browser: Browser, server: Server, path: str
) -> None:
    with signed_in(browser, server) as page:
        held: list[Route] = []
        failing = False

        def hold(route: Route) -> None:
            if failing:
                route.fulfill(status=503, json={})
            else:
                held.append(route)

        page.route(call_of(path), hold)
        page.goto(server.url + path, wait_until="commit")
        expect(page.locator("main .skeleton i").first).to_be_visible()
        expect(page.locator("main").get_by_role("alert")).to_have_count(0)
        failing = True
        for route in held:
            route.fulfill(status=503, json={})
        fault = page.locator("main").get_by_role("alert").first
        expect(fault).to_contain_text("The historian answered 503")
        page.unroute_all()
        fault.get_by_role("button", name="Try again").click()
        expect(page.locator("main").get_by_role("alert")).to_have_count(0)
        settled(page)


def test_nothing_is_said_to_be_whole_before_it_is_known(browser: Browser, server: Server) -> None:
    with signed_in(browser, server) as page:
        held: list[Route] = []
        page.route("**/api/v1/gaps?*", kept_in(held))
        page.goto(f"{server.url}/sensor?id=EQ-2")
        gaps = page.get_by_label("Gaps", exact=True)
        expect(page.get_by_label("Chart", exact=True).locator("canvas")).to_be_visible()
        expect(gaps.locator(".skeleton i").first).to_be_visible()
        expect(gaps).not_to_contain_text("No readings are missing")
        page.unroute_all()
        expect(gaps.get_by_role("row").nth(1)).to_contain_text("1 h 01 min")


def test_who_is_known_sees_the_bar_before_any_script_and_is_asked_for_at_once(
    browser: Browser, server: Server
) -> None:
    with signed_in(browser, server) as page:
        page.goto(server.url)
        settled(page)
        page.goto("about:blank")
        scripts: list[Route] = []
        asked: list[str] = []
        page.route("**/*.js", kept_in(scripts))
        page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
        page.goto(f"{server.url}/?window=7d", wait_until="commit")
        expect(page.locator(".first-paint .name")).to_be_visible()
        calls = [path for path in asked if path.startswith("/api/")]
        means = "/api/v1/averages?window=7d&limit=20000"
        assert calls == ["/api/v1/session", "/api/v1/plant", means]
        page.unroute_all()
        expect(page.locator(".sensor-table .line")).to_have_count(2)
        assert asked.count("/api/v1/session") == 1


def test_who_is_not_known_sees_no_bar_and_nothing_is_asked_for_him(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    scripts: list[Route] = []
    asked: list[str] = []
    page.route("**/*.js", kept_in(scripts))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url, wait_until="commit")
    expect(page.locator(".first-paint")).to_be_attached()
    expect(page.locator(".first-paint")).to_be_hidden()
    assert not any("/api/" in url for url in asked)
    page.unroute_all()
    expect(page.get_by_label("Password")).to_be_visible()
    context.close()


def test_a_viewer_is_told_what_is_not_for_him(browser: Browser, server: Server) -> None:
    made = httpx.post(
        f"{server.url}/api/v1/tokens", json={"name": "eye", "role": "viewer"}, headers=AUTH
    ).json()
    with signed_in(browser, server, token=made["token"]) as page:
        page.goto(f"{server.url}/access")
        told = page.locator("main").get_by_text("Your role may not see this.")
        expect(told).to_have_count(3)
        expect(page.locator("main").get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("path", [*SCREENS, "/?view=means"])
def test_every_table_stands_with_its_csv(browser: Browser, server: Server, path: str) -> None:
    with signed_in(browser, server) as page:
        page.goto(server.url + path)
        settled(page)
        page.wait_for_timeout(500)
        bare = page.evaluate(
            """() => [...document.querySelectorAll("main table, main [role=grid]")]
                .filter((table) => table.checkVisibility())
                .filter((table) => {
                    const near = [table.closest("section"), document.querySelector(".page-head")];
                    return !near.some((one) => one && /CSV/.test(one.innerText));
                })
                .map((table) => table.innerText.slice(0, 80))"""
        )
        assert bare == []


def save(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).first.click()
    return Path(download.value.path()).read_bytes()


def test_every_chart_is_saved_as_a_picture(browser: Browser, server: Server) -> None:
    png = b"\x89PNG"
    with signed_in(browser, server) as page:
        for path, button in (
            ("/", "Map: PNG"),
            ("/?view=means", "Means: PNG"),
            ("/gaps", "When data is missing: PNG"),
            ("/compare?id=EQ-1&id=EQ-2", "PNG"),
        ):
            page.goto(server.url + path)
            settled(page)
            assert save(page, button).startswith(png), path
        page.goto(f"{server.url}/sensor?id=EQ-2")
        settled(page)
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name="Chart as PNG").click()
        assert Path(download.value.path()).read_bytes().startswith(png)
