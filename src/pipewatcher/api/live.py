"""What happens, as it happens: server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from pipewatcher.api.answers import Camel, maybe_rfc3339, problems
from pipewatcher.api.auth import Caller, answers_of
from pipewatcher.api.imports import import_item
from pipewatcher.api.notifications import notification_item
from pipewatcher.api.services import LiveEvent
from pipewatcher.live import ImportNews
from pipewatcher.model.plant import Notification, SensorState

router = APIRouter(prefix="/api/v1/live", tags=["live"])
HEARTBEAT_S = 15.0
"""A comment, so that proxies and clients see that the connection lives."""
LIFE_S = 900.0
"""Then the client comes again, and its credentials are looked at again."""


class LiveSensor(Camel):
    equipment_id: str
    state: SensorState
    timestamp: str | None
    value: float | None


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Events.", "content": {"text/event-stream": {}}},
        **problems(401, 403, 422, 503),
    },
)
async def live(
    request: Request,
    _: Caller,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """`reading` and `state`: items with `equipmentId`, `state`, `timestamp`, `value`, thinned;
    `notification`; `import`; `reset`: some events were missed, ask the lists anew. `Last-Event-ID`
    goes on behind an event; notifications are not missed, also over a restart."""
    events = answers_of(request).live.subscribe(last_event_id)
    # Its first step is taken here, so that a refusal is an answer and not a broken stream.
    first = asyncio.ensure_future(anext(events))
    await asyncio.wait({first}, timeout=0.1)
    if first.done() and first.exception() is not None:
        await first
    stream = _stream(request, events, first)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(
    request: Request, events: Any, coming: asyncio.Future[LiveEvent]
) -> AsyncIterator[bytes]:
    until = time.monotonic() + LIFE_S
    try:
        yield b"retry: 2000\n\n"
        while time.monotonic() < until:
            await asyncio.wait({coming}, timeout=HEARTBEAT_S)
            if not coming.done():
                yield b": still here\n\n"
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            yield _encoded(request, event)
            coming = asyncio.ensure_future(anext(events))
    finally:
        coming.cancel()
        await asyncio.wait({coming})
        if not coming.cancelled():
            coming.exception()
        with contextlib.suppress(RuntimeError):
            await events.aclose()


def _encoded(request: Request, event: LiveEvent) -> bytes:
    body = msgspec.json.encode(_body(request, event))
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.kind.encode(), body)


def _body(request: Request, event: LiveEvent) -> object:
    body: Any = event.body
    if isinstance(body, Notification):
        return notification_item(body, unread=True)
    if isinstance(body, ImportNews):
        return import_item(request, body.job, body.gaps)
    if isinstance(body, list):
        return {
            "items": [
                LiveSensor(
                    equipment_id=sensor.equipment_id,
                    state=sensor.state,
                    timestamp=maybe_rfc3339(sensor.last_time),
                    value=sensor.last_value,
                )
                for sensor in body
            ]
        }
    return body
