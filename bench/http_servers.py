"""Servers to compare the door with; each takes one reading a request.

`python bench/http_servers.py door|fastapi|asgi|null|null-asgi PORT FOLDER`

- `door`: what PipeWatcher serves: token, rules, group commit to the SQLite commit log.
- `fastapi`: the same durable work as a plain FastAPI + pydantic endpoint would do it.
- `asgi`: the door's own function behind uvicorn's HTTP protocol and ASGI.
- `null-asgi`: uvicorn and an ASGI function that answers 204: nothing is checked, nothing is kept.
- `null`: the same as a bare protocol with httptools, that does not even look at the headers.

When it is stopped it says how many readings are in the commit log (nothing takes them out).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import httptools
import uvicorn
import uvloop
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, Field

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.identity.tokens import Authenticator, mint
from pipewatcher.intake import Intake
from pipewatcher.model.identity import Principal
from pipewatcher.model.time import SECOND
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.sources.http import PATH, Ingest
from pipewatcher.sources.http_asgi import IngestEndpoint
from pipewatcher.sources.http_protocol import HttpDoor

TOKEN = "pw_bench-token-of-some-length"


class OneToken:
    def __init__(self) -> None:
        self._known = {b"Bearer " + TOKEN.encode(): Principal(name="bench", role="admin")}

    def bearer(self, header: bytes | None) -> Principal | None:
        return self._known.get(header or b"")


class Reading(BaseModel):
    equipmentId: str = Field(min_length=1, max_length=64, pattern=r"^\S+$")  # noqa: N815
    value: float = Field(allow_inf_nan=False)
    timestamp: AwareDatetime


class NullProtocol(asyncio.Protocol):
    def __init__(self, **_made: Any) -> None:
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def principal(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> str:
    if credentials.credentials != TOKEN:
        raise HTTPException(401)
    return "bench"


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal again at the end, and nothing could be said any more."""
        yield


async def null_app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def fastapi_app(commit_log: SQLiteCommitLog) -> FastAPI:
    app = FastAPI()

    @app.post(PATH, status_code=204)
    async def post_reading(reading: Reading, name: Annotated[str, Depends(principal)]) -> None:
        moment: datetime = reading.timestamp
        await commit_log.append_reading(
            reading.equipmentId, int(moment.timestamp() * SECOND), reading.value, f"http:{name}"
        )

    return app


async def many_tokens(folder: Path) -> Authenticator:
    """The real check, beside which `OneToken` is none at all."""
    registry = SQLiteRegistry(folder / "registry.sqlite")
    await registry.open()
    for n in range(200):
        await registry.add_token(f"gw-{n}", "device", mint().secret_sha256, 1)
    authenticator = Authenticator(registry, TOKEN)
    await authenticator.start()
    await registry.close()
    return authenticator


async def serve(kind: str, port: int, folder: Path) -> None:
    commit_log = SQLiteCommitLog(folder / "commit.db")
    await commit_log.open()
    intake = Intake(
        commit_log,
        data_dir=folder,
        disk_free_min_bytes=0,
        backlog_bytes_max=2**40,
        inflight_bytes_max=2**28,
        future_max_s=300,
    )
    await intake.start()
    tokens: Any = OneToken()
    if kind == "door-tokens":
        tokens, kind = await many_tokens(folder), "door"
    ingest = Ingest(intake, tokens, writer_roles=frozenset({"admin"}))
    options: dict[str, Any] = {"app": IngestEndpoint(ingest, intake), "http": "httptools"}
    if kind == "door":
        options["http"] = HttpDoor(ingest, intake).protocol
    elif kind == "null":
        options["http"] = NullProtocol
    elif kind == "null-asgi":
        options["app"] = null_app
    elif kind == "fastapi":
        options["app"] = fastapi_app(commit_log)
    config = uvicorn.Config(
        **options, port=port, backlog=16_384, access_log=False, log_level="warning", lifespan="off"
    )
    server = Server(config)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.handle_exit, 15, None)
    await server.serve()
    print(f"COMMITTED {commit_log.backlog().readings}", flush=True)
    await intake.close()
    ingest.close()
    await commit_log.close()


if __name__ == "__main__":
    kind, port, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as spare:
        uvloop.run(serve(kind, int(port), Path(rest[0] if rest else spare)))
