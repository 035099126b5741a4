"""Equal questions share an answer that is never older than the question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fastapi import Response

from pipewatcher.api.shared_answers import SharedAnswers
from pipewatcher.errors import StoreUnavailable


class Slow:
    """Answers with how often it was asked, once it may."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def answer(self) -> Response:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        return Response(str(number), 202, {"x-number": str(number)})


def run(test: Callable[[SharedAnswers, Slow], Awaitable[None]]) -> None:
    async def inner() -> None:
        async with asyncio.timeout(10):
            await test(SharedAnswers(), Slow())

    asyncio.run(inner())


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_questions_that_come_while_one_is_answered_share_the_next_answer() -> None:
    async def test(shared: SharedAnswers, slow: Slow) -> None:
        first = asyncio.create_task(shared.ask("24h", slow.answer))
        await turns()
        later = [asyncio.create_task(shared.ask("24h", slow.answer)) for _ in range(20)]
        other = asyncio.create_task(shared.ask("7d", slow.answer))
        await turns()
        assert slow.begun == 2, "the first and the other question; equal ones wait"
        slow.may_end.set()
        assert (await first).body == b"1"
        assert {(await task).body for task in later} == {b"3"}, "made after they were asked"
        assert (await other).body == b"2"
        assert (await shared.ask("24h", slow.answer)).body == b"4", "nothing is kept"

    run(test)


def test_each_has_a_response_of_his_own() -> None:
    async def test(shared: SharedAnswers, slow: Slow) -> None:
        slow.may_end.set()
        both = await asyncio.gather(*(shared.ask("24h", slow.answer) for _ in range(2)))
        both[0].headers["x-number"] = "changed"
        assert slow.begun == 1
        assert (both[1].status_code, both[1].headers["x-number"]) == (202, "1")

    run(test)


def test_a_failure_is_everyones_and_the_next_question_is_answered() -> None:
    async def test(shared: SharedAnswers, slow: Slow) -> None:
        async def fail() -> Response:
            raise StoreUnavailable

        both = [asyncio.create_task(shared.ask("24h", fail)) for _ in range(2)]
        for task in both:
            with pytest.raises(StoreUnavailable):
                await task
        slow.may_end.set()
        assert (await shared.ask("24h", slow.answer)).body == b"1"

    run(test)


def test_who_hangs_up_does_not_take_the_answer_from_the_others() -> None:
    async def test(shared: SharedAnswers, slow: Slow) -> None:
        gone = asyncio.create_task(shared.ask("24h", slow.answer))
        stays = asyncio.create_task(shared.ask("24h", slow.answer))
        await turns()
        gone.cancel()
        await turns()
        slow.may_end.set()
        assert (await stays).body == b"1"
        assert slow.begun == 1

    run(test)
