"""The page of people in a real Chromium: first run, second factor, people, tokens, audit."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from page_harness import from_menu
from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
PASSWORD = "several words in a row"
PICTURES = os.environ.get("PIPEWATCHER_TEST_PICTURES")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("people-page") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text
            else None)  # fmt: skip
    yield page
    context.close()
    assert faults == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def invitation(server: Server, role: str) -> str:
    url = f"{server.url}/api/v1/users/invitations"
    path: str = httpx.post(url, json={"role": role}, headers=AUTH).json()["path"]
    return server.url + path


def join(page: Page, server: Server, name: str, role: str = "admin") -> None:
    page.goto(invitation(server, role))
    page.get_by_label("Name").fill(name)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_link_makes_a_person_and_says_so_when_it_was_used(page: Page, server: Server) -> None:
    link = invitation(server, "admin")
    page.goto(link)
    page.get_by_label("Name").fill("anna")
    page.get_by_label("New password").fill("password1234")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("alert").first).to_contain_text("tried first")
    picture(page, "welcome")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    from_menu(page, "Sign out")
    expect(page.get_by_label("Password")).to_be_visible()
    picture(page, "sign-in-by-name")
    page.goto(server.url + "/welcome#" + link.partition("#")[2])
    expect(page.get_by_role("alert").first).to_contain_text("used already")


def test_a_second_factor_is_set_up_and_asked_for(page: Page, server: Server) -> None:
    join(page, server, "factor")
    from_menu(page, "Account")
    panel = page.get_by_label("Second factor", exact=True)
    panel.get_by_role("button", name="Set it up").click()
    secret = panel.locator("pre").inner_text()
    expect(panel.get_by_role("img", name="QR")).to_be_visible()
    picture(page, "account")
    totp = pyotp.TOTP(secret)
    panel.get_by_label("Code of the second factor").fill(totp.now())
    panel.get_by_label("Present password").fill(PASSWORD)
    panel.get_by_role("button", name="Confirm").click()
    expect(panel).to_contain_text("The second factor is on.")
    from_menu(page, "Sign out")
    page.get_by_label("Name").fill("factor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code of the second factor").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").first).to_contain_text("not valid")
    page.get_by_label("Code of the second factor").fill(totp.at(time.time() + 30))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_an_admin_invites_makes_tokens_and_reads_the_audit(page: Page, server: Server) -> None:
    join(page, server, "boss")
    from_menu(page, "Access")
    people = page.get_by_label("People", exact=True)
    people.get_by_role("button", name="Invite").click()
    expect(people.get_by_role("status")).to_contain_text("/welcome#pwi_")
    tokens = page.get_by_label("Tokens", exact=True)
    tokens.get_by_label("Name").fill("gateway-7")
    tokens.get_by_label("Only sensors that begin with").fill("EQ-")
    tokens.get_by_role("button", name="Make a token").click()
    text = tokens.get_by_role("status").locator("pre").inner_text()
    bearer = {"authorization": f"Bearer {text}"}
    reading = {"equipmentId": "EQ-1", "timestamp": "2026-01-01T00:00:00Z", "value": 1}
    sent = httpx.post(f"{server.url}/api/v1/readings", json=reading, headers=bearer)
    assert sent.status_code == 204
    row = tokens.get_by_role("row", name="gateway-7")
    expect(row).to_contain_text("EQ-…")
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Revoke: Really?").click()
    expect(row).to_have_count(0)
    sent = httpx.post(f"{server.url}/api/v1/readings", json=reading, headers=bearer)
    assert sent.status_code == 401
    audit = page.get_by_label("Audit", exact=True)
    audit.get_by_label("Find in actor").fill("gateway-7")
    expect(audit.get_by_role("row")).to_have_count(3)
    audit.get_by_role("button", name="Verify the chain").click()
    expect(audit.get_by_role("status")).to_contain_text("follow each other")
    with page.expect_download() as download:
        audit.get_by_role("button", name="CSV").click()
    assert b"gateway-7" in Path(download.value.path()).read_bytes()
    picture(page, "access")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, "access-phone")


def test_an_admin_is_told_what_retention_would_drop_before_he_sets_it(
    page: Page, server: Server
) -> None:
    at = (datetime.now(UTC) - timedelta(days=50)).isoformat()
    reading = {"equipmentId": "EQ-OLD", "timestamp": at, "value": 1}
    sent = httpx.post(f"{server.url}/api/v1/readings", json=reading, headers=AUTH)
    assert sent.status_code == 204
    join(page, server, "keeper")
    from_menu(page, "Balance")
    panel = page.get_by_label("Retention", exact=True)
    expect(panel).to_contain_text("Raw readings are kept for ever.")
    panel.get_by_label("Keep raw readings for days").fill("40")
    panel.get_by_role("button", name="See what would go").click()
    dialog = page.get_by_role("dialog", name="Keep raw readings for 40 days")
    expect(dialog).to_contain_text("Their means, counts and coverage stay.")
    picture(page, "retention")
    dialog.get_by_role("button", name="Leave it as it is").click()
    asked = httpx.get(f"{server.url}/api/v1/retention?days=40", headers=AUTH).json()
    assert asked["days"] is None
    panel.get_by_role("button", name="See what would go").click()
    goes = asked["wouldDrop"]["readings"]
    assert goes >= 1
    dialog.get_by_role("button", name=f"Set it, drop {goes} reading").click()
    expect(panel).to_contain_text("Raw readings of the last 40 days are kept. Set by keeper.")
    assert httpx.get(f"{server.url}/api/v1/retention", headers=AUTH).json()["days"] == 40
    panel.get_by_label("Keep raw readings for days").fill("")
    panel.get_by_role("button", name="See what would go").click()
    forever = page.get_by_role("dialog", name="Keep raw readings for ever")
    expect(forever).to_contain_text("does not come back")
    forever.get_by_role("button", name="Set it").click()
    expect(panel).to_contain_text("Raw readings are kept for ever.")


def test_a_viewer_is_not_shown_what_he_may_not(page: Page, server: Server) -> None:
    join(page, server, "vic", "viewer")
    expect(page.get_by_role("link", name="Imports")).to_be_visible()
    page.get_by_role("button", name="Account: vic").click()
    expect(page.get_by_role("menuitem", name="Balance")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Access")).to_have_count(0)
    page.get_by_role("menuitem", name="Balance").click()
    retention = page.get_by_label("Retention", exact=True)
    expect(retention).to_contain_text("Raw readings are kept for ever.")
    expect(retention.get_by_role("button")).to_have_count(0)
