"""The page in a real Chromium against a real server: from sign-in to chart to upload."""

from __future__ import annotations

import functools
import math
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from page_harness import from_menu, picture, sign_in_by_token, signed_in
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
SENSORS = 200


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


ROW = ".sensor-table .line"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page") / "data"
    with Server(folder, plant_name="Aurora plant", plant_zone="America/Sao_Paulo") as server:
        rows = [
            {
                "equipmentId": f"EQ-{10_000 + n}",
                "timestamp": (now() - timedelta(minutes=15 * step + n % 15)).isoformat(),
                "value": round(20 + n % 80 + 5 * math.sin(step / 9 + n), 2),
            }
            for n in range(SENSORS)
            for step in range(1 if n % 40 else 40, 192)
        ]
        for start in range(0, len(rows), 20_000):
            answer = httpx.post(
                f"{server.url}/api/v1/readings",
                json=rows[start : start + 20_000],
                headers=AUTH,
                timeout=60,
            )
            assert answer.status_code == 200
        yield server


@pytest.fixture(scope="module")
def browser(chromium: Path, server: Server) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with signed_in(browser, server) as page:
        page.goto(server.url)
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield page


def test_nobody_gets_in_with_a_wrong_token_and_a_session_ends(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_have_text("This token is not valid.")
    picture(page, "sign-in")
    page.reload()
    sign_in_by_token(page)
    context.clear_cookies()
    page.keyboard.press("2")
    expect(page.get_by_label("Password")).to_be_visible()
    sign_in_by_token(page)
    from_menu(page, "Sign out")
    expect(page.get_by_label("Password")).to_be_visible()
    context.close()


def test_the_four_windows_are_one_press_apart_and_stand_in_the_address(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/?q=EQ-10007")
    row = page.locator(ROW, has_text="EQ-10007")
    presses = [("2", "48 h", "48h"), ("3", "1 week", "7d"), ("4", "1 month", "30d"), ("1", "24 h", "24h")]  # fmt: skip # noqa: E501
    for key, label, window in presses:
        expect(row).to_be_visible()
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=label, exact=True, pressed=True)).to_be_visible()
        answer = httpx.get(f"{server.url}/api/v1/averages?window={window}&q=EQ-10007", headers=AUTH)
        item = answer.json()["items"][0]
        expect(row).to_contain_text(f"{item['mean']:.2f}")
        in_address = re.compile(r"^(?!.*window=)" if window == "24h" else f"window={window}")
        expect(page).to_have_url(in_address)


def test_any_sensor_is_found_by_a_slash_and_a_few_letters(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("eq-10007")
    option = page.get_by_role("option", name="EQ-10007")
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="EQ-10007")).to_be_visible()
    expect(page).to_have_url(re.compile("id=EQ-10007"))


def test_the_table_is_sorted_filtered_and_saved_as_it_is_shown(page: Page, tmp_path: Path) -> None:
    page.get_by_role("columnheader", name="Mean", exact=True).get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="Mean", exact=True)).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(page).to_have_url(re.compile("sort=mean"))
    means = [float(cell.inner_text().replace(",", "")) for cell in
             page.locator(f"{ROW} > :nth-child(7)").all()[:6]]  # fmt: skip
    assert means == sorted(means)
    page.get_by_role("button", name="Silent", exact=False).and_(page.locator(".chip")).click()
    expect(page.locator(ROW)).to_have_count(SENSORS // 40)
    with page.expect_download() as download:
        page.get_by_label("Sensors", exact=True).get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "saved.csv")
    saved = (tmp_path / "saved.csv").read_text("utf-8").splitlines()
    assert len(saved) == 1 + SENSORS // 40
    assert all(",silent," in line for line in saved[1:])
    page.reload()
    expect(page.locator(ROW)).to_have_count(SENSORS // 40)


def test_a_sensor_shows_its_chart_and_is_renamed(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/sensor?id=EQ-10002")
    chart = page.get_by_label("Chart", exact=True)
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart).to_contain_text("readings drawn as")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Name").fill("C-2301A discharge pressure")
    page.get_by_label("Unit").fill("bar")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".sensor-head")).to_contain_text("C-2301A discharge pressure")
    chart.get_by_role("button", name="As a table").click()
    expect(chart.get_by_role("table")).to_be_visible()
    picture(page, "sensor")


def test_the_spread_of_the_means_is_saved_as_picture_and_as_figures(page: Page) -> None:
    page.get_by_label("Show").get_by_role("button", name="Means").click()
    for kind, begin in (("PNG", b"\x89PNG"), ("CSV", b"kind,unit,from,to,sensors")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Means: {kind}").click()
        saved = Path(download.value.path()).read_bytes()
        assert saved.startswith(begin)
    bars = [line.rpartition(",")[2] for line in saved.decode().splitlines()[1:]]
    assert sum(int(bar) for bar in bars) == SENSORS


def test_many_are_chosen_and_compared(page: Page) -> None:
    expect(page.locator(ROW).nth(2)).to_be_visible()
    for index in range(3):
        page.locator(ROW).nth(index).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare 3").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page.locator(".values li")).to_have_count(3)
    expect(page.get_by_label("Chart", exact=True).locator("canvas")).to_be_visible()
    page.get_by_role("button", name="Overlaid").click()
    expect(page).to_have_url(re.compile("mode=overlay"))
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_balance_adds_up(page: Page) -> None:
    from_menu(page, "Balance")
    expect(page.get_by_label("Balance", exact=True)).to_contain_text("It adds up.")
    expect(page.get_by_label("By door")).to_contain_text("http")


def test_the_page_speaks_portuguese_and_remembers_it_and_fits_a_phone(page: Page) -> None:
    page.get_by_role("button", name="Language").click()
    page.get_by_role("menuitemradio", name="Português").click()
    expect(page.get_by_role("heading", name="Visão geral")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Visão geral")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(ROW).first).to_be_visible()
    picture(page, "phone-pt")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_instants_are_of_the_plants_zone_or_of_ones_own(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, timezone_id="Asia/Tokyo") as page:
        page.goto(server.url)
        head = page.locator(".page-head .about")
        expect(head).to_contain_text("→")
        shown = head.inner_text()
        page.get_by_role("button", name="Language").click()
        page.get_by_role("menuitemradio", name="This computer").click()
        expect(head).not_to_have_text(shown)


def test_live_figures_follow_what_arrives(page: Page, server: Server) -> None:
    url = f"{server.url}/api/v1/readings"
    value = 30.0
    until = time.monotonic() + 60
    row = page.locator(ROW, has_text="EQ-10007")
    page.goto(f"{server.url}/sensors?q=EQ-10007")
    expect(row).to_be_visible()
    while f"{value:.2f}" not in row.inner_text():
        assert time.monotonic() < until
        value += 1
        now = datetime.now(UTC).isoformat()
        reading = {"equipmentId": "EQ-10007", "timestamp": now, "value": value}
        assert httpx.post(url, json=reading, headers=AUTH).status_code == 204
        page.wait_for_timeout(3_000)
