"""Signing in by a certified OpenID provider in a real Chromium, from the button to signing out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from page_harness import from_menu
from server import AUTH, Server
from servers.openid import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from servers.process import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.openid, pytest.mark.slow]
PICTURES = os.environ.get("PIPEWATCHER_TEST_PICTURES")
ACCOUNTS = {
    "olga": {"roles": ["plant-operators"]},
    "boss": {"roles": ["plant-admins", "plant-operators"]},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, OpenIdProvider]]:
    folder, port = tmp_path_factory.mktemp("openid-page"), free_port()
    provider = OpenIdProvider(folder / "provider", f"http://127.0.0.1:{port}", ACCOUNTS)
    server = Server(
        folder / "data",
        http_port=port,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_title="Plant directory",
        oidc_roles="admin=plant-admins, operator=plant-operators",
    )
    with provider, server:
        yield server, provider


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, house: tuple[Server, OpenIdProvider]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    context.set_default_timeout(60_000)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text)
            if line.text.startswith("Refused") and house[0].url in page.url else None)  # fmt: skip
    yield page
    context.close()
    assert refused == []


def sign_in(page: Page, server: Server, name: str, path: str = "/") -> None:
    page.goto(server.url + path)
    button = page.get_by_role("button", name="Sign in with Plant directory")
    expect(button).to_be_visible()
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/sign-in-openid.png")
    button.click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any password")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_somebody_signs_in_with_his_role_and_out_again(
    page: Page, house: tuple[Server, OpenIdProvider]
) -> None:
    server, _ = house
    sign_in(page, server, "boss", "/gaps?state=open")
    expect(page).to_have_url(f"{server.url}/gaps?state=open")
    page.get_by_role("button", name="Account: boss").click()
    expect(page.get_by_role("menuitem", name="Access")).to_be_visible()
    page.get_by_role("menuitem", name="Account").click()
    expect(page.get_by_text("You sign in with Plant directory")).to_be_visible()
    expect(page.get_by_label("Present password")).to_have_count(0)
    from_menu(page, "Sign out")
    # The provider asks whether its own session is to end as well, and sends the browser back.
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url(f"{server.url}/")
    expect(page.get_by_role("button", name="Sign in with Plant directory")).to_be_visible()
    page.get_by_role("button", name="Sign in with Plant directory").click()
    expect(page.get_by_placeholder("Enter any login")).to_be_visible()


def test_keys_that_were_changed_are_known_at_the_next_sign_in(
    page: Page, house: tuple[Server, OpenIdProvider]
) -> None:
    server, provider = house
    provider.rotate_keys()
    sign_in(page, server, "olga")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Account: olga").click()
    expect(page.get_by_role("menuitem", name="Balance")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Access")).to_have_count(0)
    people = httpx.get(f"{server.url}/api/v1/users", headers=AUTH).json()["items"]
    [olga] = [person for person in people if person["name"] == "olga"]
    assert (olga["role"], olga["provider"]) == ("operator", "Plant directory")


def test_who_has_no_role_here_is_told_so_in_his_language(
    browser: Browser, house: tuple[Server, OpenIdProvider]
) -> None:
    server, _ = house
    context = browser.new_context(locale="pt-BR")
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("button", name="Entrar com Plant directory").click()
    page.get_by_placeholder("Enter any login").fill("nobody")
    page.get_by_placeholder("and password").fill("x")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert").first).to_contain_text("nada lhe dá um papel aqui")
    expect(page).to_have_url(f"{server.url}/")
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/sign-in-no-role.png")
    context.close()


def test_while_the_provider_is_away_a_local_admin_comes_in(
    page: Page, house: tuple[Server, OpenIdProvider]
) -> None:
    server, provider = house
    path = httpx.post(
        f"{server.url}/api/v1/users/invitations", json={"role": "admin"}, headers=AUTH
    ).json()["path"]
    link = path.partition("#")[2]
    made = {"invitation": link, "name": "ana", "password": "several words in a row"}
    assert httpx.post(f"{server.url}/api/v1/users/invitations/accept", json=made).status_code == 204
    provider.kill()
    # Started anew, it knows nothing of the provider yet.
    server.stop()
    server.start()
    page.goto(server.url)
    page.get_by_role("button", name="Sign in with Plant directory").click()
    expect(page.get_by_role("alert").first).to_contain_text("does not answer")
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill("several words in a row")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
