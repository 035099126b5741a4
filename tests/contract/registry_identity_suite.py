"""What every registry promises of tokens and sessions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model.identity import Session, TokenLimits, WriteScope
from pipewatcher.ports import Registry


class RegistryIdentitySuite:
    async def open_registry(self, folder: Path) -> Registry:
        raise NotImplementedError

    async def test_of_two_tokens_of_one_name_at_once_one_is_made(self, registry: Registry) -> None:
        made = await asyncio.gather(
            *(registry.add_token("gw", "device", bytes([n]) * 32, 7) for n in range(4)),
            return_exceptions=True,
        )
        assert [m for m in made if not isinstance(m, Conflict)] == await registry.tokens()

    async def test_a_removed_token_s_id_is_never_given_again(self, registry: Registry) -> None:
        first = await registry.add_token("a", "device", b"1" * 32, 7)
        await registry.remove_token(first.id)
        assert (await registry.add_token("a", "device", b"1" * 32, 7)).id > first.id

    async def test_tokens_have_one_name_each_and_can_be_removed(self, registry: Registry) -> None:
        token = await registry.add_token("gw-1", "device", b"1" * 32, 7)
        with pytest.raises(Conflict):
            await registry.add_token("gw-1", "device", b"2" * 32, 8)
        assert await registry.tokens() == [token]
        await registry.remove_token(token.id)
        assert await registry.tokens() == []
        with pytest.raises(NotFound):
            await registry.remove_token(token.id)

    async def test_sessions_end_by_themselves_or_by_hand(self, registry: Registry) -> None:
        sessions = [
            Session(
                secret_sha256=bytes([n]) * 32, name="a", role="admin", created_at=0, expires_at=n
            )
            for n in (1, 2, 3)
        ]
        for session in sessions:
            await registry.add_session(session)
        assert await registry.remove_expired_sessions(1) == 1
        await registry.remove_session(sessions[1].secret_sha256)
        found = [await registry.session(session.secret_sha256) for session in sessions]
        assert found == [None, None, sessions[2]]

    async def test_what_a_token_is_good_for_is_kept(
        self, registry: Registry, tmp_path: Path
    ) -> None:
        limits = TokenLimits(
            expires_at=9,
            writes=WriteScope(prefix="EQ-", equipment_ids=frozenset({"a", "$b.c"})),
            requests_per_s_max=5,
        )
        token = await registry.add_token(
            "gw", "device", b"1" * 32, 7, created_by="anna", limits=limits
        )
        assert (token.limits, token.created_by) == (limits, "anna")
        assert token.last_used_at is None
        await registry.close()
        again = await self.open_registry(tmp_path)
        assert await again.tokens() == [token]
        await again.close()

    async def test_a_rotated_token_knows_both_secrets_and_no_third(
        self, registry: Registry
    ) -> None:
        token = await registry.add_token("gw", "device", b"1" * 32, 7)
        await registry.rotate_token(token.id, b"2" * 32, 50)
        rotated = await registry.rotate_token(token.id, b"3" * 32, 60)
        assert rotated.secret_sha256 == b"3" * 32
        assert (rotated.previous_sha256, rotated.previous_until) == (b"2" * 32, 60)
        assert await registry.tokens() == [rotated]
        with pytest.raises(NotFound):
            await registry.rotate_token(999, b"4" * 32, 60)

    async def test_every_change_of_a_token_is_told_but_not_its_use(
        self, registry: Registry
    ) -> None:
        changes = [await registry.token_changes()]
        token = await registry.add_token("gw", "device", b"1" * 32, 7)
        changes.append(await registry.token_changes())
        await registry.rotate_token(token.id, b"2" * 32, 50)
        changes.append(await registry.token_changes())
        await registry.tokens_used([token.id, 999], 77)
        assert await registry.token_changes() == changes[-1]
        assert [t.last_used_at for t in await registry.tokens()] == [77]
        gone = await registry.remove_token(token.id)
        assert gone.name == "gw"
        changes.append(await registry.token_changes())
        assert len(set(changes)) == 4
