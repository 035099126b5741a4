"""The page in a real Chromium: signed in, with every fault of it kept; and axe."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from server import TOKEN, Server

PICTURES = os.environ.get("PIPEWATCHER_TEST_PICTURES")
AXE = Path(__file__).parents[1] / "frontend/node_modules/axe-core/axe.min.js"
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SLOWEST_MS = 30_000
"""How long a busy machine may take to show what it will show; who is fast does not wait."""
EXPECTED = re.compile(r"Failed to load resource|net::ERR_")
"""What a browser says of an answer that the test itself asked to fail."""

expect.set_options(timeout=SLOWEST_MS)


@contextmanager
def signed_in(
    browser: Browser,
    server: Server,
    *,
    token: str = TOKEN,
    width: int = 1440,
    height: int = 900,
    language: str = "en-US",
    theme: str | None = None,
    **options: Any,
) -> Iterator[Page]:
    """A page that nobody has to sign in to; it must end without a fault of script or policy."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, **options
    )
    signed = context.request.post(f"{server.url}/api/v1/session", data={"token": token})
    assert signed.ok, signed.text()
    if theme:
        context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if _is_fault(line.type, line.text)
            else None)  # fmt: skip
    try:
        yield page
    finally:
        context.close()
    assert faults == []


def _is_fault(kind: str, text: str) -> bool:
    return kind == "error" and not EXPECTED.search(text)


def settled(page: Page) -> None:
    """What the screen waits for has come, and it has drawn it."""
    expect(page.locator("main").first).to_be_attached()
    expect(page.locator(".skeleton, .waits-strip, [aria-busy=true]")).to_have_count(0)
    page.wait_for_timeout(300)


def from_menu(page: Page, name: str) -> None:
    """Opens the menu of who is signed in and takes this of it."""
    page.get_by_role("button", name=re.compile("^(Account|Conta)")).first.click()
    page.get_by_role("menuitem", name=name).click()


def sign_in_by_token(page: Page) -> None:
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(400)
        page.screenshot(path=f"{PICTURES}/{name}.png")


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, each with the places."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        # By the debugger's door: the page's policy lets no foreign script in, and shall not.
        page.context.new_cdp_session(page).send(
            "Runtime.evaluate", {"expression": AXE.read_text("utf-8")}
        )
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", WCAG_22_AA
    )
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]
