"""A real server on a loopback port and a Unix socket, with the real commit log behind it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from loop_harness import DEVICE_TOKEN, VIEWER_TOKEN, WAIT_S, WRITER_ROLES, OnLoop
from pipewatcher.sources.http import PATH, Ingest
from pipewatcher.sources.http_asgi import IngestEndpoint, is_local
from pipewatcher.sources.http_door import Limits
from pipewatcher.sources.http_protocol import HttpDoor
from waiting import eventually

DEVICE = {"Authorization": f"Bearer {DEVICE_TOKEN}"}
VIEWER = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


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
class Running(OnLoop):
    limits: Limits = field(default_factory=Limits)
    port: int = 0
    uds: str = ""

    def start(self) -> None:
        self._opened: list[http.client.HTTPConnection | socket.socket] = []
        super().start()

    def stop(self) -> None:
        for connection in self._opened:
            connection.close()
        super().stop()

    def client(self, over: str = "socket") -> Client:
        """Open until the server stops, as `raw` is."""
        client = Client(self.port, over)
        self._opened.append(client.http)
        return client

    def raw(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        self._opened.append(connection)
        return connection

    async def serve(self) -> None:
        ingest = Ingest(self.intake, self.tokens, writer_roles=WRITER_ROLES)
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
        serving = asyncio.create_task(self.server.serve(listening))
        await eventually(lambda: self.server.started, every_s=0.01)
        self.ready.set()
        await self.stopping.wait()
        self.server.should_exit = True
        await serving
        ingest.close()


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("local" if is_local(request.scope) else "hello")


async def _upload(request: Request) -> PlainTextResponse:
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


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
    server = Running(folder, intake_options, limits or Limits())
    server.start()
    try:
        yield server
    finally:
        server.stop()
