"""Signing in by an OpenID provider that lies: nothing of it is believed that is not right."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from hostile_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    HostileProvider,
    a_key,
    signed,
    signed_with_the_public_key,
    unsigned,
)
from server import AUTH, Server

pytestmark = pytest.mark.e2e

CALLBACK = "/api/v1/session/openid/oidc/callback"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, HostileProvider]]:
    folder = tmp_path_factory.mktemp("openid")
    secret = folder / "secret"
    secret.write_text(CLIENT_SECRET + "\n")
    with (
        HostileProvider() as provider,
        Server(
            folder / "data",
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret_file=secret,
            oidc_title="Plant directory",
            oidc_roles="admin=bosses, operator=ops, operator=shift",
        ) as server,
    ):
        yield server, provider


@pytest.fixture
def server(house: tuple[Server, HostileProvider]) -> Server:
    return house[0]


@pytest.fixture
def provider(house: tuple[Server, HostileProvider]) -> HostileProvider:
    house[1].reset()
    return house[1]


class Browser:
    """Follows the way of a browser by hand, so that a test can leave it."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url, timeout=30)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def begin(self, return_to: str = "/") -> str:
        """The address that the provider sends it back to."""
        begun = self.http.post("/api/v1/session/openid/oidc", json={"returnTo": return_to})
        assert begun.status_code == 200, begun.text
        location: str = begun.json()["location"]
        return httpx.get(location).headers["location"]

    def come_back(self, address: str) -> httpx.Response:
        return self.http.get(address)

    def sign_in(self, return_to: str = "/") -> str:
        answer = self.come_back(self.begin(return_to))
        assert answer.status_code == 303
        return answer.headers["location"]

    def who(self) -> dict[str, Any] | None:
        answer = self.http.get("/api/v1/session")
        return answer.json() if answer.status_code == 200 else None


def fault(location: str) -> str:
    return parse_qs(urlsplit(location).query)["fault"][0]


def test_who_signs_in_for_the_first_time_is_made_with_the_role_of_his_claims(
    server: Server, provider: HostileProvider
) -> None:
    with Browser(server) as browser:
        [offered] = browser.http.get("/api/v1/session/openid").json()["items"]
        assert offered == {"name": "oidc", "title": "Plant directory"}
        assert browser.sign_in("/gaps?state=open") == "/gaps?state=open"
        me = browser.who()
        assert me == {
            "name": "olga",
            "role": "operator",
            "isPerson": True,
            "secondFactor": False,
            "provider": "Plant directory",
        }
        # Twice is the same person, and a new role counts at once.
        provider.person["roles"] = ["bosses", "ops"]
        provider.person["preferred_username"] = "olga.renamed"
        browser.sign_in()
        me = browser.who()
        assert me is not None
        assert (me["name"], me["role"]) == ("olga", "admin")
    audit = httpx.get(f"{server.url}/api/v1/audit?q=person:olga", headers=AUTH).json()["items"]
    assert [entry["action"] for entry in audit] == ["person.change", "person.create"]


