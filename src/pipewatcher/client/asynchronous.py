"""The client for asyncio: the same, with every wait off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipewatcher.client.figures import Average, Gap, StoredReading
from pipewatcher.client.readings import Refused
from pipewatcher.client.synchronous import Client, Row


class AsyncClient:
    """Its promises are those of `Client`, word for word. A cancelled `flush` or `close` goes on in
    its thread."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        buffer: str | Path | None = None,
        buffer_bytes_max: int = 256 * 2**20,
        batch_readings: int = 1_000,
        batch_wait_s: float = 1.0,
        timeout_s: float = 30.0,
        ca_file: str | Path | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> None:
        self._client = Client(
            url,
            token=token,
            buffer=buffer,
            buffer_bytes_max=buffer_bytes_max,
            batch_readings=batch_readings,
            batch_wait_s=batch_wait_s,
            timeout_s=timeout_s,
            ca_file=ca_file,
            on_refused=on_refused,
        )

    def __repr__(self) -> str:
        return f"Async{self._client!r}"

    async def write(self, equipment_id: str, value: float, at: datetime | None = None) -> None:
        # `at` is the moment of the call, not that of the thread.
        await self.write_all([(equipment_id, value, datetime.now(UTC) if at is None else at)])

    async def write_all(self, readings: Iterable[Row]) -> None:
        await asyncio.to_thread(self._client.write_all, readings)

    @property
    def waiting(self) -> int:
        return self._client.waiting

    async def flush(self, timeout_s: float = 60.0) -> None:
        await asyncio.to_thread(self._client.flush, timeout_s)

    async def close(self, timeout_s: float = 10.0) -> None:
        await asyncio.to_thread(self._client.close, timeout_s)

    async def averages(
        self, window: str = "24h", until: datetime | None = None, q: str = ""
    ) -> list[Average]:
        return await asyncio.to_thread(self._client.averages, window, until, q)

    async def gaps(
        self, start: datetime, end: datetime, equipment_id: str | None = None
    ) -> list[Gap]:
        return await asyncio.to_thread(lambda: list(self._client.gaps(start, end, equipment_id)))

    async def readings(
        self, equipment_id: str, start: datetime, end: datetime
    ) -> list[StoredReading]:
        return await asyncio.to_thread(
            lambda: list(self._client.readings(equipment_id, start, end))
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._client.__exit__, kind, error, traceback)
