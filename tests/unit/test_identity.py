from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipewatcher.identity.sessions import LIFETIME, Sessions
from pipewatcher.identity.tokens import CACHE_MAX, Authenticator, digest, mint
from pipewatcher.model.identity import TokenLimits
from pipewatcher.model.time import SECOND
from pipewatcher.registry.sqlite import SQLiteRegistry
from waiting import eventually


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[SQLiteRegistry]:
    registry = SQLiteRegistry(tmp_path / "registry.sqlite")
    await registry.open()
    yield registry
    await registry.close()


async def test_the_first_start_makes_one_admin_token_and_later_ones_do_not(
    registry: SQLiteRegistry,
) -> None:
    first = await Authenticator(registry, None).start()
    assert first is not None
    again = Authenticator(registry, None)
    assert await again.start() is None
    principal = again.bearer(f"Bearer {first}".encode())
    assert principal is not None
    assert (principal.name, principal.role) == ("admin", "admin")


async def test_only_the_hash_of_a_token_is_kept(registry: SQLiteRegistry, tmp_path: Path) -> None:
    first = await Authenticator(registry, None).start()
    assert first is not None
    kept = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.iterdir()])
    assert kept
    for content in kept:
        assert first.encode() not in content
        assert bytes.fromhex(first[3:]) not in content


async def test_a_fixed_admin_token_is_valid_as_long_as_it_is_set(registry: SQLiteRegistry) -> None:
    fixed = Authenticator(registry, "x" * 20)
    assert await fixed.start() is None
    assert fixed.bearer(b"bearer " + b"x" * 20) is not None
    later = Authenticator(registry, None)
    assert await later.start() is not None
    assert later.bearer(b"Bearer " + b"x" * 20) is None


async def test_a_removed_token_is_refused_after_a_refresh(registry: SQLiteRegistry) -> None:
    minted = mint()
    token = await registry.add_token("gw", "device", minted.secret_sha256, 1)
    authenticator = Authenticator(registry, "x" * 20)
    await authenticator.start()
    header = f"Bearer {minted.text}".encode()
    assert authenticator.bearer(header) is not None
    await registry.remove_token(token.id)
    await authenticator.refresh()
    assert authenticator.bearer(header) is None


@pytest.mark.parametrize(
    "header", [None, b"", b"Bearer", b"Bearer ", b"Basic eHg6eHg=", b"Bearer \xff", b"B" * 5_000]
)
async def test_a_header_without_a_token_is_nobody(
    registry: SQLiteRegistry, header: bytes | None
) -> None:
    authenticator = Authenticator(registry, "x" * 20)
    await authenticator.start()
    assert authenticator.bearer(header) is None


async def test_unknown_tokens_do_not_fill_memory(registry: SQLiteRegistry) -> None:
    authenticator = Authenticator(registry, "x" * 20)
    await authenticator.start()
    for n in range(1_000):
        authenticator.bearer(f"Bearer pw_{n}".encode())
    for n in range(1_000):
        authenticator.bearer(b"Bearer " + b" " * (n % 900) + b"x" * 20)
    assert len(authenticator._cache) <= min(CACHE_MAX, 900)


def test_a_token_shows_its_kind_but_not_itself() -> None:
    minted = mint()
    assert minted.text.startswith("pw_")
    assert minted.text not in repr(minted)
    assert minted.secret_sha256 == digest(minted.text)
    assert mint().text != minted.text


async def test_a_session_lasts_until_it_expires_or_is_ended(registry: SQLiteRegistry) -> None:
    now = [1_000.0]
    authenticator = Authenticator(registry, "x" * 20)
    await authenticator.start()
    sessions = Sessions(registry, authenticator, clock=lambda: now[0])
    assert await sessions.sign_in("wrong") is None
    first = await sessions.sign_in("x" * 20)
    second = await sessions.sign_in("x" * 20)
    assert first is not None
    assert second is not None
    assert await sessions.principal(first[0]) is not None
    await sessions.sign_out(first[0])
    assert await sessions.principal(first[0]) is None
    assert await sessions.principal(second[0]) is not None
    now[0] += LIFETIME / SECOND
    assert await sessions.principal(second[0]) is None


async def test_an_expired_token_is_refused_without_a_restart(registry: SQLiteRegistry) -> None:
    now = [1_000.0]
    minted = mint()
    limits = TokenLimits(expires_at=1_001 * SECOND)
    await registry.add_token("gw", "device", minted.secret_sha256, 1, limits=limits)
    authenticator = Authenticator(registry, "x" * 20, clock=lambda: now[0])
    await authenticator.start()
    header = f"Bearer {minted.text}".encode()
    following = asyncio.create_task(authenticator.follow())
    assert authenticator.bearer(header) is not None
    now[0] = 1_001.0
    await eventually(lambda: authenticator.bearer(header) is None)
    following.cancel()
    later = Authenticator(registry, "x" * 20, clock=lambda: now[0])
    await later.start()
    assert later.bearer(header) is None


async def test_the_rate_of_a_token_outlives_a_change_of_another(registry: SQLiteRegistry) -> None:
    minted = mint()
    limits = TokenLimits(requests_per_s_max=1)
    await registry.add_token("gw", "device", minted.secret_sha256, 1, limits=limits)
    authenticator = Authenticator(registry, "x" * 20)
    await authenticator.start()
    before = authenticator.token(minted.text)
    await registry.add_token("other", "device", b"1" * 32, 1)
    await authenticator.refresh()
    after = authenticator.token(minted.text)
    assert before is not None
    assert after is not None
    assert before.rate is after.rate


async def test_the_use_of_a_token_is_written_later_and_once(registry: SQLiteRegistry) -> None:
    minted = mint()
    await registry.add_token("gw", "device", minted.secret_sha256, 1)
    authenticator = Authenticator(registry, "x" * 20, clock=lambda: 50.0)
    await authenticator.start()
    for _ in range(3):
        authenticator.bearer(f"Bearer {minted.text}".encode())
    authenticator.bearer(b"Bearer " + b"x" * 20)
    assert [token.last_used_at for token in await registry.tokens()] == [None]
    await authenticator.write_uses()
    assert [token.last_used_at for token in await registry.tokens()] == [50 * SECOND]


def test_a_token_carries_its_own_checksum_for_secret_scanners() -> None:
    raw = bytes.fromhex(mint().text.removeprefix("pw_"))
    assert zlib.crc32(raw[:28]).to_bytes(4, "big") == raw[28:]
