"""The page in a real Chromium against a real server: from sign-in to chart to upload."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from server import AUTH, TOKEN, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
SENSORS = 200
PICTURES = os.environ.get("PIPEWATCHER_TEST_PICTURES")
NOW = datetime.now(UTC).replace(microsecond=0)
EARLIER = NOW - timedelta(minutes=5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("page") / "data") as server:
        rows = [
            {
                "equipmentId": f"EQ-{10_000 + n}",
                "timestamp": (NOW - timedelta(minutes=15 * step + n % 15)).isoformat(),
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
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text
            else None)  # fmt: skip
    page.goto(server.url)
    yield page
    context.close()
    assert faults == []


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{PICTURES}/{name}.png")


def test_nobody_gets_in_with_a_wrong_token(page: Page) -> None:
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_have_text("This token is not valid.")
    picture(page, "sign-in")


def test_means_of_all_sensors_are_shown_searched_and_sorted(page: Page, server: Server) -> None:
    sign_in(page)
    answer = httpx.get(f"{server.url}/api/v1/averages?window=24h&q=EQ-10007", headers=AUTH).json()
    expect(page.get_by_text(f"{SENSORS} / {SENSORS}")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("eq-10007")
    expect(page.get_by_text(f"1 / {SENSORS}")).to_be_visible()
    row = page.locator(".line").first
    expect(row).to_contain_text("EQ-10007")
    expect(row).to_contain_text(f"{answer['items'][0]['mean']:.2f}")
    counted = row.locator("span").nth(6).inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(row.locator("span").nth(6)).not_to_have_text(counted)
    page.get_by_label("Find a sensor").fill("")
    page.get_by_role("button", name="Mean", exact=False).first.click()
    means = [
        float(line.locator(".strong").nth(1).inner_text().replace(",", ""))
        for line in page.locator(".line").all()[:5]
    ]
    assert means == sorted(means)
    picture(page, "overview")


def test_a_sensor_shows_its_chart_and_is_renamed(page: Page) -> None:
    sign_in(page)
    page.locator(".line").nth(2).click()
    panel = page.get_by_label("EQ-10002", exact=True)
    expect(panel.locator("canvas")).to_be_visible()
    expect(panel).to_contain_text("readings drawn as")
    height = panel.evaluate("panel => panel.offsetHeight")
    panel.get_by_role("button", name="Edit").click()
    panel.get_by_label("Name").fill("C-2301A discharge pressure")
    panel.get_by_label("Unit").fill("bar")
    panel.get_by_role("button", name="Save").click()
    expect(page.locator(".line").nth(2)).to_contain_text("C-2301A discharge pressure")
    assert "id=EQ-10002" in page.url
    page.wait_for_function(
        "([label, height]) => Math.abs(document.querySelector(`[aria-label='${label}']`)"
        ".offsetHeight - height) < 30",
        arg=["EQ-10002", height],
    )
    picture(page, "sensor")
    page.get_by_label("Theme: As the system").click()
    page.get_by_label("Theme: Light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    picture(page, "sensor-dark")


def test_a_file_is_looked_at_applied_and_undone(page: Page, tmp_path: Path) -> None:
    sign_in(page)
    file = tmp_path / "story.csv"
    rows = "".join(f"STORY-1,2026-01-01T00:{n:02}:00Z,{n}\n" for n in range(40))
    file.write_text(f"equipmentId,timestamp,value\n{rows}")
    page.get_by_role("link", name="Imports").click()
    page.get_by_label("First show what would change").check()
    page.get_by_label("Drop a CSV file here").set_input_files(file)
    receipt = page.get_by_label("File story.csv")
    expect(receipt).to_contain_text("Looked at, not applied", timeout=20_000)
    forecast = receipt.get_by_role("group", name="What it would do")
    expect(forecast).to_contain_text("0 → 40")
    expect(forecast).to_contain_text("19.50")
    picture(page, "dry-run")
    forecast.get_by_role("button", name="Apply").click()
    expect(receipt).to_contain_text("Done", timeout=20_000)
    bell = page.get_by_role("button", name="Notifications")
    expect(bell).to_contain_text(re.compile("[1-9]"), timeout=20_000)
    bell.click()
    lines = page.get_by_label("Notifications", exact=True)
    expect(lines).to_contain_text("Import story.csv is done", timeout=20_000)
    picture(page, "bell")
    expect(bell).not_to_contain_text(re.compile("[1-9]"))
    bell.click()
    receipt.get_by_role("button", name="Undo…").click()
    preview = receipt.get_by_role("group", name="What undoing would do")
    expect(preview).to_contain_text("STORY-1", timeout=20_000)
    picture(page, "undo")
    preview.get_by_role("button", name="Undo now").click()
    expect(receipt).to_contain_text("40 readings went, 0 came back.", timeout=20_000)
    page.get_by_role("button", name="Language").click()
    expect(page.get_by_label("Arquivo story.csv")).to_contain_text("40 leituras saíram, 0 voltaram")


def test_the_balance_adds_up(page: Page) -> None:
    sign_in(page)
    page.get_by_role("link", name="Balance").click()
    expect(page.get_by_label("Balance", exact=True)).to_contain_text("It adds up.")
    expect(page.get_by_label("By door")).to_contain_text("http")
    picture(page, "balance")


def test_a_csv_is_uploaded_and_its_receipt_names_the_bad_row(page: Page, tmp_path: Path) -> None:
    sign_in(page)
    page.get_by_role("link", name="Imports").click()
    file = tmp_path / "lost.csv"
    file.write_text(
        "equipmentId,timestamp,value\n"
        "EQ-10000,2026-01-01T00:00:00Z,1.5\n"
        "EQ-10000,2026-01-01T00:01:00Z,2.5\n"
        "EQ-10000,yesterday,3.5\n"
    )
    page.get_by_label("Drop a CSV file here").set_input_files(file)
    receipt = page.get_by_label("File lost.csv")
    expect(receipt).to_contain_text("Done", timeout=20_000)
    expect(receipt).to_contain_text("Line 4: timestamp")
    with page.expect_download() as download:
        receipt.get_by_role("link", name="Download rejected rows").click()
    assert b"yesterday" in Path(download.value.path()).read_bytes()
    picture(page, "imports")


def test_gaps_are_listed_requested_accepted_and_hatched(
    page: Page, server: Server, tmp_path: Path
) -> None:
    started = NOW - timedelta(hours=6)
    lost = range(60, 90)
    rows = [
        {
            "equipmentId": "EQ-gap",
            "timestamp": (started + timedelta(minutes=minute)).isoformat(),
            "value": 20 + minute % 7,
        }
        for minute in range(300)
        if minute not in lost
    ]
    assert httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH).status_code == 200
    sign_in(page)
    page.get_by_label("Find a sensor").fill("EQ-gap")
    line = page.locator(".line").first
    expect(line).to_contain_text("%", timeout=20_000)
    line.click()
    expect(page.get_by_label("EQ-gap", exact=True).locator("canvas")).to_be_visible()
    picture(page, "gap-in-the-chart")
    page.get_by_role("link", name="Gaps").click()
    page.get_by_label("Only this sensor").fill("EQ-gap")
    found = page.locator("tbody tr")
    expect(found).to_have_count(2)
    expect(found.nth(0)).to_contain_text("goes on")
    expect(found.nth(1)).to_contain_text("30")
    found.nth(1).get_by_role("checkbox").check()
    with page.expect_download() as asked:
        page.get_by_role("button", name="Request 1 chosen").click()
    asked.value.save_as(tmp_path / "asked.csv")
    assert (tmp_path / "asked.csv").read_text().splitlines()[1].startswith("EQ-gap,")
    expect(found.nth(1)).to_contain_text("Requested")
    found.nth(0).get_by_role("button", name="Accept").click()
    expect(found.nth(0)).to_contain_text("Accepted")
    picture(page, "gaps")
    page.get_by_label("State").select_option("requested")
    expect(found).to_have_count(1)
    page.get_by_label("Language").click()
    expect(page.get_by_role("heading", name="Lacunas")).to_be_visible()
    expect(found.first).to_contain_text("Pedida")


def test_the_page_speaks_portuguese_and_remembers_it(page: Page) -> None:
    sign_in(page)
    page.get_by_label("Language").click()
    expect(page.get_by_role("heading", name="Visão geral")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Visão geral")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".line").first).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    picture(page, "phone-pt")
    assert width <= 390


def test_live_figures_follow_what_arrives(page: Page, server: Server) -> None:
    sign_in(page)
    page.get_by_label("Find a sensor").fill("LIVE")
    httpx.post(
        f"{server.url}/api/v1/readings",
        json={"equipmentId": "LIVE-1", "timestamp": NOW.isoformat(), "value": 7.25},
        headers=AUTH,
    )
    expect(page.locator(".line").first).to_contain_text("7.25", timeout=15_000)


def test_the_page_says_when_it_is_not_live_and_heals(page: Page) -> None:
    sign_in(page)
    page.route("**/api/v1/averages*", lambda route: route.abort())
    bar = page.get_by_text("Not live: data until")
    expect(bar).to_be_visible(timeout=15_000)
    expect(page.locator(".line").first).to_be_visible()
    page.unroute_all()
    expect(bar).to_be_hidden(timeout=15_000)


def test_a_session_that_ends_leads_back_to_the_form(page: Page) -> None:
    sign_in(page)
    page.context.clear_cookies()
    expect(page.get_by_label("Password")).to_be_visible(timeout=15_000)


def test_the_chart_of_means_shows_one_unit_at_a_time(page: Page, server: Server) -> None:
    rows = [
        {"equipmentId": name, "timestamp": instant.isoformat(), "value": value}
        for name in ("COLD-1", "COLD-2")
        for instant, value in ((NOW, -12), (EARLIER, -30))
    ]
    assert httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH).is_success
    for name in ("COLD-1", "COLD-2"):
        sensor = f"{server.url}/api/v1/sensors/{name}"
        # Discovery comes a little behind the store, so as never to delay an acknowledgement.
        until = time.monotonic() + 10
        while httpx.get(sensor, headers=AUTH).status_code == 404:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert httpx.patch(sensor, json={"unit": "°C"}, headers=AUTH).is_success
    sign_in(page)
    page.get_by_label("Show unit").select_option("°C")
    picture(page, "below-zero")
    page.get_by_label("Find a sensor").fill("COLD")
    page.locator(".line").first.click()
    expect(page.get_by_label("COLD-1", exact=True)).to_contain_text("−21.00 °C")
    picture(page, "below-zero-sensor")


def test_signing_out_closes_the_page(page: Page) -> None:
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
