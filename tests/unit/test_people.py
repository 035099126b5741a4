from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest

from pipewatcher.api.limits import ADDRESS_FAILURES_MAX, NAME_FAILURES_MAX, SignInLimit
from pipewatcher.errors import (
    Busy,
    InvalidRequest,
    NotFound,
    PipeWatcherError,
    SecondFactorRequired,
    TooManyRequests,
    Unauthorized,
)
from pipewatcher.identity.passwords import WAITING_MAX, Passwords, check_new
from pipewatcher.identity.people import INVITATION_LIFETIME, People, known_browser, knows
from pipewatcher.identity.sessions import IDLE, LIFETIME, Sessions
from pipewatcher.identity.tokens import Authenticator
from pipewatcher.model.identity import Person
from pipewatcher.model.time import MINUTE, SECOND
from pipewatcher.registry.sqlite import SQLiteRegistry

PASSWORD = "several words in a row"


class House:
    def __init__(self, registry: SQLiteRegistry) -> None:
        self.now = 1_000_000.0
        self.registry = registry
        self.passwords = Passwords()
        self.people = People(registry, self.passwords, clock=lambda: self.now)
        authenticator = Authenticator(registry, "x" * 20)
        self.sessions = Sessions(registry, authenticator, clock=lambda: self.now)

    async def somebody(self, name: str = "anna", role: str = "admin") -> Person:
        _, text = await self.people.invite(role, created_by="test")
        return await self.people.accept(text, name, PASSWORD)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    house = House(registry)
    yield house
    house.passwords.close()
    await registry.close()


async def test_an_invitation_works_once_and_for_a_day(house: House) -> None:
    _, text = await house.people.invite("operator", created_by="anna")
    _, late = await house.people.invite("operator", created_by="anna")
    person = await house.people.accept(text, "bob", PASSWORD)
    assert (person.name, person.role, person.created_by) == ("bob", "operator", "anna")
    house.now += INVITATION_LIFETIME / SECOND
    for used in (text, late, "pwi_wrong", ""):
        with pytest.raises(NotFound):
            await house.people.accept(used, "eve", PASSWORD)


async def test_of_two_who_use_one_invitation_at_once_one_comes_in(house: House) -> None:
    _, text = await house.people.invite("admin", created_by="anna")
    came = await asyncio.gather(
        *(house.people.accept(text, name, PASSWORD) for name in ("a", "b", "c")),
        return_exceptions=True,
    )
    assert len([one for one in came if isinstance(one, Person)]) == 1
    assert len(await house.people.all()) == 1


async def test_the_first_admin_is_invited_until_there_is_somebody(house: House) -> None:
    first = await house.people.first_invitation()
    second = await house.people.first_invitation()
    assert first is not None
    assert second is not None
    with pytest.raises(NotFound):
        await house.people.invitation(first)
    person = await house.people.accept(second, "anna", PASSWORD)
    assert person.role == "admin"
    assert await house.people.first_invitation() is None


