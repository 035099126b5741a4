"""People: invited by a link that works once, known by password and second factor."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from pipewatcher.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    SecondFactorRequired,
    Unauthorized,
)
from pipewatcher.identity.factor import NewFactor, new_factor, step_of
from pipewatcher.identity.passwords import Passwords, check_new
from pipewatcher.identity.tokens import digest, mint
from pipewatcher.model.identity import Invitation, Person
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import DAY, SECOND, Micros
from pipewatcher.registry_ports import PeopleRegistry

INVITATION_PREFIX = "pwi_"
INVITATION_LIFETIME: Micros = DAY
FIRST = "first start"


class People:
    def __init__(
        self,
        registry: PeopleRegistry,
        passwords: Passwords,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._passwords = passwords
        self._clock = clock

    async def first_invitation(self) -> str | None:
        """The text of an admin's invitation as long as there is no admin; those before it end."""
        if any(person.role == "admin" for person in await self._registry.people()):
            return None
        for invitation in await self._registry.invitations():
            if invitation.created_by == FIRST:
                await self._registry.take_invitation(invitation.secret_sha256)
        _, text = await self.invite("admin", created_by=FIRST)
        return text

    async def invite(
        self, role: str, *, created_by: str, person: Person | None = None
    ) -> tuple[Invitation, str]:
        """With its text, which is kept nowhere. For a person that is there it is a way back in:
        a new password, and no second factor until a new one is set up.

        Raises `Conflict` for somebody whom an OpenID provider knows: he would get around it."""
        if person is not None:
            refuse_provided(person)
        minted = mint(INVITATION_PREFIX)
        now = self._now()
        invitation = Invitation(
            secret_sha256=minted.secret_sha256,
            role=role,
            person_id=person.id if person else None,
            name=person.name if person else None,
            created_at=now,
            created_by=created_by,
            expires_at=now + INVITATION_LIFETIME,
        )
        await self._registry.add_invitation(invitation)
        return invitation, minted.text

    async def invitation(self, text: str) -> Invitation:
        """Raises `NotFound`, the same for a wrong, used and expired one."""
        wanted = digest(text)
        for invitation in await self.invitations():
            if hmac.compare_digest(invitation.secret_sha256, wanted):
                return invitation
        raise NotFound("This link was used already, has expired, or was never valid.")

    async def invitations(self) -> Sequence[Invitation]:
        now = self._now()
        return [one for one in await self._registry.invitations() if one.expires_at > now]

    async def withdraw(self, invitation_id: str) -> Invitation:
        """Raises `NotFound`."""
        for invitation in await self._registry.invitations():
            if invitation.id == invitation_id:
                await self._registry.take_invitation(invitation.secret_sha256)
                return invitation
        raise NotFound("There is no such invitation.")

    async def accept(self, text: str, name: str, password: str) -> Person:
        """Uses the invitation up. Raises `NotFound`, `InvalidRequest`, `Conflict`, `Busy`."""
        invitation = await self.invitation(text)
        name = invitation.name or name
        check_new(password, name)
        if invitation.person_id is None and await self._registry.person_named(name):
            raise Conflict(f"There is somebody named {name} already.")
        hashed = await self._passwords.hash(password)
        if not await self._registry.take_invitation(invitation.secret_sha256):
            raise NotFound("This link was used already.")
        if invitation.person_id is not None:
            changes = {"password_hash": hashed, "totp_secret": None, "disabled": False}
            return await self._registry.update_person(invitation.person_id, changes)
        try:
            return await self._registry.add_person(
                name, invitation.role, hashed, self._now(), created_by=invitation.created_by
            )
        except Conflict:
            await self._registry.add_invitation(invitation)  # somebody was faster with this name
            raise

    async def sign_in(
        self, name: str, password: str, code: str | None, known: str | None
    ) -> Person:
        """Raises `Unauthorized`, after the same work whatever was wrong, `SecondFactorRequired`
        or `Busy`. `known` is what `known_browser` gave for this person before."""
        person = await self._registry.person_named(name)
        kept = None if person is None or person.disabled else person.password_hash
        is_known = person is not None and knows(person, known)
        if not await self._passwords.verify(kept, password, known=is_known) or person is None:
            raise Unauthorized
        if person.totp_secret is not None:
            if not code:
                raise SecondFactorRequired
            await self._check_code(person, person.totp_secret, code)
        return await self._registry.update_person(person.id, {"signed_in_at": self._now()})

    async def named(self, name: str) -> Person | None:
        return await self._registry.person_named(name)

    async def all(self) -> Sequence[Person]:
        return await self._registry.people()

    async def one(self, person_id: int) -> Person:
        """Raises `NotFound`."""
        return await self._registry.person(person_id)

    async def change(self, person_id: int, changes: Mapping[str, str | bool]) -> Person:
        """`role` or `disabled`. Raises `NotFound`."""
        return await self._registry.update_person(person_id, changes)

    async def remove(self, person_id: int) -> Person:
        """Raises `NotFound`."""
        return await self._registry.remove_person(person_id)

    async def change_password(self, person_id: int, present: str, new: str) -> None:
        """Raises `Unauthorized`, `InvalidRequest`, `Busy`."""
        person = await self._confirmed(person_id, present)
        check_new(new, person.name)
        hashed = await self._passwords.hash(new)
        await self._registry.update_person(person_id, {"password_hash": hashed})

    async def new_factor(self, person_id: int) -> NewFactor:
        return new_factor((await self.one(person_id)).name)

    async def set_factor(self, person_id: int, secret: str, code: str, password: str) -> None:
        """Raises `Unauthorized`, or `InvalidRequest` when the code does not belong to it."""
        await self._confirmed(person_id, password)
        step = step_of(secret, code, self._clock())
        if step is None or not await self._registry.use_totp_step(person_id, step):
            reason = "is not the one that is shown now"
            raise InvalidRequest(f"code {reason}", [Rejection(field="code", reason=reason)])
        await self._registry.update_person(person_id, {"totp_secret": secret})

    async def remove_factor(self, person_id: int, password: str) -> None:
        """Raises `Unauthorized`."""
        await self._confirmed(person_id, password)
        await self._registry.update_person(person_id, {"totp_secret": None})

    async def _confirmed(self, person_id: int, password: str) -> Person:
        person = await self.one(person_id)
        if not await self._passwords.verify(person.password_hash, password, known=True):
            raise Unauthorized("The present password is another one.")
        return person

    async def _check_code(self, person: Person, secret: str, code: str) -> None:
        """A code counts once: the step it belongs to must be later than the last one used."""
        step = step_of(secret, code, self._clock())
        if step is None or not await self._registry.use_totp_step(person.id, step):
            raise Unauthorized

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)


def refuse_provided(person: Person) -> None:
    """What an OpenID provider says of a person is changed there. Raises `Conflict`."""
    if person.issuer is not None:
        raise Conflict(
            f"{person.name} signs in by {person.issuer}.",
            hint="Role, password and second factor are changed there.",
        )


def known_browser(person: Person) -> str:
    """What a browser keeps that has signed in: it goes past the limits that a flood of wrong
    sign-ins fills, and ends with the password. It does not sign in."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_mark(person, nonce)}"


def knows(person: Person, known: str | None) -> bool:
    nonce, _, mark = (known or "").partition(".")
    return hmac.compare_digest(mark.encode(), _mark(person, nonce).encode())


def _mark(person: Person, nonce: str) -> str:
    key = (person.password_hash or secrets.token_hex(16)).encode()
    return hmac.new(key, f"known browser {nonce}".encode(), hashlib.sha256).hexdigest()
