"""Signing in by an OpenID provider: begun here, done there, believed here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipewatcher.errors import (
    Conflict,
    NoRole,
    NotFound,
    ShutOut,
    SignInDeclined,
    SignInRefused,
    SignInStale,
)
from pipewatcher.identity.openid.attempt import Attempts
from pipewatcher.identity.openid.claims import Claims, name_of, role_of
from pipewatcher.identity.openid.config import ProviderConfig
from pipewatcher.identity.openid.provider import Provider
from pipewatcher.identity.sessions import Sessions
from pipewatcher.identity.tokens import digest
from pipewatcher.model.identity import Person, Session
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.ports import Registry

log = logging.getLogger(__name__)

ANSWER_CHARS_MAX = 4_096
NAMES_TRIED = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    location: str
    cookie: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    person: Person
    before: Person | None
    """As he was; None when he was made now."""
    id_token: str
    return_to: str


class OpenIdSignIn:
    def __init__(
        self,
        configs: Sequence[ProviderConfig],
        registry: Registry,
        sessions: Sessions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._sessions = sessions
        self._clock = clock
        self._providers = {config.name: Provider(config, wall_clock=clock) for config in configs}
        self._attempts = {
            config.name: Attempts(config.name, config.client_secret, clock) for config in configs
        }

    async def close(self) -> None:
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))

    def offered(self) -> Sequence[tuple[str, str]]:
        """Name and title of each provider, in the order of the settings."""
        return [(name, provider.config.title) for name, provider in self._providers.items()]

    def title_of(self, issuer: str) -> str:
        """What people call it; the issuer itself when it is no longer set up."""
        for provider in self._providers.values():
            if provider.config.issuer == issuer:
                return provider.config.title
        return issuer

    async def begin(self, name: str, redirect_uri: str, return_to: str) -> Begun:
        """Raises `NotFound`, `ProviderUnreachable`."""
        provider = _known(self._providers, name)
        attempt, cookie = self._attempts[name].begin(return_to)
        return Begun(location=await provider.begin(attempt, redirect_uri), cookie=cookie)

    async def finish(
        self, name: str, redirect_uri: str, cookie: str | None, answer: Mapping[str, str]
    ) -> SignedIn:
        """`answer` is the query with which the browser came back.

        Raises `NotFound`, `SignInStale`, `SignInDeclined`, `SignInRefused`, `NoRole`, `ShutOut`,
        `ProviderUnreachable`.
        """
        provider = _known(self._providers, name)
        attempt = self._attempts[name].of(cookie or "", answer.get("state", ""))
        if attempt is None:
            raise SignInStale
        code = answer.get("code", "")
        if "error" in answer or not 0 < len(code) <= ANSWER_CHARS_MAX:
            raise SignInDeclined
        try:
            claims, id_token = await provider.finish(attempt, code, answer.get("iss"), redirect_uri)
        except SignInRefused as error:
            log.warning("a sign-in by %s was refused: %s", name, error.detail)
            raise SignInRefused from None  # what was wrong is not for who may have forged it
        # Of those who come back twice with one sign-in, one gets in.
        if not await self._registry.use_once(
            digest(f"openid {attempt.state}"), self._now(), attempt.expires_at
        ):
            raise SignInStale
        before = await self._registry.person_of(provider.config.issuer, claims["sub"])
        person = await self._let_in(provider.config, claims, before)
        return SignedIn(
            person=person, before=before, id_token=id_token, return_to=attempt.return_to
        )

    async def ending(self, session: Session, return_to: str) -> str | None:
        """Where this session ends at its provider too, if there is such a place."""
        provider = self._providers.get(session.provider or "")
        return None if provider is None else await provider.ending(session.id_token, return_to)

    async def _let_in(
        self, config: ProviderConfig, claims: Claims, person: Person | None
    ) -> Person:
        role = role_of(config, claims)
        if role is None:
            if person is not None:
                await self._sessions.end_all(person.id)
            raise NoRole
        if person is None:
            person = await self._made(config, claims, role)
        if person.disabled:
            raise ShutOut
        return await self._registry.update_person(
            person.id, {"role": role, "signed_in_at": self._now()}
        )

    async def _made(self, config: ProviderConfig, claims: Claims, role: str) -> Person:
        """Under the first of his names that is nobody's: he never takes over somebody else."""
        issuer, subject = config.issuer, claims["sub"]
        wanted = name_of(config, claims)
        names = [wanted, f"{wanted}@{config.name}"]
        names += [f"{wanted}@{config.name}.{n}" for n in range(2, NAMES_TRIED)]
        for name in names:
            try:
                return await self._registry.add_person(
                    name,
                    role,
                    None,
                    self._now(),
                    created_by=config.name,
                    issuer=issuer,
                    subject=subject,
                )
            except Conflict:
                # By another of his browsers, at the same moment?
                if person := await self._registry.person_of(issuer, subject):
                    return person
        raise Conflict(f"There are too many people named {wanted}.")

    def _now(self) -> Micros:
        return int(self._clock() * SECOND)


def _known(things: Mapping[str, T], name: str) -> T:
    if name not in things:
        raise NotFound("There is no such provider.")
    return things[name]