def test_what_begins_a_sign_in_is_guarded(server: Server, provider: HostileProvider) -> None:
    with Browser(server) as browser:
        begun = browser.http.post("/api/v1/session/openid/oidc", json={})
        asked = dict(parse_qsl(urlsplit(begun.json()["location"]).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) == len(asked["nonce"]) == len(asked["code_challenge"]) == 43
        assert asked["redirect_uri"] == server.url + CALLBACK
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("pw_openid=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert CLIENT_SECRET not in begun.text + cookie
        other = {"sec-fetch-site": "cross-site"}
        forged = browser.http.post("/api/v1/session/openid/oidc", json={}, headers=other)
        assert forged.status_code == 403
        assert browser.http.post("/api/v1/session/openid/nobody", json={}).status_code == 404
        for elsewhere in ("//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", ""):
            sent = {"returnTo": elsewhere}
            refused = browser.http.post("/api/v1/session/openid/oidc", json=sent)
            assert refused.status_code == 422, elsewhere


Twist = Callable[[dict[str, Any], RSAKey], str]
LIES: dict[str, Twist] = {
    "wrong nonce": lambda c, k: signed({}, {**c, "nonce": "other"}, k),
    "no nonce": lambda c, k: signed({}, {n: v for n, v in c.items() if n != "nonce"}, k),
    "wrong audience": lambda c, k: signed({}, {**c, "aud": "another-client"}, k),
    "audience of several, for another": lambda c, k: signed(
        {}, {**c, "aud": [CLIENT_ID, "another"], "azp": "another"}, k
    ),
    "audience of several, for nobody": lambda c, k: signed({}, {**c, "aud": [CLIENT_ID, "x"]}, k),
    "wrong issuer": lambda c, k: signed({}, {**c, "iss": c["iss"] + "/"}, k),
    "expired": lambda c, k: signed({}, {**c, "exp": int(time.time()) - 120}, k),
    "no end": lambda c, k: signed({}, {n: v for n, v in c.items() if n != "exp"}, k),
    "from the future": lambda c, k: signed({}, {**c, "iat": int(time.time()) + 600}, k),
    "nobody": lambda c, k: signed({}, {**c, "sub": ""}, k),
    "subject that is no text": lambda c, k: signed({}, {**c, "sub": 7}, k),
    "alg none": unsigned,
    "HS256 with the public key": signed_with_the_public_key,
    "another key under this name": lambda c, k: signed({}, c, a_key(str(k.kid))),
    "unknown key": lambda c, k: signed({}, c, a_key("unknown")),
    "algorithm that was not announced": lambda c, k: signed({"alg": "PS256"}, c, k),
    "changed after it was signed": lambda c, k: ".".join(
        a if n == 1 else b
        for n, (a, b) in enumerate(
            zip(
                signed({}, {**c, "roles": ["bosses"]}, k).split("."),
                signed({}, c, k).split("."),
                strict=True,
            )
        )
    ),
    "wrong hash of the access token": lambda c, k: signed({}, {**c, "at_hash": "x"}, k),
    "no token": lambda c, k: "nonsense",
    "empty": lambda c, k: "",
    "endless": lambda c, k: "e30." * 100_000,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_is_not_right_opens_nothing(
    server: Server, provider: HostileProvider, lie: str
) -> None:
    provider.person["sub"] = f"of the lie {lie}"
    provider.twist = LIES[lie]
    with Browser(server) as browser:
        assert fault(browser.sign_in()) == "sign_in_refused"
        assert browser.who() is None
    people = httpx.get(f"{server.url}/api/v1/users", headers=AUTH).json()["items"]
    assert not [one for one in people if one["name"].startswith("of")]


def test_an_answer_works_once_and_in_the_browser_that_began_it(
    server: Server, provider: HostileProvider
) -> None:
    with Browser(server) as browser, Browser(server) as other:
        address = browser.begin()
        assert fault(other.come_back(address).headers["location"]) == "sign_in_stale"
        other.begin()
        assert fault(other.come_back(address).headers["location"]) == "sign_in_stale"
        assert other.who() is None
        cookie = browser.http.cookies["pw_openid"]
        assert browser.come_back(address).headers["location"] == "/"
        assert browser.who() is not None
        assert "pw_openid" not in browser.http.cookies
        # The provider would take the code again: the sign-in is used up all the same.
        again = httpx.get(address, headers={"cookie": f"pw_openid={cookie}"})
        assert fault(again.headers["location"]) == "sign_in_stale"
        assert "pw_session=" not in again.headers["set-cookie"]
        # A cookie that was made up, or changed, is none.
        body, _, signature = cookie.partition(".")
        for bad in (f"{body}.{'0' * 64}", f"{body[:-4]}AAAA.{signature}", "x", "."):
            tried = httpx.get(address, headers={"cookie": f"pw_openid={bad}"})
            assert fault(tried.headers["location"]) == "sign_in_stale"


def test_what_the_provider_refuses_is_told_and_what_another_says_is_not_believed(
    server: Server, provider: HostileProvider
) -> None:
    with Browser(server) as browser:
        address = browser.begin().partition("code=")[0]
        state = parse_qs(urlsplit(browser.begin()).query)["state"][0]
        declined = f"{address}error=access_denied&state={state}"
        assert fault(browser.come_back(declined).headers["location"]) == "sign_in_declined"
        foreign = browser.begin() + "&iss=https%3A%2F%2Fevil.example"
        assert fault(browser.come_back(foreign).headers["location"]) == "sign_in_refused"
        wrong_code = browser.begin().replace("code=", "code=x")
        assert fault(browser.come_back(wrong_code).headers["location"]) == "sign_in_refused"


def test_roles_that_only_userinfo_tells_count_if_it_is_about_the_same_person(
    server: Server, provider: HostileProvider
) -> None:
    provider.person = {"sub": "s-2", "preferred_username": "uma"}
    provider.userinfo = {"sub": "s-2", "roles": ["shift"]}
    with Browser(server) as browser:
        browser.sign_in()
        me = browser.who()
        assert me is not None
        assert (me["name"], me["role"]) == ("uma", "operator")
    provider.userinfo = {"sub": "s-1", "roles": ["bosses"]}
    with Browser(server) as browser:
        assert fault(browser.sign_in()) == "sign_in_refused"


def test_who_has_no_role_is_told_so_and_whoever_loses_his_is_signed_out(
    server: Server, provider: HostileProvider
) -> None:
    provider.person = {"sub": "s-3", "preferred_username": "ida", "roles": ["guests"]}
    with Browser(server) as browser:
        assert fault(browser.sign_in()) == "no_role"
        provider.person["roles"] = ["ops"]
        assert browser.sign_in() == "/"
        provider.person["roles"] = []
        with Browser(server) as other:
            assert fault(other.sign_in()) == "no_role"
        time.sleep(1)
        assert browser.who() is None


def test_nobody_takes_over_somebody_of_the_same_name(
    server: Server, provider: HostileProvider
) -> None:
    url = f"{server.url}/api/v1/users"
    path = httpx.post(f"{url}/invitations", json={"role": "admin"}, headers=AUTH).json()["path"]
    link = path.partition("#")[2]
    made = {"invitation": link, "name": "pia", "password": "several words in a row"}
    assert httpx.post(f"{url}/invitations/accept", json=made).status_code == 204
    provider.person = {"sub": "s-4", "preferred_username": "PIA", "roles": ["ops"]}
    with Browser(server) as browser:
        browser.sign_in()
        me = browser.who()
        assert me is not None
        assert (me["name"], me["role"]) == ("PIA@oidc", "operator")
        # What the provider says of him is not changed here, and no link gets around it.
        people = httpx.get(url, headers=AUTH).json()["items"]
        [item] = [person for person in people if person["name"] == me["name"]]
        assert item["provider"] == "Plant directory"
        person = f"{url}/{item['id']}"
        assert httpx.patch(person, json={"role": "admin"}, headers=AUTH).status_code == 409
        assert httpx.post(f"{person}/recovery", headers=AUTH).status_code == 409
        assert browser.http.post("/api/v1/session/factor").status_code == 409
        new = {"present": "x", "new": "several words in a row"}
        assert browser.http.put("/api/v1/session/password", json=new).status_code == 409
        by_password = {"name": me["name"], "password": "several words in a row"}
        assert httpx.post(f"{server.url}/api/v1/session", json=by_password).status_code == 401
        # Disabled means out, whatever the provider says.
        assert httpx.patch(person, json={"disabled": True}, headers=AUTH).status_code == 200
        assert fault(browser.sign_in()) == "disabled"


@pytest.mark.slow
def test_keys_are_read_again_when_they_change_but_not_for_each_unknown_one(
    server: Server, provider: HostileProvider
) -> None:
    time.sleep(10)  # after an unknown key the provider is not asked for so long
    with Browser(server) as browser:
        browser.sign_in()
        provider.key = a_key("second")
        provider.shown.insert(0, provider.key)
        assert browser.sign_in() == "/"
        provider.asked.clear()
        provider.twist = LIES["unknown key"]
        for _ in range(5):
            assert fault(browser.sign_in()) == "sign_in_refused"
        assert provider.asked.count("/keys") <= 1


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "http://127.0.0.1:1"},
        {"token_endpoint": "http://id.example.com/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    with HostileProvider() as provider:
        provider.reset()
        provider.metadata = told
        with _with_provider(tmp_path, provider.issuer) as server:
            begun = httpx.post(f"{server.url}/api/v1/session/openid/oidc", json={})
            assert (begun.status_code, begun.json()["code"]) == (503, "provider_unreachable")
            assert begun.headers["retry-after"]


def test_a_provider_that_is_silent_delays_no_start_and_locks_no_admin_out(tmp_path: Path) -> None:
    with HostileProvider() as provider:
        provider.reset()
        provider.delay_s = 60.0
        with _with_provider(tmp_path, provider.issuer) as server:
            assert provider.asked == []
            url = f"{server.url}/api/v1/session"
            begun = httpx.post(f"{url}/openid/oidc", json={}, timeout=30)
            assert (begun.status_code, begun.json()["code"]) == (503, "provider_unreachable")
            assert provider.asked == ["/.well-known/openid-configuration"]
            token = AUTH["authorization"].split()[1]
            assert httpx.post(url, json={"token": token}).status_code == 204


def _with_provider(folder: Path, issuer: str) -> Server:
    return Server(
        folder / "data",
        oidc_issuer=issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_roles="viewer=*",
    )


def test_doctor_says_whether_a_provider_answers(tmp_path: Path) -> None:
    def doctor(issuer: str) -> tuple[int, str]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PIPEWATCHER_")},
            "PIPEWATCHER_DATA_DIR": str(tmp_path / "data"),
            "PIPEWATCHER_DISK_FREE_MIN_MB": "0",
            "PIPEWATCHER_HTTP_PORT": "0",
            "PIPEWATCHER_MQTT_PORT": "off",
            "PIPEWATCHER_OIDC_ISSUER": issuer,
            "PIPEWATCHER_OIDC_CLIENT_ID": CLIENT_ID,
            "PIPEWATCHER_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "PIPEWATCHER_OIDC_ROLES": "viewer=*",
        }
        command = [sys.executable, "-m", "pipewatcher", "doctor"]
        ran = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        return ran.returncode, ran.stdout

    with HostileProvider() as provider:
        provider.reset()
        status, told = doctor(provider.issuer)
        assert (status, f"sign-in by {provider.issuer}: it describes" in told) == (0, True), told
    status, told = doctor("http://127.0.0.1:1")
    assert status == 0, told
    assert "sign-in by http://127.0.0.1:1: The provider of identities does not answer" in told
    assert CLIENT_SECRET not in told
