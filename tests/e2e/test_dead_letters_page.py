"""Dead letters on the page, in a real Chromium: found, mended, sent again, thrown away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from contract.registry_dead_letters_suite import a_letter
from page_harness import picture, signed_in
from pipewatcher.model.readings import DeadLetter
from pipewatcher.registry.sqlite import SQLiteRegistry
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
BAD = '{"equipmentId": "EQ-1", "value": "21,5", "timestamp": "2026-01-31T12:00:00Z"}'


def letters() -> list[DeadLetter]:
    at = 1_769_860_800_000_000
    old = [
        a_letter(f"value: must be a number (row {n})", received_at=at + n, payload=b"1")
        for n in range(60)
    ]
    return [
        *old,
        a_letter("not JSON.", received_at=at, payload=b"\xff\xfe", payload_bytes=2),
        a_letter(
            "value: must be a number",
            door="mqtt-broker",
            topic="plant/gw-1/readings",
            received_at=at,
            payload=BAD.encode(),
            payload_bytes=len(BAD),
        ),
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("letters") / "data"

    async def bury() -> None:
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        await registry.add_dead_letters(letters())
        await registry.close()

    asyncio.run(bury())
    with Server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def browser(chromium: Path, server: Server) -> Iterator[Browser]:
    """After the server, whose making wants an event loop of its own: playwright runs one here."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with signed_in(browser, server) as page:
        page.goto(f"{server.url}/dead-letters")
        expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
        yield page


def test_a_letter_is_found_mended_and_sent_again(page: Page, server: Server) -> None:
    page.get_by_label("Door").select_option("mqtt-broker")
    page.get_by_role("row", name="plant/gw-1/readings").click()
    letter = page.get_by_role("region", name="Dead letter", exact=True)
    expect(letter.get_by_role("list", name="Reason")).to_contain_text("value is missing")
    picture(page, "dead-letter-light")
    letter.get_by_role("button", name="Send again").click()
    expect(letter.get_by_role("alert")).to_contain_text("still is no valid reading")
    letter.get_by_label("Payload").fill(BAD.replace('"21,5"', "21.5"))
    expect(letter.get_by_role("button", name="Send again")).to_be_disabled()
    letter.get_by_role("button", name="Save").click()
    expect(letter.get_by_text("Nothing is wrong with this payload now")).to_be_visible()
    letter.get_by_role("button", name="Send again").click()
    expect(letter).to_be_hidden()
    expect(page.get_by_text("No dead letter matches.")).to_be_visible()
    stored = httpx.get(
        f"{server.url}/api/v1/readings",
        params={
            "equipmentId": "EQ-1",
            "start": "2026-01-31T00:00:00Z",
            "end": "2026-02-01T00:00:00Z",
        },
        headers=AUTH,
    ).json()["items"]
    assert [(item["value"], item["origin"]) for item in stored] == [(21.5, "replay:admin")]


def test_older_letters_come_and_one_is_thrown_away(page: Page) -> None:
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(51)
    page.get_by_role("button", name="Older").click()
    expect(rows).to_have_count(62)
    page.get_by_label("Find in reason or topic").fill("(row 7)")
    expect(rows).to_have_count(2)
    rows.last.click()
    page.get_by_role("button", name="Throw away").click()
    page.get_by_role("button", name="Throw away for good").click()
    expect(page.get_by_text("No dead letter matches.")).to_be_visible()


def test_bytes_that_are_no_text_are_shown_as_such_and_can_be_replaced(page: Page) -> None:
    page.get_by_label("Find in reason or topic").fill("not JSON")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(2)
    rows.last.click()
    expect(page.get_by_text("//4=")).to_be_visible()
    page.get_by_label("New payload").fill("{")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("list", name="Reason")).to_contain_text("not JSON")
    expect(page.get_by_role("textbox", name="Payload", exact=True)).to_have_value("{")


def test_the_page_speaks_portuguese_and_is_dark_and_fits_a_phone(page: Page) -> None:
    page.get_by_role("button", name="Language").click()
    page.get_by_role("menuitemradio", name="Português").click()
    expect(page.get_by_role("heading", name="Mensagens recusadas")).to_be_visible()
    page.get_by_role("button", name="Tema").click()
    page.get_by_role("menuitemradio", name="Escuro").click()
    page.get_by_role("table").get_by_role("row").last.click()
    picture(page, "dead-letters-dark-pt")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, "dead-letters-phone")
    assert json.loads(page.evaluate("JSON.stringify(document.documentElement.lang)")) == "pt-BR"
