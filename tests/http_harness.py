"""A real server on a loopback port and a Unix socket, with the real commit log behind it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.intake import Intake
from pipewatcher.model import Principal
from pipewatcher.sources.http import PATH, Ingest
from pipewatcher.sources.http_asgi import IngestEndpoint, is_local
from pipewatcher.sources.http_door import Limits
from pipewatcher.sources.http_protocol import HttpDoor

DEVICE = {"Authorization": "Bearer pw_device-token-0123456789"}
VIEWER = {"Authorization": "Bearer pw_viewer-token-0123456789"}
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
WAIT_S = 20.0

KNOWN = {
    DEVICE["Authorization"].encode(): Principal(name="device", role="device"),
    VIEWER["Authorization"].encode(): Principal(name="viewer", role="viewer"),
}


class KnownTokens:
    def bearer(self, header: bytes | None) -> Principal | None:
        return KNOWN.get(header or b"")


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection; `over="asgi"` makes the server hand it over before the first reading."""

    def __init__(self, port: int, over: str = "socket") -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        if over == "asgi":
            assert self.ask("GET", "/hello").status == 200

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        self.http.request(method, path, body=body, headers=dict(headers or {}))
        response = self.http.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, found, response.read())

    def post(self, body: Any, headers: Mapping[str, str] | None = None) -> Answered:
        return self.ask("POST", PATH, body, DEVICE | JSON if headers is None else headers)


@dataclass
class Running:
    folder: Path
    limits: Limits = field(default_factory=Limits)
    intake_options: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    uds: str = ""

    def start(self) -> None:
        self.stored: list[tuple[str, int, float, str]] = []
        self.errors: list[dict[str, Any]] = []
        self._opened: list[http.client.HTTPConnection | socket.socket] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._main()))
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def stop(self) -> None:
        for connection in self._opened:
            connection.close()
        self.server.should_exit = True
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert self.errors == []
        assert self.intake.inflight_bytes == 0

    def on_loop(self, action: Callable[[], Any]) -> Any:
        """Runs on the server's loop and returns its result."""

        async def run() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_S)

    def client(self, over: str = "socket") -> Client:
        """Open until the server stops, as `raw` is."""
        client = Client(self.port, over)
        self._opened.append(client.http)
        return client

    def raw(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        self._opened.append(connection)
        return connection

    def stored_of(self, equipment_id: str, count: int) -> list[tuple[str, int, float, str]]:
        """The readings of a sensor once there are `count`, in the order of the commit log."""
        until(lambda: len([row for row in self.stored if row[0] == equipment_id]) >= count)
        return [row for row in self.stored if row[0] == equipment_id]

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.commit_log = SQLiteCommitLog(self.folder / "commit.db")
        await self.commit_log.open()
        options: dict[str, Any] = {
            "disk_free_min_bytes": 0,
            "backlog_bytes_max": 2**30,
            "inflight_bytes_max": 2**28,
            "future_max_s": 300,
        }
        self.intake = Intake(
            self.commit_log, data_dir=self.folder, **(options | self.intake_options)
        )
        await self.intake.start()
        ingest = Ingest(
            self.intake, KnownTokens(), writer_roles=frozenset({"admin", "operator", "device"})
        )
        self.door = HttpDoor(ingest, self.intake, self.limits)
        app = Starlette(
            routes=[
                Route(PATH, IngestEndpoint(ingest, self.intake)),
                Route("/hello", _hello),
                Route("/upload", _upload, methods=["POST"]),
            ]
        )
        self.server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=self.door.protocol,  # type: ignore[arg-type]
                backlog=2_048,
                access_log=False,
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=5,
            )
        )
        listening = [socket.socket(), socket.socket(socket.AF_UNIX)]
        self.uds = str(self.folder / "admin.sock")
        listening[0].bind(("127.0.0.1", 0))
        listening[1].bind(self.uds)
        self.port = listening[0].getsockname()[1]
        collector = asyncio.create_task(self._collect())
        serving = asyncio.create_task(self.server.serve(listening))
        while not self.server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        self._ready.set()
        await serving
        await self.intake.close()
        ingest.close()
        await self.commit_log.close()
        await collector

    async def _collect(self) -> None:
        async for delivery in self.commit_log.deliveries("writer", {}):
            for batch in delivery.batches:
                codes = batch.origin_codes
                for i in range(len(batch)):
                    self.stored.append(
                        (
                            batch.equipment_ids[batch.codes[i]],
                            int(batch.event_times[i]),
                            float(batch.values[i]),
                            batch.origins[0 if codes is None else codes[i]],
                        )
                    )


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("local" if is_local(request.scope) else "hello")


async def _upload(request: Request) -> PlainTextResponse:
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def read_to_end(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@contextmanager
def running(folder: Path, limits: Limits | None = None, **intake_options: Any) -> Iterator[Running]:
    server = Running(folder, limits or Limits(), intake_options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
