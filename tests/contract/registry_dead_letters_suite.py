"""What every registry promises of dead letters."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pipewatcher.errors import NotFound
from pipewatcher.model.readings import DeadLetter, Rejection
from pipewatcher.ports import Registry


def a_letter(reason: str = "value: is missing", **changes: object) -> DeadLetter:
    letter = DeadLetter(
        id=0,
        door="mqtt",
        topic="plant/P-1/value",
        client="gw-1",
        received_at=5,
        reason=reason,
        rejections=[Rejection(index=0, field="value", reason="is missing")],
        payload=b'{"timestamp": 1}',
        payload_bytes=16,
    )
    return msgspec.structs.replace(letter, **changes)


class RegistryDeadLettersSuite:
    async def test_dead_letters_are_kept_to_the_byte_and_listed_newest_first(
        self, registry: Registry
    ) -> None:
        letters = [
            a_letter(payload=bytes(range(256)), payload_bytes=70_000, topic="é\U0001f525"),
            a_letter(door="store", client="", topic="", payload=b"", payload_bytes=0),
            a_letter(rejections=[], edited_by="ana"),
        ]
        await registry.add_dead_letters(letters)
        found = await registry.dead_letters(9)
        assert [msgspec.structs.replace(one, id=0) for one in found] == letters[::-1]
        assert [one.id for one in found] == sorted({one.id for one in found}, reverse=True)
        assert await registry.dead_letters(1) == found[:1]
        assert await registry.dead_letters(9, before_id=found[1].id) == found[2:]
        assert [await registry.dead_letter(one.id) for one in found] == found
        assert await registry.count_dead_letters() == (3, 256 + 0 + 16)

    async def test_dead_letters_are_found_by_door_and_by_text_in_reason_or_topic(
        self, registry: Registry
    ) -> None:
        letters = [
            a_letter("100% of it_was .* bad\\"),
            a_letter("timestamp: lies in the future", door="store", topic=""),
            a_letter("x", topic="Site/Future"),
        ]
        await registry.add_dead_letters(letters)

        async def reasons(**wanted: str) -> list[str]:
            found = [one.reason for one in await registry.dead_letters(9, **wanted)]
            assert (await registry.count_dead_letters(**wanted))[0] == len(found)
            return found

        assert await reasons(text="FUTURE") == ["x", letters[1].reason]
        assert await reasons(text="future", door="store") == [letters[1].reason]
        for part in ("100%", "t_w", ".*", "bad\\", "% of"):
            assert await reasons(text=part) == [letters[0].reason], part
        assert await reasons(text="t%f") == []
        assert await reasons(door="mqtt-broker") == []

    async def test_a_dead_letter_is_edited_and_removed(self, registry: Registry) -> None:
        await registry.add_dead_letters([a_letter(), a_letter()])
        second, first = await registry.dead_letters(9)
        edited = msgspec.structs.replace(first, payload=b"1", reason="y", edited_by="ana")
        await registry.save_dead_letter(edited)
        assert await registry.dead_letters(9) == [second, edited]
        assert await registry.count_dead_letters() == (2, 17)
        await registry.remove_dead_letter(first.id)
        assert await registry.dead_letters(9) == [second]
        for call in (
            registry.dead_letter(first.id),
            registry.save_dead_letter(edited),
            registry.remove_dead_letter(first.id),
        ):
            with pytest.raises(NotFound):
                await call

    @pytest.mark.parametrize(
        ("count_max", "bytes_max", "left"),
        [(9, 999, 5), (3, 999, 3), (9, 32, 2), (9, 31, 1), (0, 999, 0), (9, 0, 0)],
    )
    async def test_of_too_many_dead_letters_the_oldest_go(
        self, registry: Registry, count_max: int, bytes_max: int, left: int
    ) -> None:
        await registry.add_dead_letters([a_letter() for _ in range(5)])
        before = await registry.dead_letters(9)
        assert await registry.trim_dead_letters(count_max, bytes_max) == 5 - left
        assert await registry.dead_letters(9) == before[:left]

    async def test_dead_letters_added_at_once_have_one_id_each(self, registry: Registry) -> None:
        await asyncio.gather(
            *(registry.add_dead_letters([a_letter(f"{n}") for n in range(20)]) for _ in range(5))
        )
        assert len({one.id for one in await registry.dead_letters(500)}) == 100
