"""The API of this data folder: of the server that holds it, or of one opened for the moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from pipewatcher import local_socket
from pipewatcher.errors import PipeWatcherError
from pipewatcher.settings import Settings
from pipewatcher.wiring import serve_local


@contextlib.asynccontextmanager
async def local_api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """As the local administrator, over the Unix socket in the data folder."""
    async with contextlib.AsyncExitStack() as stack:
        if not await is_running(settings.data_dir):
            await stack.enter_async_context(serve_local(settings))
        address = stack.enter_context(local_socket.address_of(settings.data_dir))
        transport = httpx.AsyncHTTPTransport(uds=address)
        client = httpx.AsyncClient(
            transport=transport, base_url="http://pipewatcher", timeout=httpx.Timeout(60)
        )
        yield await stack.enter_async_context(client)


async def is_running(data_dir: Path) -> bool:
    """Whether a process holds the folder and answers."""
    try:
        with local_socket.address_of(data_dir) as address:
            _, writer = await asyncio.open_unix_connection(address)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    await writer.wait_closed()
    return True


def checked(response: httpx.Response) -> httpx.Response:
    """Raises `PipeWatcherError` with what the server said."""
    if response.is_success:
        return response
    try:
        problem = response.json()
        raise PipeWatcherError(problem["detail"], hint=problem.get("hint"))
    except (ValueError, KeyError):
        raise PipeWatcherError(f"the server answered {response.status_code}") from None
