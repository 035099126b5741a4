"""Passwords: argon2id in a bounded pool, and the rules that a new one has to meet.

Signing in costs 20 ms of a processor on purpose. One thread of lowest priority does it, a few
dozen requests may wait for it, all others are told to come back: so a flood of sign-ins slows down
only other sign-ins. Browsers that have signed in before have a thread of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from pipewatcher.errors import Busy, InvalidRequest
from pipewatcher.model.readings import Rejection

LENGTH_MIN = 12
LENGTH_MAX = 256
WAITING_MAX = 32
"""At 20 ms each nobody waits much longer than half a second."""
NICENESS = 10
"""More than the process has: an absolute one would put it before a process that is niced itself."""

_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")


class Passwords:
    """Used from one event loop."""

    def __init__(self) -> None:
        # OWASP's least: 19 MiB, two passes, one lane.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._lanes = {known: ThreadPoolExecutor(1, "argon2", _step_back) for known in (0, 1)}
        self._waiting = {0: 0, 1: 0}
        self._nobody = self._hasher.hash("nobody has this password")

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Raises `Busy`."""
        return str(await self._run(1, self._hasher.hash, password))

    async def verify(self, kept: str | None, password: str, *, known: bool = False) -> bool:
        """Takes the same time where there is no such person (`kept` is None). Raises `Busy`."""
        matches = bool(await self._run(int(known), self._verify, kept or self._nobody, password))
        return matches and kept is not None

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, lane: int, call: object, *arguments: str) -> object:
        if self._waiting[lane] >= WAITING_MAX:
            raise Busy("Too many people are signing in at the moment.")
        self._waiting[lane] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._lanes[lane],
                call,  # type: ignore[arg-type]
                *arguments,
            )
        finally:
            self._waiting[lane] -= 1


def check_new(password: str, name: str) -> None:
    """Length counts, rules of composition do not. Raises `InvalidRequest`."""
    if len(password) < LENGTH_MIN:
        raise _weak(f"must have at least {LENGTH_MIN} characters")
    if len(password) > LENGTH_MAX:
        raise _weak(f"must have at most {LENGTH_MAX} characters")
    folded = password.casefold()
    if (
        len(set(folded)) < 4
        or folded.isdigit()
        or name.casefold() in folded
        or "pipewatcher" in folded
    ):
        raise _weak("is easily guessed")
    core = _AROUND.sub("", folded)
    half = folded[: len(folded) // 2]
    if {folded, core} & _common() or (half * 2 == folded and half in _common()):
        raise _weak("is one of those that are tried first")


@cache
def _common() -> frozenset[str]:
    """The 20,000 most used, from Royce Williams' list as Django ships it."""
    packed = resources.files("pipewatcher.identity").joinpath("common_passwords.txt.gz")
    return frozenset(gzip.decompress(packed.read_bytes()).decode().split())


def _weak(reason: str) -> InvalidRequest:
    return InvalidRequest(f"password {reason}", [Rejection(field="password", reason=reason)])


def _step_back() -> None:
    """Only this thread, where the system knows priorities of threads."""
    with contextlib.suppress(OSError, AttributeError):
        thread = threading.get_native_id()
        present = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, present + NICENESS)
