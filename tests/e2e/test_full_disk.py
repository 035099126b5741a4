"""A disk that fills up: 503, nothing acknowledged is lost, and it goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk"),
]
DISK_MB = 48


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(mount)], check=True
    )
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.mark.parametrize("guard_mb", [0, 12], ids=["disk full", "disk guard"])
async def test_a_full_disk_loses_nothing_acknowledged_and_work_resumes(
    small_disk: Path, guard_mb: int
) -> None:
    acknowledged: dict[str, int] = {}
    refused = 0
    ballast = small_disk / "ballast"
    with Server(small_disk / "data", disk_free_min_mb=guard_mb) as server:
        async with server.client() as api:
            ballast.write_bytes(b"\0" * (DISK_MB - 24) * 2**20)
            until = time.monotonic() + 60
            batch = 0
            while refused < 20 and time.monotonic() < until:
                name = f"EQ-{batch}"
                answer = await api.post("/api/v1/readings", json=_readings(name, 5_000))
                if answer.status_code == 200:
                    acknowledged[name] = 5_000
                    batch += 1
                else:
                    assert answer.status_code == 503, answer.text
                    assert int(answer.headers["retry-after"]) > 0
                    refused += 1
                    await asyncio.sleep(0.1)
            assert refused >= 20
            assert acknowledged
            assert (await api.get("/healthz")).status_code == 200
            ballast.unlink()
            until = time.monotonic() + 60
            while time.monotonic() < until:
                answer = await api.post("/api/v1/readings", json=_readings("EQ-after", 10))
                if answer.status_code == 200:
                    break
                await asyncio.sleep(0.5)
            assert answer.status_code == 200
            acknowledged["EQ-after"] = 10
            counts = await _counts(api)
    assert {name: counts[name] for name in acknowledged} == acknowledged
    with server:
        async with server.client() as api:
            counts = await _counts(api)
    assert {name: counts[name] for name in acknowledged} == acknowledged


async def _counts(api: object) -> dict[str, int]:
    for _ in range(120):
        answer = await api.get(  # type: ignore[attr-defined]
            "/api/v1/averages", params={"window": "2d", "until": "2026-01-02T00:00:00Z"}
        )
        if answer.status_code == 200:
            return {item["equipmentId"]: item["count"] for item in answer.json()["items"]}
        assert answer.status_code == 503
        await asyncio.sleep(0.5)
    raise AssertionError("the store did not come back")


def _readings(name: str, count: int) -> list[dict[str, object]]:
    return [
        {
            "equipmentId": name,
            "timestamp": f"2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z",
            "value": n * 1.000001,
        }
        for n in range(count)
    ]
