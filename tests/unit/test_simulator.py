"""The simulated gateways against a server that is busy, gone, or says no."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipewatcher.sources.simulated_plant import SimulatedPlant
from pipewatcher.sources.simulator import Faults, Simulator, Summary

PLANT = SimulatedPlant(50)
BUSY = (503, {"code": "busy"}, "retry-after: 0\r\n")
Answer = tuple[int, Any, str]


@asynccontextmanager
async def answering(script: Callable[[int, bytes], Answer | None]) -> AsyncIterator[str]:
    """An HTTP server on loopback; `script` gets the request's number and body, None hangs up."""
    requests = 0
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                answer = script(requests, body)
                requests += 1
                if answer is None:
                    break
                status, document, headers = answer
                text = b"" if status == 204 else json.dumps(document).encode()
                size = "" if status == 204 else f"content-length: {len(text)}\r\n"
                writer.write(f"HTTP/1.1 {status} -\r\n{size}{headers}\r\n".encode() + text)
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*open_ones)


async def run(url: str, **options: Any) -> Summary:
    return await Simulator(PLANT, url, "token", interval_s=0.5, **options).run(1.0)


async def test_a_busy_server_is_asked_again_and_nothing_is_lost() -> None:
    async with answering(lambda n, _: BUSY if n % 3 == 0 else (204, None, "")) as url:
        summary = await run(url)
    assert summary.sent == summary.acknowledged > 50
    assert summary.retried["busy"] > 10
    assert summary.lost == 0


async def test_a_connection_that_breaks_is_tried_again() -> None:
    async with answering(lambda n, _: None if n == 5 else (204, None, "")) as url:
        summary = await run(url)
    assert summary.sent == summary.acknowledged > 50
    assert summary.retried.total() >= 1


async def test_what_is_refused_is_counted_by_code_and_not_sent_again() -> None:
    async with answering(lambda *_: (403, {"code": "forbidden"}, "")) as url:
        summary = await run(url)
    assert summary.refused["forbidden"] == summary.sent == summary.requests > 50


async def test_a_receipt_splits_a_batch_also_beyond_the_errors_that_it_lists() -> None:
    def script(_: int, body: bytes) -> Answer:
        received = len(json.loads(body))
        errors = [{"index": 0, "field": "value", "reason": "…", "code": "invalid_reading"}]
        return 207, {"accepted": received - 3, "rejected": 3, "errors": errors}, ""

    async with answering(script) as url:
        summary = await run(url, batch=10)
    assert summary.sent == summary.acknowledged + summary.refused.total()
    assert summary.refused["not listed"] == 2 * summary.refused["invalid_reading"] > 0


async def test_a_gateway_that_was_away_sends_late_what_it_kept() -> None:
    times: list[str] = []

    def script(_: int, body: bytes) -> Answer:
        times.extend(reading["timestamp"] for reading in json.loads(body))
        return 200, {"accepted": len(json.loads(body)), "errors": []}, ""

    async with answering(script) as url:
        summary = await run(url, batch=20, connections=1, faults=Faults(outages=1.0))
    assert summary.late > 0
    assert summary.kept == 0
    assert summary.sent == summary.acknowledged == len(times)
    assert times != sorted(times)


async def test_a_sensor_that_is_silent_in_the_plants_history_goes_on_being_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: set[str] = set()

    def script(_: int, body: bytes) -> Answer:
        sent.update(reading["equipmentId"] for reading in json.loads(body))
        return 200, {"accepted": len(json.loads(body)), "errors": []}, ""

    monkeypatch.setattr(SimulatedPlant, "silent", lambda _, sensors, times: sensors == 0)
    async with answering(script) as url:
        await run(url, batch=20, connections=1, faults=Faults(silences=True))
    names = [sensor.equipment_id for sensor in PLANT.sensors]
    assert sent == set(names[1:])
