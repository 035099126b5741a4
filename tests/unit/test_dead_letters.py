"""Dead letters: durable when that was asked for, bounded always, and never dropped unsaid."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipewatcher import dead_letters as service
from pipewatcher.dead_letters import DeadLetters
from pipewatcher.errors import Stopping, StoreUnavailable
from pipewatcher.model.readings import DeadLetter, RefusedReading, Rejection
from pipewatcher.payload import parse_object
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.validate import EventTimeBounds


class Registry(SQLiteRegistry):
    """The real one, which can be away."""

    away = False

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        if self.away:
            raise StoreUnavailable
        await super().add_dead_letters(letters)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    registry = Registry(tmp_path / "registry.sqlite")
    await registry.open()
    yield registry
    await registry.close()


@contextlib.asynccontextmanager
async def running(
    registry: Registry, count_max: int = 1_000, bytes_max: int = 2**20
) -> AsyncIterator[DeadLetters]:
    letters = DeadLetters(registry, count_max=count_max, bytes_max=bytes_max)
    task = asyncio.create_task(letters.run())
    yield letters
    await letters.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def a_letter(reason: str = "x", payload: bytes = b"1") -> dict[str, Any]:
    return {
        "door": "mqtt",
        "topic": "t",
        "client": "c",
        "received_at": 5,
        "payload": payload,
        "reason": reason,
        "rejections": [Rejection(field="value", reason="is missing")],
    }


async def reasons(registry: Registry) -> list[str]:
    return [one.reason for one in reversed(await registry.dead_letters(10_000))]


async def test_what_is_buried_is_in_the_registry_once_the_service_has_closed(
    registry: Registry,
) -> None:
    async with running(registry) as letters:
        for n in range(1_200):
            letters.bury(**a_letter(str(n)))
    assert await reasons(registry) == [str(n) for n in range(200, 1_200)]
    assert (letters.buried, letters.dropped, letters.kept) == (1_200, 200, 1_000)


async def test_what_is_kept_is_durable_when_that_returns(registry: Registry) -> None:
    async with running(registry) as letters:
        await asyncio.gather(*(letters.keep(**a_letter(str(n))) for n in range(30)))
        assert len(await reasons(registry)) == 30
    with pytest.raises(Stopping):
        await letters.keep(**a_letter())


async def test_while_the_registry_is_away_letters_wait_and_who_keeps_one_is_told(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RETRY_S", 0.01)
    async with running(registry) as letters:
        registry.away = True
        letters.bury(**a_letter("first"))
        with pytest.raises(StoreUnavailable):
            await letters.keep(**a_letter("told"))
        letters.bury(**a_letter("second"))
        await asyncio.sleep(0.05)
        registry.away = False
    assert await reasons(registry) == ["first", "second"]
    assert letters.dropped == 0


async def test_memory_is_bounded_while_the_registry_is_away(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WAITING_MAX", 10)
    monkeypatch.setattr(service, "WAITING_BYTES_MAX", 1_000)
    monkeypatch.setattr(service, "RETRY_S", 0.01)
    async with running(registry) as letters:
        registry.away = True
        for n in range(25):
            letters.bury(**a_letter(str(n)))
        assert letters.dropped == 15
        letters.bury(**a_letter("large", b"x" * 999))
        assert letters.dropped == 15 + 9
        registry.away = False
    assert await reasons(registry) == ["24", "large"]


async def test_the_oldest_go_when_their_bytes_are_too_many(registry: Registry) -> None:
    async with running(registry, bytes_max=1_000) as letters:
        for n in range(8):
            await letters.keep(**a_letter(str(n), b"x" * 300))
    assert await reasons(registry) == ["5", "6", "7"]
    assert (letters.kept, letters.kept_bytes, letters.dropped) == (3, 900, 5)


async def test_of_a_large_payload_the_beginning_is_kept_and_that_is_said(
    registry: Registry,
) -> None:
    async with running(registry) as letters:
        letters.bury(**a_letter(payload=b"x" * 100_000))
    (letter,) = await registry.dead_letters(1)
    assert (len(letter.payload), letter.payload_bytes, letter.cut) == (65_536, 100_000, True)


async def test_what_the_store_refuses_becomes_letters_that_can_be_sent_again(
    registry: Registry,
) -> None:
    refused = [
        RefusedReading(
            equipment_id='P"é', event_time=n - 5, value=0.1 + 0.2, origin="http:gw", reason="no"
        )
        for n in range(3)
    ]
    async with running(registry) as letters:
        await letters.keep_refused(refused)
        found = await registry.dead_letters(9)
        registry.away = True
        with pytest.raises(StoreUnavailable):
            await letters.keep_refused(refused)
        registry.away = False
    assert {(one.door, one.client, one.reason) for one in found} == {("store", "http:gw", "no")}
    bounds = EventTimeBounds(latest=2**60)
    assert sorted(parse_object(one.payload, bounds)[0] for one in found) == [
        (one.equipment_id, one.event_time, one.value) for one in refused
    ]
