"""Every screen works under the page's policy: nothing on it needs what the policy forbids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

import pipewatcher
from server import AUTH, TOKEN, Server

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PAGE = Path(pipewatcher.__file__).parent / "page"
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("policy") / "data") as server:
        now = datetime.now(UTC)
        readings = [
            {
                "equipmentId": f"EQ-{sensor}",
                "timestamp": (now - timedelta(minutes=5 * step)).isoformat(),
                "value": sensor + step / 10,
            }
            for sensor in range(20)
            for step in range(60)
            if not 20 < step < 40
        ]
        sent = httpx.post(f"{server.url}/api/v1/readings", json=readings, headers=AUTH)
        assert sent.status_code == 200
        yield server


@pytest.fixture(scope="module")
def page(server: Server, chromium: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.add_init_script(WATCH)
        page.goto(server.url)
        signed_in = page.evaluate(
            """(token) => fetch("/api/v1/session", {
                method: "POST", body: JSON.stringify({ token }),
                headers: { "content-type": "application/json" },
            }).then((answer) => answer.status)""",
            TOKEN,
        )
        assert signed_in == 204
        yield page
        browser.close()


def screens() -> list[str]:
    """What was built, and every sensor's own screen."""
    built = sorted(path.relative_to(PAGE).with_suffix("") for path in PAGE.rglob("*.html"))
    return ["/", "/?sensor=EQ-1", "/sensor?id=EQ-1", *(f"/{path}" for path in built)]


def test_no_screen_violates_the_policy(page: Page, server: Server) -> None:
    assert len(screens()) > 8
    for path in screens():
        answer = page.goto(server.url + path)
        assert answer is not None
        if answer.status == 404:
            continue
        assert "unsafe" not in answer.headers["content-security-policy"], path
        page.wait_for_timeout(800)
        for chart in page.locator("canvas").all()[:3]:
            chart.hover()
            page.wait_for_timeout(200)
        assert page.evaluate("window.violations") == [], path


def test_the_documentation_of_the_api_works_under_it_too(page: Page, server: Server) -> None:
    answer = page.goto(f"{server.url}/docs")
    assert answer is not None
    assert "unsafe" not in answer.headers["content-security-policy"]
    expect(page.get_by_text("Send readings").first).to_be_visible(timeout=30_000)
    page.get_by_text("Send readings").first.click()
    expect(page.get_by_text("No valid token.").first).to_be_visible()
    assert page.evaluate("window.violations") == []


def test_what_is_put_into_the_page_does_not_run(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.evaluate(
        """() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<p id=x style='color:red'>x</p>");
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = true'>");
    }"""
    )
    time.sleep(0.5)
    assert page.evaluate("window.ran === undefined")
    assert page.evaluate("document.getElementById('x').style.color") == ""
    assert len(page.evaluate("window.violations")) >= 3
