"""One test per story: what somebody at the plant comes to the page for, from end to end."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from contract.registry_dead_letters_suite import a_letter
from page_harness import from_menu, picture, signed_in
from pipewatcher.registry.sqlite import SQLiteRegistry
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]


@functools.cache
def now() -> datetime:
    """When the first test of this file begins; it may have been collected long before."""
    return datetime.now(UTC).replace(microsecond=0)


LOST = range(200, 260)
"""Minutes ago in which EQ-2 sent nothing."""
BAD = '{"equipmentId": "EQ-9", "value": "21,5", "timestamp": "2026-01-31T12:00:00Z"}'


def reading(sensor: str, minutes_ago: int, value: float) -> dict[str, object]:
    at = (now() - timedelta(minutes=minutes_ago)).isoformat()
    return {"equipmentId": sensor, "timestamp": at, "value": value}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("stories") / "data"

    async def bury() -> None:
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        letter = a_letter(
            "value: must be a number",
            door="mqtt-broker",
            topic="plant/gw-1/readings",
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
        yield page


def test_which_sensors_are_silent(page: Page) -> None:
    strip = page.get_by_label("The plant at a glance")
    expect(strip.get_by_role("link", name="Silent")).to_contain_text("1")
    strip.get_by_role("link", name="Silent").click()
    row = page.locator(".sensor-table .line")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("EQ-3")
    expect(row).to_contain_text("1 h 3")
    picture(page, "story-silent")
    row.click()
    expect(page.locator(".sensor-head")).to_contain_text("silent for 1 h 3")


def test_what_was_the_mean_last_week_and_can_i_trust_it(page: Page, server: Server) -> None:
    page.keyboard.press("/")
    page.keyboard.type("EQ-2")
    expect(page.get_by_role("option", name="EQ-2")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="EQ-2")).to_be_visible()
    page.keyboard.press("3")
    expect(page).to_have_url(re.compile("window=7d"))
    means = page.get_by_label("Means", exact=True)
    answer = httpx.get(f"{server.url}/api/v1/averages?window=7d&q=EQ-2", headers=AUTH).json()
    week = means.get_by_role("listitem").nth(2)
    expect(week).to_contain_text(f"{answer['items'][0]['mean']:.2f}")
    expect(week).to_contain_text("%")
    gap = page.get_by_label("Gaps", exact=True).get_by_role("row").nth(1)
    expect(gap).to_contain_text("1 h 01 min")
    expect(gap).to_contain_text("Only this sensor")
    page.keyboard.press("]")
    expect(page.locator(".cursor-card")).to_contain_text("Gap")
    picture(page, "story-trust")


def test_import_this_file_see_what_changes_apply_undo(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "story.csv"
    rows = "".join(f"STORY-1,2026-01-01T00:{n:02}:00Z,{n}\n" for n in range(40))
    file.write_text(f"equipmentId,timestamp,value\n{rows}STORY-1,yesterday,3.5\n")
    page.get_by_role("link", name="Imports").first.click()
    page.get_by_label("Choose a file").last.set_input_files(file)
    opened = page.locator("section.opened")
    looked = opened.get_by_role("group", name="What it would do")
    expect(looked).to_contain_text("0 → 40")
    expect(looked).to_contain_text("19.50")
    expect(opened.get_by_label("Why rows were rejected")).to_contain_text("line 42")
    picture(page, "story-import")
    with page.expect_download() as download:
        opened.get_by_role("link", name="Rejected rows").click()
    assert b"yesterday" in Path(download.value.path()).read_bytes()
    opened.get_by_role("button", name="Apply 40 readings").click()
    expect(opened).to_contain_text("Applied")
    bell = page.get_by_role("button", name="Notifications")
    expect(bell).to_contain_text(re.compile("[1-9]"))
    bell.click()
    told = page.get_by_label("Notifications", exact=True)
    expect(told).to_contain_text("story.csv is done")
    page.keyboard.press("Escape")
    opened.get_by_role("button", name="Undo…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("STORY-1")
    dialog.get_by_role("button", name="Undo now").click()
    expect(opened).to_contain_text("40 readings went, 0 came back.")


def test_ask_the_vendor_for_what_is_missing(page: Page, tmp_path: Path) -> None:
    page.get_by_role("link", name="Gaps").first.click()
    found = page.get_by_role("row", name="EQ-2")
    expect(found).to_contain_text("1 h 01 min")
    found.get_by_role("checkbox").check()
    panel = page.get_by_role("complementary", name="Request from vendor")
    expect(panel).to_contain_text("1 gap chosen")
    expect(panel).to_contain_text("UTC")
    picture(page, "story-gaps")
    with page.expect_download() as asked:
        panel.get_by_role("button", name="Request 1 gap").click()
    asked.value.save_as(tmp_path / "asked.csv")
    assert (tmp_path / "asked.csv").read_text().splitlines()[1].startswith("EQ-2,")
    with page.expect_download() as letter:
        panel.get_by_role("button", name="Page to send along").click()
    letter.value.save_as(tmp_path / "asked.html")
    assert "<td>EQ-2</td>" in (tmp_path / "asked.html").read_text()
    expect(found).to_contain_text("Requested")
    expect(panel).to_contain_text("Waiting for files")
    page.get_by_role("button", name="Requested 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    found.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("No gap matches.")).to_be_visible()


def test_add_a_token_for_a_gateway(page: Page, server: Server) -> None:
    from_menu(page, "Access")
    tokens = page.get_by_label("Tokens", exact=True)
    tokens.get_by_label("Name").fill("gateway-7")
    tokens.get_by_label("Only sensors that begin with").fill("EQ-")
    tokens.get_by_role("button", name="Make a token").click()
    text = tokens.get_by_role("status").locator("pre").inner_text()
    sent = httpx.post(
        f"{server.url}/api/v1/readings",
        json=reading("EQ-1", 0, 21.5),
        headers={"authorization": f"Bearer {text}"},
    )
    assert sent.status_code == 204


def test_read_a_dead_letter_mend_replay(page: Page) -> None:
    from_menu(page, "Dead letters")
    page.get_by_role("row", name="plant/gw-1/readings").click()
    letter = page.get_by_role("region", name="Dead letter", exact=True)
    expect(letter).to_contain_text("value")
    mended = json.dumps({**json.loads(BAD), "value": 21.5})
    letter.get_by_label("Payload").fill(mended)
    letter.get_by_role("button", name="Save").click()
    letter.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Nothing was refused unanswered.")).to_be_visible()
