"""Where a person reads, mends and sends again what could not be answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from pipewatcher.errors import BodyTooLarge, Conflict, InvalidRequest, NotFound, PipeWatcherError
from pipewatcher.intake import Intake
from pipewatcher.model.readings import Batch, DeadLetter, Receipt
from pipewatcher.ports import DeadLetterRegistry
from pipewatcher.sources.mqtt_payload import Parsed, TopicRules, parse

REPLAY_ORIGIN = "replay"
"""Origin of what is sent again, with who did it: `replay:<name>`."""


class DeadLetterDesk:
    def __init__(
        self,
        registry: DeadLetterRegistry,
        intake: Intake,
        rules: TopicRules,
        *,
        payload_bytes_max: int,
    ) -> None:
        self._registry = registry
        self._intake = intake
        self._rules = rules
        self._payload_bytes_max = payload_bytes_max
        self._changing = asyncio.Lock()
        """So that a letter which is edited while it is sent is not removed with the edit in it."""

    async def letters(
        self, limit: int, before_id: int | None, *, door: str | None, text: str | None
    ) -> Sequence[DeadLetter]:
        """Newest first."""
        return await self._registry.dead_letters(limit, before_id, door=door, text=text)

    async def count(self, *, door: str | None, text: str | None) -> int:
        letters, _ = await self._registry.count_dead_letters(door=door, text=text)
        return letters

    async def letter(self, letter_id: int) -> DeadLetter:
        """Raises `NotFound`."""
        return await self._registry.dead_letter(letter_id)

    async def edit(
        self, letter_id: int, *, payload: bytes, topic: str | None, by: str
    ) -> DeadLetter:
        """The letter with another payload and, if given, topic, checked as it would be when sent:
        its rejections are what is still wrong. Raises `NotFound`, `BodyTooLarge`."""
        if len(payload) > self._payload_bytes_max:
            raise BodyTooLarge(f"A dead letter holds at most {self._payload_bytes_max} bytes.")
        async with self._changing:
            letter = await self._registry.dead_letter(letter_id)
            edited = msgspec.structs.replace(
                letter,
                payload=payload,
                payload_bytes=len(payload),
                topic=letter.topic if topic is None else topic,
                edited_by=by,
            )
            found = await self._parsed(edited, by)
            edited = msgspec.structs.replace(
                edited,
                reason=found.reason or letter.reason,
                rejections=list(found.rejections),
            )
            await self._registry.save_dead_letter(edited)
            return edited

    async def remove(self, letter_id: int) -> None:
        """Raises `NotFound`."""
        await self._registry.remove_dead_letter(letter_id)

    async def replay(self, letter_id: int, by: str) -> Receipt:
        """Sends it once more. What is accepted is durable when this returns, and leaves the letter;
        the letter goes with its last reading. A crash in between leaves a letter that can be
        sent again: the same readings change nothing.

        Raises `NotFound`, `Conflict` for a payload of which only the beginning was kept,
        `InvalidRequest` when nothing was accepted, or a `Busy`.
        """
        async with self._changing:
            letter = await self._registry.dead_letter(letter_id)
            if letter.cut:
                raise Conflict(
                    "Only the beginning of this payload was kept: mend it before it is sent again."
                )
            self._intake.admit()
            parsed = await self._parsed(letter, by)
            self._intake.unknown_fields += parsed.unknown_fields
            for code, readings in parsed.rejected_by_code.items():
                self._intake.reject(REPLAY_ORIGIN, code, readings)
            if parsed.batch is not None:
                await self._durable(parsed.batch)
            # Whoever removed it meanwhile, its readings are kept.
            with contextlib.suppress(NotFound):
                await self._settle(letter, parsed)
        if parsed.batch is None:
            raise InvalidRequest("This still is no valid reading.", parsed.rejections)
        return Receipt(
            received=parsed.received,
            accepted=len(parsed.batch),
            rejected=parsed.rejected,
            errors=list(parsed.rejections),
            unknown_fields=parsed.unknown_fields,
        )

    async def _parsed(self, letter: DeadLetter, by: str) -> Parsed:
        return await asyncio.to_thread(
            parse,
            letter.topic,
            letter.payload,
            origin=f"{REPLAY_ORIGIN}:{by}",
            received_at=letter.received_at,
            bounds=self._intake.bounds(),
            rules=self._rules,
        )

    async def _durable(self, batch: Batch) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: PipeWatcherError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self._intake.take(batch, done)
        await future

    async def _settle(self, letter: DeadLetter, parsed: Parsed) -> None:
        if not parsed.rejected:
            await self._registry.remove_dead_letter(letter.id)
            return
        await self._registry.save_dead_letter(
            msgspec.structs.replace(
                letter,
                payload=parsed.rest,
                payload_bytes=len(parsed.rest),
                reason=parsed.reason,
                rejections=parsed.rest_rejections,
            )
        )
