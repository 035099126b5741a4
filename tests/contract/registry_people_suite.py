"""What every registry promises of people, invitations and their sessions."""

from __future__ import annotations

import asyncio

import pytest

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model.identity import Invitation, Session
from pipewatcher.ports import Registry


def an_invitation(n: int = 1) -> Invitation:
    return Invitation(
        secret_sha256=bytes([n]) * 32,
        role="viewer",
        person_id=None,
        name=None,
        created_at=n,
        created_by="anna",
        expires_at=9,
    )


class RegistryPeopleSuite:
    async def test_a_name_belongs_to_one_person_whatever_its_case(self, registry: Registry) -> None:
        made = await asyncio.gather(
            *(
                registry.add_person(name, "viewer", "hash", 7, created_by="x")
                for name in ("Éva", "éva", "ÉVA")
            ),
            return_exceptions=True,
        )
        [eva] = [one for one in made if not isinstance(one, Conflict)]
        assert await registry.people() == [eva]
        assert await registry.person_named("éVA") == eva
        assert await registry.person_named("eva") is None

    async def test_a_subject_of_an_issuer_is_one_person_whatever_the_name(
        self, registry: Registry
    ) -> None:
        for name in ("local", "other"):
            await registry.add_person(name, "viewer", "hash", 7, created_by="x")
        made = await asyncio.gather(
            *(
                registry.add_person(
                    name, "viewer", None, 7, created_by="x", issuer="https://id", subject="s"
                )
                for name in ("ann", "bob", "cid")
            ),
            return_exceptions=True,
        )
        [person] = [one for one in made if not isinstance(one, Conflict)]
        assert await registry.person_of("https://id", "s") == person
        assert (person.issuer, person.subject, person.password_hash) == ("https://id", "s", None)
        for issuer, subject in (
            ("https://id", "t"),
            ("https://other", "s"),
            ("", ""),
            ("here", "local"),
        ):
            assert await registry.person_of(issuer, subject) is None
        await registry.remove_person(person.id)
        assert await registry.person_of("https://id", "s") is None

    async def test_what_is_used_once_is_used_by_exactly_one(self, registry: Registry) -> None:
        used = await asyncio.gather(*(registry.use_once(b"k", 1, 100) for _ in range(4)))
        assert sorted(used) == [False, False, False, True]
        assert not await registry.use_once(b"k", 99, 100)
        assert await registry.use_once(b"other", 99, 200)
        assert await registry.use_once(b"k", 100, 200)

    async def test_a_person_is_changed_field_by_field(self, registry: Registry) -> None:
        anna = await registry.add_person("anna", "viewer", "hash", 7, created_by="x")
        await registry.update_person(anna.id, {"role": "admin", "disabled": True})
        changed = await registry.update_person(anna.id, {"totp_secret": "A", "signed_in_at": 9})
        assert (changed.role, changed.disabled, changed.totp_secret) == ("admin", True, "A")
        assert await registry.person(anna.id) == changed
        with pytest.raises(ValueError, match="name"):
            await registry.update_person(anna.id, {"name": "eve"})
        with pytest.raises(NotFound):
            await registry.update_person(999, {"role": "admin"})

    async def test_a_step_of_the_second_factor_counts_once(self, registry: Registry) -> None:
        anna = await registry.add_person("anna", "viewer", "hash", 7, created_by="x")
        used = await asyncio.gather(*(registry.use_totp_step(anna.id, 5) for _ in range(4)))
        assert sorted(used) == [False, False, False, True]
        assert not await registry.use_totp_step(anna.id, 4)
        assert await registry.use_totp_step(anna.id, 6)

    async def test_an_invitation_is_taken_by_exactly_one(self, registry: Registry) -> None:
        await registry.add_invitation(an_invitation(2))
        await registry.add_invitation(an_invitation(1))
        assert await registry.invitations() == [an_invitation(1), an_invitation(2)]
        taken = await asyncio.gather(
            *(registry.take_invitation(an_invitation(1).secret_sha256) for _ in range(4))
        )
        assert sorted(taken) == [False, False, False, True]
        assert await registry.invitations() == [an_invitation(2)]

    async def test_sessions_go_with_their_person(self, registry: Registry) -> None:
        anna = await registry.add_person("anna", "viewer", "hash", 7, created_by="x")
        sessions = [
            Session(
                secret_sha256=bytes([n]) * 32,
                name="anna",
                role="viewer",
                created_at=n,
                expires_at=99,
                person_id=anna.id,
                address="10.0.0.7",
                agent="Firefox",
                provider="oidc",
                id_token="e.y.s",
            )
            for n in (1, 2)
        ]
        for session in sessions:
            await registry.add_session(session)
        await registry.session_seen(sessions[0].secret_sha256, 50)
        newest, oldest = await registry.sessions_of(anna.id)
        assert newest == sessions[1]
        assert (oldest.seen_at, oldest.address, oldest.agent) == (50, "10.0.0.7", "Firefox")
        await registry.remove_person(anna.id)
        assert await registry.sessions_of(anna.id) == []
        assert await registry.session(sessions[0].secret_sha256) is None
        with pytest.raises(NotFound):
            await registry.remove_person(anna.id)
