"""Who wrote this value, what stood there before, and why readings are missing, on the page."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from page_harness import settled, signed_in, violations
from pipewatcher.model.gaps import Downtime
from pipewatcher.registry.sqlite import SQLiteRegistry
from server import AUTH, Server
from servers.influxdb import InfluxDB

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
LOST = range(200, 260)
"""Minutes ago in which EQ-2 sent nothing, as the server was away."""
MENDED_AGO = 30


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


def at(minutes_ago: int) -> datetime:
    return now() - timedelta(minutes=minutes_ago)


def send(server: Server) -> None:
    rows = [
        {"equipmentId": name, "timestamp": at(ago).isoformat(), "value": 20 + ago % 7}
        for name in ("EQ-1", "EQ-2")
        for ago in range(300)
        if name == "EQ-1" or ago not in LOST
    ]
    sent = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH, timeout=60)
    assert sent.status_code == 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("provenance") / "data"

    async def been_away() -> None:
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        away = (int(at(ago).timestamp() * 1e6) for ago in (LOST.stop, LOST.start))
        await registry.add_downtime(Downtime(start=next(away), end=next(away)))
        await registry.close()

    asyncio.run(been_away())
    with Server(folder) as server:
        send(server)
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
        yield page


def imported(server: Server, value: float) -> int:
    text = f"equipmentId,timestamp,value\nEQ-1,{at(400).isoformat()},1\n"
    text += f"EQ-1,{at(MENDED_AGO).isoformat()},{value}\n"
    files = {"file": ("vendor.csv", text)}
    with httpx.Client(base_url=server.url, headers=AUTH, timeout=60) as api:
        number: int = api.post("/api/v1/imports", files=files).json()["id"]
        while (job := api.get(f"/api/v1/imports/{number}").json())["state"] != "done":
            assert job["state"] in {"queued", "running"}, job
    return number


def test_a_value_tells_who_wrote_it_and_what_stood_there_before(page: Page, server: Server) -> None:
    number = imported(server, 99.5)
    page.goto(f"{server.url}/sensor?id=EQ-1")
    page.get_by_role("button", name="As a table").click()
    table = page.get_by_role("region", name="As a table")
    point = table.get_by_role("row").filter(has=page.get_by_role("cell", name="99.50")).first
    point.get_by_role("button").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    readings = dialog.get_by_role("region", name="Readings")
    row = readings.get_by_role("row").filter(has_text="99.5")
    expect(row.get_by_role("link", name=f"IMP-{number:04}")).to_have_attribute(
        "href", f"/imports?id={number}"
    )
    assert violations(page) == []
    row.get_by_role("button", name="Where from?").focus()
    page.keyboard.press("Enter")
    history = dialog.get_by_role("table", name="Reading of")
    rows = history.get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("Stands")
    expect(rows.nth(1)).to_contain_text("99.5")
    expect(rows.nth(1)).to_contain_text("vendor.csv, Line 3")
    expect(rows.nth(2)).to_contain_text("Was replaced")
    expect(rows.nth(2)).to_contain_text("HTTP, token admin")
    expect(rows.nth(2)).to_contain_text("not kept")
    settled(page)
    assert violations(page) == []
    expect(dialog.get_by_role("button", name="Back to the readings")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row).to_be_visible()
    httpx.delete(f"{server.url}/api/v1/imports/{number}", headers=AUTH).raise_for_status()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_point_of_the_chart_opens_its_readings_by_keys_and_by_a_click(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/sensor?id=EQ-1")
    chart = page.get_by_role("application", name="Line of EQ-1")
    expect(chart).to_have_attribute("aria-busy", "false")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    # Behind the newest point it may be silent by now.
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(".cursor-dot")).to_be_visible()
    page.keyboard.press("Enter")
    readings = page.get_by_role("dialog").get_by_role("region", name="Readings")
    expect(readings.get_by_role("row").nth(1)).to_contain_text("HTTP, token admin")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(chart).to_be_focused()
    canvas = chart.locator("canvas").first
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.4
    page.mouse.move(x, y)
    expect(page.locator(".cursor-dot")).to_be_visible()
    page.mouse.click(x, y)
    expect(readings).to_be_visible()


def test_it_speaks_portuguese_and_says_what_fails(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, language="pt-BR") as page:
        page.route("**/api/v1/readings/history*", lambda route: route.fulfill(status=500))
        page.goto(f"{server.url}/sensor?id=EQ-1")
        page.get_by_role("button", name="Como tabela").click()
        page.get_by_role("button", name="Leituras de").first.click()
        dialog = page.get_by_role("dialog")
        first = dialog.get_by_role("row").nth(1)
        expect(first).to_contain_text("HTTP, token admin")
        first.get_by_role("button", name="De onde veio").click()
        expect(dialog.get_by_role("alert")).to_be_visible()
        page.unroute("**/api/v1/readings/history*")
        dialog.get_by_role("alert").get_by_role("button").first.click()
        expect(dialog.get_by_role("row").nth(1)).to_contain_text("Vale")
        dialog.get_by_role("button", name="Voltar às leituras").click()
        expect(first).to_be_visible()


def test_our_own_absence_and_what_a_person_says_are_causes_in_words(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/gaps")
    rows = page.locator(".gap-table tbody tr").filter(has_text="EQ-2")
    expect(rows.filter(has_text="PipeWatcher itself was away")).to_have_count(1)
    page.goto(f"{server.url}/sensor?id=EQ-2")
    gaps = page.get_by_role("region", name="Gaps", exact=True)
    expect(gaps).to_contain_text("PipeWatcher itself was away")
    with httpx.Client(base_url=server.url, headers=AUTH) as api:
        items = api.get("/api/v1/gaps", params={"equipmentId": "EQ-2"}).json()["items"]
        # On a slow machine it is silent by now, too.
        [gap] = [gap for gap in items if gap["end"] is not None]
        assert gap["cause"] == "downtime"
        text = api.get("/api/v1/gaps", headers={"accept": "text/csv"}).text
        assert ",open,downtime," in text
        said = {"cause": "device", "note": "battery"}
        api.patch(f"/api/v1/gaps/{gap['id']}", json=said).raise_for_status()
    page.reload()
    expect(gaps).to_contain_text("The device: battery")
    page.goto(f"{server.url}/gaps")
    expect(rows.filter(has_text="The device: battery")).to_have_count(1)


@pytest.mark.influxdb
def test_where_what_stood_before_is_not_kept_nobody_is_offered_it(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        InfluxDB(tmp_path / "influxdb") as influxdb,
        Server(tmp_path / "data", readings=influxdb.url()) as server,
    ):
        send(server)
        with signed_in(browser, server) as page:
            page.goto(f"{server.url}/sensor?id=EQ-1")
            page.get_by_role("button", name="As a table").click()
            page.get_by_role("button", name="Readings of").first.click()
            rows = page.get_by_role("dialog").get_by_role("row")
            expect(rows.nth(1)).to_contain_text("HTTP, token admin")
            settled(page)
            expect(page.get_by_role("button", name="Where from?")).to_have_count(0)
