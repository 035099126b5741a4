"""Sends readings to a PipeWatcher, and asks it for means, gaps and readings.

    with Client("https://historian:8000", token=token, buffer="readings.buffer") as client:
        client.write("EQ-1", 78.4)

`AsyncClient` is the same for asyncio. Nothing of the server is imported here, only httpx and
msgspec.
"""

from pipewatcher.client.asynchronous import AsyncClient
from pipewatcher.client.errors import (
    BufferFull,
    BufferInUse,
    BufferUnusable,
    ClientError,
    NotSent,
    ReadingsRefused,
    RequestRefused,
    Unreachable,
)
from pipewatcher.client.figures import Average, Gap, StoredReading
from pipewatcher.client.readings import Reading, Refused
from pipewatcher.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "Average",
    "BufferFull",
    "BufferInUse",
    "BufferUnusable",
    "Client",
    "ClientError",
    "Gap",
    "NotSent",
    "Reading",
    "ReadingsRefused",
    "Refused",
    "RequestRefused",
    "StoredReading",
    "Unreachable",
]
