"""Each story of the page once more, by the keyboard alone."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from contract.registry_dead_letters_suite import a_letter
from page_harness import signed_in
from pipewatcher.registry.sqlite import SQLiteRegistry
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
LOST = range(200, 260)
"""Minutes ago in which EQ-2 sent nothing."""
BAD = '{"equipmentId": "EQ-9", "value": "21,5", "timestamp": "2026-01-31T12:00:00Z"}'
TABS_MAX = 120


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


def reading(sensor: str, minutes_ago: int, value: float) -> dict[str, object]:
    at = (now() - timedelta(minutes=minutes_ago)).isoformat()
    return {"equipmentId": sensor, "timestamp": at, "value": value}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("keys") / "data"

    async def bury() -> None:
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        letter = a_letter(
            "value: must be a number",
            topic="plant/gw-1",
            payload=BAD.encode(),
            payload_bytes=len(BAD),
        )
        await registry.add_dead_letters([letter])
        await registry.close()

    asyncio.run(bury())
    with Server(folder) as server:
        rows = [reading("EQ-1", ago, 20 + ago % 7) for ago in range(1_500)]
        rows += [reading("EQ-2", ago, 40 + ago % 5) for ago in range(1_500) if ago not in LOST]
        rows += [reading("EQ-3", ago, 60) for ago in range(90, 1_500)]
        sent = httpx.post(f"{server.url}/api/v1/readings", json=rows, headers=AUTH, timeout=60)
        assert sent.status_code == 200
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
        expect(page.locator(".sensor-table .line").first).to_be_visible()
        yield page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def reach(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Goes from stop to stop until it stands there, and sees where it stands."""
    expect(wanted).to_be_visible()
    for _ in range(TABS_MAX):
        if wanted.evaluate("one => one === document.activeElement"):
            break
        press(page, key)
    expect(wanted).to_be_focused()
    style = wanted.evaluate(
        "one => [getComputedStyle(one).outlineStyle, getComputedStyle(one).boxShadow]"
    )
    assert style != ["none", "none"], "the focus cannot be seen"


def to_menu(page: Page, letters: str) -> None:
    reach(page, page.get_by_role("button", name="Account"))
    press(page, "Enter")
    expect(page.get_by_role("menu")).to_be_visible()
    page.keyboard.type(letters)
    press(page, "Enter")


def test_which_sensors_are_silent(page: Page) -> None:
    reach(page, page.get_by_label("The plant at a glance").get_by_role("link", name="Silent"))
    press(page, "Enter")
    table = page.get_by_role("grid", name="Sensors")
    expect(table.locator(".line")).to_have_count(1)
    reach(page, table)
    press(page, "Enter")
    expect(page.locator(".sensor-head")).to_contain_text("EQ-3")


def test_what_was_the_mean_last_week_and_can_i_trust_it(page: Page) -> None:
    press(page, "/")
    page.keyboard.type("EQ-2")
    expect(page.get_by_role("option", name="EQ-2")).to_be_visible()
    press(page, "Enter")
    expect(page.get_by_role("heading", name="EQ-2")).to_be_visible()
    press(page, "3")
    expect(page.get_by_role("button", name="1 week", pressed=True).first).to_be_visible()
    expect(page.get_by_label("Means", exact=True).get_by_role("listitem").nth(2)).to_contain_text(
        "%"
    )
    expect(page.get_by_label("Chart", exact=True).locator("canvas")).to_be_visible()
    press(page, "]")
    expect(page.locator(".cursor-card")).to_contain_text("Gap")


def test_import_this_file_see_what_changes_apply_undo(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "keys.csv"
    rows = "".join(f"KEYS-1,2026-01-01T00:{n:02}:00Z,{n}\n" for n in range(40))
    file.write_text(f"equipmentId,timestamp,value\n{rows}")
    press(page, "g", "i")
    reach(page, page.get_by_role("button", name="Choose a file").first)
    with page.expect_file_chooser() as chooser:
        press(page, "Enter")
    chooser.value.set_files(file)
    opened = page.locator("section.opened")
    reach(page, opened.get_by_role("button", name="Apply 40 readings"))
    press(page, "Enter")
    expect(opened).to_contain_text("Applied")
    reach(page, opened.get_by_role("button", name="Undo…"))
    press(page, "Enter")
    expect(page.get_by_role("dialog")).to_contain_text("KEYS-1")
    reach(page, page.get_by_role("dialog").get_by_role("button", name="Undo now"))
    press(page, "Enter")
    expect(opened).to_contain_text("40 readings went, 0 came back.")


def test_ask_the_vendor_for_what_is_missing(page: Page) -> None:
    press(page, "g", "l")
    lane = page.get_by_role("listbox", name="Gaps of EQ-2")
    reach(page, lane)
    press(page, "Home", " ")
    expect(lane.get_by_role("option", selected=True)).to_have_count(1)
    panel = page.get_by_role("complementary", name="Request from vendor")
    expect(panel).to_contain_text("1 gap chosen")
    with page.expect_download() as asked:
        press(page, "r")
    assert "EQ-2," in Path(asked.value.path()).read_text()
    found = page.get_by_role("row", name="EQ-2")
    reach(page, found.get_by_role("button", name="Take back"))
    press(page, "Enter")
    expect(found).to_contain_text("Open")


def test_add_a_token_for_a_gateway(page: Page) -> None:
    to_menu(page, "Access")
    tokens = page.get_by_label("Tokens", exact=True)
    reach(page, tokens.get_by_label("Name"))
    page.keyboard.type("gateway-7")
    press(page, "Enter")
    expect(tokens.locator("pre")).to_contain_text("pw_")


def test_read_a_dead_letter_mend_replay(page: Page) -> None:
    to_menu(page, "Dead")
    row = page.get_by_role("row", name="plant/gw-1")
    reach(page, row.get_by_role("button"))
    press(page, "Enter")
    letter = page.get_by_role("region", name="Dead letter", exact=True)
    reach(page, letter.get_by_label("Payload"))
    press(page, "Control+A")
    page.keyboard.insert_text(json.dumps({**json.loads(BAD), "value": 21.5}))
    reach(page, letter.get_by_role("button", name="Save"))
    press(page, "Enter")
    again = letter.get_by_role("button", name="Send again")
    expect(again).to_be_enabled()
    reach(page, again)
    press(page, "Enter")
    expect(page.get_by_text("Nothing was refused unanswered.")).to_be_visible()
