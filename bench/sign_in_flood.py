"""1,000 wrong sign-ins a second for a minute: `python bench/sign_in_flood.py [--seconds 60]`.

Prints what the flood was answered, and how fast a device and the owner of the name are served
before and during it. The flood's own work is on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import httpx

from server import AUTH, Server
from sign_in_flood import flood

WHO = {"name": "ana", "password": "several words in a row"}
READING = {"equipmentId": "EQ-1", "timestamp": "2026-01-01T00:00:00Z", "value": 1.5}


async def timed(
    server: Server,
    method: str,
    path: str,
    body: object,
    pause_s: float,
    seconds: float,
    **headers: str,
) -> list[float]:
    """Seconds for each answer that was 204; another one ends the bench."""
    took: list[float] = []
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=server.url, timeout=60, headers=headers) as client:
        while time.monotonic() < until:
            began = time.monotonic()
            answer = await client.request(method, path, json=body)
            assert answer.status_code == 204, answer.text
            took.append(time.monotonic() - began)
            await asyncio.sleep(pause_s)
    return took


async def bench(server: Server, seconds: float, per_s: int) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    async with httpx.AsyncClient(base_url=server.url) as browser:
        path = (
            await browser.post("/api/v1/users/invitations", json={"role": "admin"}, headers=AUTH)
        ).json()["path"]
        made = {"invitation": path.partition("#")[2], **WHO}
        await browser.post("/api/v1/users/invitations/accept", json=made)
        known = {"cookie": f"pw_known={browser.cookies['pw_known']}"}

    async def served(seconds: float) -> tuple[list[float], list[float]]:
        return await asyncio.gather(
            timed(server, "POST", "/api/v1/readings", READING, 0, seconds, **AUTH),
            timed(server, "POST", "/api/v1/session", WHO, 0.5, seconds, **known),
        )

    report("before", *await served(5))
    answered, (readings, sign_ins) = await asyncio.gather(
        flood(host, int(port), name="ana", per_s=per_s, seconds=seconds), served(seconds)
    )
    report("during", readings, sign_ins)
    print(f"flood: {dict(answered)}, {sum(answered.values()) / seconds:,.0f} a second")


def report(when: str, readings: list[float], sign_ins: list[float]) -> None:
    for what, took in (("readings", readings), ("sign-ins of the owner", sign_ins)):
        p50, worst = statistics.median(took) * 1_000, max(took) * 1_000
        print(f"{when}: {len(took):,} {what}, median {p50:.1f} ms, worst {worst:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--per-s", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        asyncio.run(bench(server, given.seconds, given.per_s))


if __name__ == "__main__":
    main()