@pytest.mark.parametrize(
    "weak",
    ["short", "x" * 257, "password1234", "Password!!!!!", "qwertyqwerty", "aaaaaaaaaaaaaaaa",
     "anna-anna-anna-1", "PipeWatcher2026!", "123456789012", "iloveyouiloveyou"],
)  # fmt: skip
def test_a_password_that_is_guessed_first_is_refused(weak: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_new(weak, "anna")
    assert weak not in str(refused.value)


@pytest.mark.parametrize(
    "good", [PASSWORD, "correct horse battery", "ção de nós três é", "x7#kQ9!zLm2p"]
)
def test_a_long_password_needs_no_signs(good: str) -> None:
    check_new(good, "anna")


async def test_whatever_is_wrong_the_answer_is_the_same(house: House) -> None:
    anna = await house.somebody()
    assert (await house.people.sign_in("ANNA", PASSWORD, None, None)).id == anna.id
    await house.people.change((await house.somebody("bob")).id, {"disabled": True})
    wrong = [("anna", "x"), ("nobody", PASSWORD), ("bob", PASSWORD), ("anna", PASSWORD.upper())]
    told = set()
    for name, password in wrong:
        with pytest.raises(Unauthorized) as refused:
            await house.people.sign_in(name, password, None, None)
        told.add((type(refused.value), refused.value.detail))
    assert len(told) == 1


async def test_a_code_is_asked_for_after_the_password_and_counts_once(house: House) -> None:
    anna = await house.somebody()
    offered = await house.people.new_factor(anna.id)
    totp = pyotp.TOTP(offered.secret)
    assert offered.secret not in repr(offered)
    with pytest.raises(InvalidRequest):
        await house.people.set_factor(anna.id, offered.secret, "000000", PASSWORD)
    with pytest.raises(Unauthorized):
        await house.people.set_factor(anna.id, offered.secret, totp.at(house.now), "wrong")
    await house.people.set_factor(anna.id, offered.secret, totp.at(house.now), PASSWORD)
    with pytest.raises(SecondFactorRequired):
        await house.people.sign_in("anna", PASSWORD, None, None)
    for bad in (totp.at(house.now), totp.at(house.now + 600), "123456"):
        with pytest.raises(Unauthorized) as refused:
            await house.people.sign_in("anna", PASSWORD, bad, None)
        assert not isinstance(refused.value, SecondFactorRequired)
    with pytest.raises(Unauthorized) as refused:
        await house.people.sign_in("anna", "wrong", None, None)
    assert not isinstance(refused.value, SecondFactorRequired)
    house.now += 30
    code = totp.at(house.now)
    await house.people.sign_in("anna", PASSWORD, code, None)
    with pytest.raises(Unauthorized):
        await house.people.sign_in("anna", PASSWORD, code, None)


async def test_a_recovery_link_gives_a_new_password_and_takes_the_lost_factor(
    house: House,
) -> None:
    anna = await house.somebody()
    await house.registry.update_person(anna.id, {"totp_secret": pyotp.random_base32()})
    _, text = await house.people.invite(anna.role, created_by="bob", person=anna)
    recovered = await house.people.accept(text, "ignored", "another row of words")
    assert (recovered.id, recovered.name, recovered.totp_secret) == (anna.id, "anna", None)
    await house.people.sign_in("anna", "another row of words", None, None)
    with pytest.raises(Unauthorized):
        await house.people.sign_in("anna", PASSWORD, None, None)


@pytest.mark.slow
async def test_a_flood_of_sign_ins_is_turned_away_and_a_known_browser_passes_it(
    house: House,
) -> None:
    anna = await house.somebody()
    mark = known_browser(anna)
    flood = [
        asyncio.create_task(house.people.sign_in("anna", "wrong", None, None)) for _ in range(300)
    ]
    await asyncio.sleep(0.05)
    assert (await house.people.sign_in("anna", PASSWORD, None, mark)).id == anna.id
    ends = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(end) for end in ends} == {Busy, Unauthorized}
    assert sum(isinstance(end, Unauthorized) for end in ends) >= WAITING_MAX


async def test_the_mark_of_a_known_browser_is_of_one_person_and_password(house: House) -> None:
    anna, bob = await house.somebody(), await house.somebody("bob")
    mark = known_browser(anna)
    assert knows(anna, mark)
    for bad in (None, "", ".", "x.y", mark + "0", "é.é"):
        assert not knows(anna, bad)
    assert not knows(bob, mark)
    await house.people.change_password(anna.id, PASSWORD, "another row of words")
    assert not knows(await house.people.one(anna.id), mark)


async def test_a_session_ends_by_idling_by_age_by_hand_and_with_its_person(house: House) -> None:
    anna = await house.somebody()
    cookies = [(await house.sessions.begin(anna))[0] for _ in range(4)]
    house.now += (IDLE - MINUTE) / SECOND
    assert await house.sessions.principal(cookies[0]) is not None
    house.now += 2 * MINUTE / SECOND
    assert await house.sessions.principal(cookies[1]) is None
    assert await house.sessions.principal(cookies[0]) is not None
    fresh = (await house.sessions.begin(anna))[0]
    assert len(await house.sessions.of(anna.id)) == 2
    await house.sessions.end_all(anna.id, but=fresh)
    assert await house.sessions.principal(cookies[0]) is None
    for _ in range(int(LIFETIME / IDLE) * 2 - 1):
        house.now += IDLE / 2 / SECOND
        assert await house.sessions.principal(fresh) is not None
    house.now += IDLE / 2 / SECOND
    assert await house.sessions.principal(fresh) is None
    last = (await house.sessions.begin(anna))[0]
    await house.people.remove(anna.id)
    house.now += 1
    assert await house.sessions.principal(last) is None


async def test_a_new_role_counts_for_sessions_that_are_open(house: House) -> None:
    anna = await house.somebody(role="viewer")
    cookie = (await house.sessions.begin(anna))[0]
    await house.people.change(anna.id, {"role": "operator"})
    house.now += 1
    principal = await house.sessions.principal(cookie)
    assert principal is not None
    assert principal.role == "operator"


def test_guessing_at_a_name_locks_out_neither_other_names_nor_other_addresses() -> None:
    limit = SignInLimit()
    for _ in range(NAME_FAILURES_MAX):
        limit.check("1.1.1.1", "anna")
        limit.failed("1.1.1.1", "anna")
    with pytest.raises(TooManyRequests):
        limit.check("1.1.1.1", "anna")
    limit.check("2.2.2.2", "anna")
    limit.check("1.1.1.1", "bob")
    for n in range(ADDRESS_FAILURES_MAX):
        limit.failed("1.1.1.1", f"n{n}")
    with pytest.raises(PipeWatcherError):
        limit.check("1.1.1.1", "bob")
    limit.check("2.2.2.2", "anna")
