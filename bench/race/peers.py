"""What takes part in the race: one interface, a class for each peer."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import httpx

from server import AUTH, TOKEN, Server
from servers.process import ServerProcess, free_port

HERE = Path(__file__).parent
Reading = tuple[str, int, float]
"""Sensor, seconds since the epoch, value."""


class Peer(Protocol):
    name: ClassVar[str]
    promise: ClassVar[str]
    """What its answer to a write means."""
    notes: ClassVar[str]
    """What one has to know to read its figures."""
    form: ClassVar[str]
    """Of `race.lua`: `json` or `line`."""

    @staticmethod
    def missing() -> str | None: ...
    def start(self, folder: Path) -> None: ...
    def stop(self) -> None: ...
    @property
    def pid(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def write_path(self) -> str: ...
    @property
    def authorization(self) -> str:
        """Value of the header, or `-`."""
        ...

    def send(self, readings: Sequence[Reading]) -> None:
        """One batch."""
        ...

    def import_csv(self, path: Path) -> None:
        """Returns once every row is stored."""
        ...

    def settle(self) -> None:
        """Returns once what was taken is stored and can be asked for."""
        ...

    def count(self) -> int: ...
    def means(self, window_s: int, end_s: int) -> dict[str, float]: ...
    def bytes_stored(self) -> int: ...


def json_of(readings: Sequence[Reading]) -> list[dict[str, object]]:
    from month import stamp

    return [
        {"equipmentId": sensor, "timestamp": stamp(at_s), "value": value}
        for sensor, at_s, value in readings
    ]


def size_of(folder: Path) -> int:
    """Blocks on the disk, not lengths: some make their files larger than what is in them."""
    files = [Path(below) / name for below, _, names in os.walk(folder) for name in names]
    return sum(file.stat().st_blocks * 512 for file in files if file.exists())


class PipeWatcher:
    name = "PipeWatcher"
    promise = "on the disk (fdatasync), stored once, seen by the next question"
    notes = (
        "its means come with count, coverage, time-weighted mean, longest gap, state; a copy of "
        "an imported file is kept, and not counted in the bytes"
    )
    form = "json"
    write_path = "/api/v1/readings"
    authorization = f"Bearer {TOKEN}"

    @staticmethod
    def missing() -> str | None:
        return None

    def start(self, folder: Path) -> None:
        self._folder = folder
        self._server = Server(folder).start()
        self._http = httpx.Client(base_url=self._server.url, headers=AUTH, timeout=600)

    def stop(self) -> None:
        self._http.close()
        self._server.stop()

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def url(self) -> str:
        return self._server.url

    def send(self, readings: Sequence[Reading]) -> None:
        body = json_of(readings)
        while (answer := self._http.post(self.write_path, json=body)).status_code == 503:
            time.sleep(float(answer.headers["retry-after"]))
        answer.raise_for_status()

    def import_csv(self, path: Path) -> None:
        with path.open("rb") as file:
            told = self._http.post(
                "/api/v1/imports", content=file, headers={"content-type": "text/csv"}
            )
        job = told.raise_for_status().json()
        while job["state"] in {"queued", "running"}:
            time.sleep(0.1)
            job = self._http.get(f"/api/v1/imports/{job['id']}").json()
        assert job["state"] == "done", job
        self.settle()

    def settle(self) -> None:
        while self._status()["lag"]["readings"]:
            time.sleep(0.1)

    def count(self) -> int:
        answer = self._http.get("/api/v1/averages", params={"window": "90d"}).raise_for_status()
        return sum(item["count"] for item in answer.json()["items"])

    def means(self, window_s: int, end_s: int) -> dict[str, float]:
        from month import stamp

        answer = self._http.get(
            "/api/v1/averages",
            params={"window": f"{window_s // 3_600}h", "until": stamp(end_s), "limit": 20_000},
        )
        items = answer.raise_for_status().json()["items"]
        return {item["equipmentId"]: item["mean"] for item in items if item["count"]}

    def bytes_stored(self) -> int:
        return size_of(self._folder) - size_of(self._folder / "imports")

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get("/api/v1/status").raise_for_status().json()
        return found


class Afternoon:
    name = "FastAPI + SQLite"
    promise = "on the disk (SQLite, WAL, synchronous=FULL), stored once, seen by the next question"
    notes = "what a good engineer writes in an afternoon: `bench/race/afternoon.py`, one process"
    form = "json"
    authorization = f"Bearer {TOKEN}"
    write_path = "/readings"

    @staticmethod
    def missing() -> str | None:
        return None

    def start(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._port = free_port()
        self._process = ServerProcess(
            [sys.executable, str(HERE / "afternoon.py"), str(self._port), str(folder / "db")],
            folder,
            lambda: _answers(f"{self.url}/docs"),
            {"AFTERNOON_TOKEN": TOKEN},
        ).start()
        self._http = httpx.Client(base_url=self.url, headers=AUTH, timeout=600)

    def stop(self) -> None:
        self._http.close()
        self._process.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def send(self, readings: Sequence[Reading]) -> None:
        self._http.post("/readings", json=json_of(readings)).raise_for_status()

    def import_csv(self, path: Path) -> None:
        with path.open("rb") as file:
            self._http.post("/import", files={"file": file}).raise_for_status()

    def settle(self) -> None:
        return

    def count(self) -> int:
        return int(self._http.get("/count").json())

    def means(self, window_s: int, end_s: int) -> dict[str, float]:
        params = {"start": end_s - window_s, "end": end_s}
        found: dict[str, float] = self._http.get("/means", params=params).json()
        return found

    def bytes_stored(self) -> int:
        return size_of(self._folder)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def on_path(command: str, package: str) -> str | None:
    return None if shutil.which(command) else f"{command} is not installed (Debian: {package})"
