"""Makes the folder of the present formats: `PYTHONPATH=src:tests python -m frozen`."""

from __future__ import annotations

import asyncio
import json
import lzma
import tarfile
import tempfile
from pathlib import Path

import httpx
import numpy as np

from everything import everything
from frozen import HERE, PRESENT
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import HOUR, MINUTE
from server import Server
from workload import import_comes_to, instant

SENSORS = 5
WAITING = 60
FIRST = 1_767_225_600_000_000
"""`instant(0)`."""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        asyncio.run(_write(folder))
        asyncio.run(_wait(folder / "commit-log.sqlite"))
        archive = Path(scratch) / "data.tar"
        with tarfile.open(archive, "w") as files:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != "lock":
                    files.add(path, path.relative_to(folder))
        answers = Path(scratch) / "answers.json"
        answers.write_text(json.dumps(asyncio.run(_answers(folder))))
        with tarfile.open(archive, "a") as files:
            files.add(answers, answers.name)
        packed = lzma.compress(archive.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
        (HERE / f"{PRESENT}.tar.xz").write_bytes(packed)


async def _write(folder: Path) -> None:
    """As it is after a kill."""
    server = Server(folder).start()
    try:
        async with server.client() as api:
            await _fill(api)
    finally:
        server.kill()


async def _fill(api: httpx.AsyncClient) -> None:
    def batch(start: int, stop: int) -> list[dict[str, object]]:
        return [
            {"equipmentId": f"EQ-{s}", "timestamp": instant(n), "value": round(s + n / 7, 2)}
            for s in range(SENSORS)
            for n in range(start, stop)
        ]

    late = {"equipmentId": "EQ-late", "timestamp": instant(0), "value": 5e-324}
    assert (await api.post("/api/v1/readings", json=late)).status_code == 204
    for start, stop in ((0, 200), (230, 400), (350, 360)):
        assert (await api.post("/api/v1/readings", json=batch(start, stop))).status_code == 200
    corrected = [reading | {"value": -1.5} for reading in batch(90, 95)]
    assert (await api.post("/api/v1/readings", json=corrected)).status_code == 200
    kept = await _imported(api, "EQ-1", range(180, 240))
    undone = await _imported(api, "EQ-2", range(150, 260))
    assert (await api.delete(f"/api/v1/imports/{undone}")).status_code == 200
    await import_comes_to(api, undone, "undone")
    await import_comes_to(api, kept, "done")
    names = {"name": "Bomba 0", "unit": "bar", "rangeMax": 90.5, "cadenceSeconds": 60}
    assert (await api.patch("/api/v1/sensors/EQ-0", json=names)).status_code == 200
    token = {"name": "edge", "role": "device", "writesPrefix": "EQ-"}
    assert (await api.post("/api/v1/tokens", json=token)).is_success


async def _imported(api: httpx.AsyncClient, sensor: str, minutes: range) -> int:
    rows = "".join(f"{sensor},{instant(n)},{100 + n}\n" for n in minutes)
    answer = await api.post(
        "/api/v1/imports",
        content=f"equipmentId,timestamp,value\n{rows}{sensor},never,1\n",
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text
    import_id: int = answer.json()["id"]
    await import_comes_to(api, import_id, "done")
    return import_id


async def _wait(commit_log: Path) -> None:
    """Readings that were acknowledged and are not stored yet."""
    log = SQLiteCommitLog(commit_log)
    await log.open()
    for minute in range(WAITING):
        await log.append_reading("EQ-3", FIRST + 10 * HOUR + minute * MINUTE, 3.25, "http:waiting")
    await log.append(
        Batch(
            equipment_ids=["EQ-4", "EQ-late"],
            codes=np.array([0, 1, 1], np.uint32),
            event_times=FIRST + 11 * HOUR + np.arange(3) * MINUTE,
            values=np.array([1.0, -0.0, 1e300]),
            origins=["mqtt:waiting"],
        )
    )
    await log.close()


async def _answers(folder: Path) -> dict[str, object]:
    with Server(folder) as server:
        async with server.client() as api:
            return await everything(api)


if __name__ == "__main__":
    main()
