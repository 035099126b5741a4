"""Wrong sign-ins by the thousand, each from another address, on connections that are kept open."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

CONNECTIONS = 64


def request(host: str, n: int, name: str) -> bytes:
    """The server takes the address of a proxy that it trusts, as 127.0.0.1 is by default."""
    body = json.dumps({"name": name, "password": f"guess {n} of very many"}).encode()
    address = f"198.{18 + (n >> 16) % 2}.{(n >> 8) % 256}.{n % 256}"
    head = (
        f"POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def flood(host: str, port: int, *, name: str, per_s: int, seconds: float) -> Counter[int]:
    """How often each status was answered. It is late rather than faster than `per_s`."""
    statuses: Counter[int] = Counter()
    numbers = iter(range(10**9))
    began = time.monotonic()

    async def guess() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while (now := time.monotonic() - began) < seconds:
                n = next(numbers)
                await asyncio.sleep(max(0.0, n / per_s - now))
                writer.write(request(host, n, name))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                statuses[int(head.split(b" ", 2)[1])] += 1
        finally:
            writer.close()

    await asyncio.gather(*(guess() for _ in range(CONNECTIONS)))
    return statuses
