"""The one page that builds, starts and stops everything.

Stages are built in the order in which readings pass, started from the far end and stopped from
the doors: what was acknowledged is stored before the files are closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import inspect
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import uvicorn
import uvloop

from pipewatcher import __version__, local_socket
from pipewatcher.api.answers import rfc3339
from pipewatcher.api.app import create_app
from pipewatcher.api.services import Services
from pipewatcher.api.status import Lag, Stages, Status
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.discovery import Discovery
from pipewatcher.errors import DataFolderInUse, PipeWatcherError, SettingsError, StageEnded
from pipewatcher.identity.sessions import Sessions
from pipewatcher.identity.tokens import Authenticator
from pipewatcher.intake import Intake
from pipewatcher.model import SECOND
from pipewatcher.observability import Figures, metrics_text
from pipewatcher.ports import CommitLog, ReadingsStore, Registry
from pipewatcher.queries import Queries
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.settings import Settings
from pipewatcher.sources.csv_import import ImportService
from pipewatcher.sources.http import Ingest
from pipewatcher.sources.http_asgi import OPENAPI_OPERATION, OPENAPI_SCHEMAS, IngestEndpoint
from pipewatcher.sources.http_door import Limits
from pipewatcher.sources.http_protocol import HttpDoor
from pipewatcher.writer import Writer

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
MIB = 2**20
DRAIN_TIMEOUT_S = 60.0
WRITER_ROLES = frozenset({"admin", "device"})

COMMIT_LOGS: dict[str, Callable[[Settings], CommitLog]] = {
    "embedded": lambda s: SQLiteCommitLog(s.data_dir / "commit-log.sqlite"),
}
READINGS: dict[str, Callable[[Settings], ReadingsStore]] = {
    "duckdb": lambda s: DuckDBStore(s.data_dir / "readings.duckdb", memory_mb=s.store_memory_mb),
}
REGISTRIES: dict[str, Callable[[Settings], Registry]] = {
    "sqlite": lambda s: SQLiteRegistry(s.data_dir / "registry.sqlite"),
}


@dataclass(frozen=True, slots=True)
class Stop:
    """Why and when to end: a signal sets `wanted`, and so does a stage that ended on its own."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[BaseException] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Historian:
    """All stages but the doors, running."""

    settings: Settings
    registry: Registry
    store: ReadingsStore
    commit_log: CommitLog
    intake: Intake
    writer: Writer
    discovery: Discovery
    queries: Queries
    imports: ImportService
    authenticator: Authenticator
    sessions: Sessions
    stop: Stop
    first_token: str | None
    """The admin token that was made at this start; shown once."""


@contextlib.asynccontextmanager
async def historian(settings: Settings) -> AsyncIterator[Historian]:
    """Runs the stages on the data folder, which it holds alone.

    Raises `DataFolderInUse`, `DataFolderTooNew`, `SettingsError` and what the engines raise.
    """
    data_dir = settings.data_dir
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_hold(data_dir / "lock"))
        stop = Stop()
        registry = _adapter("REGISTRY", settings.registry, REGISTRIES, settings)
        store = _adapter("READINGS", settings.readings, READINGS, settings)
        commit_log = _adapter("COMMIT_LOG", settings.commit_log, COMMIT_LOGS, settings)
        for opened in (registry, store, commit_log):
            await opened.open()
            stack.push_async_callback(opened.close)
        writer = Writer(commit_log, store)
        discovery = Discovery(store, registry)
        stack.push_async_callback(discovery.discover)
        await _run(stack, writer.run(), stop)
        stack.push_async_callback(_drain, writer, commit_log, stop)
        await _run(stack, discovery.run(), stop)
        intake = Intake(
            commit_log,
            data_dir=data_dir,
            disk_free_min_bytes=settings.disk_free_min_mb * MIB,
            backlog_bytes_max=settings.backlog_max_mb * MIB,
            inflight_bytes_max=settings.inflight_max_mb * MIB,
            future_max_s=settings.future_max_s,
        )
        await intake.start()
        stack.push_async_callback(intake.close)
        imports = ImportService(
            registry=registry,
            store=store,
            append=commit_log.append,
            backlog=commit_log.backlog,
            stored=writer.stored,
            end=commit_log.end,
            refusal=intake.refusal,
            folder=data_dir / "imports",
            future_max_s=settings.future_max_s,
        )
        await imports.start()
        stack.push_async_callback(imports.stop)
        fixed = settings.admin_token
        authenticator = Authenticator(registry, fixed.get_secret_value() if fixed else None)
        first_token = await authenticator.start()
        yield Historian(
            settings=settings,
            registry=registry,
            store=store,
            commit_log=commit_log,
            intake=intake,
            writer=writer,
            discovery=discovery,
            queries=Queries(store, registry, writer.fresh),
            imports=imports,
            authenticator=authenticator,
            sessions=Sessions(registry, authenticator),
            stop=stop,
            first_token=first_token,
        )


async def serve(settings: Settings, started: Callable[[Historian, int], Any] | None = None) -> None:
    """Runs with its doors until SIGTERM or SIGINT; `started` is told the port.

    Raises why a part of it failed, or `StageEnded`, when that is what stopped it.
    """
    async with historian(settings) as running:
        with _server(running) as server, _listen_local(settings.data_dir) as local:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, running.stop.wanted.set)
            stopping = asyncio.create_task(_close_doors(running, server))
            tcp = _listen(settings.http_host, settings.http_port)
            if started is not None:
                told = started(running, tcp.getsockname()[1])
                if inspect.isawaitable(told):
                    await told
            await server.serve([tcp, local])
            stopping.cancel()
        if running.stop.failures:
            raise _cause(running.stop.failures[0])


def _cause(failure: BaseException) -> PipeWatcherError:
    """What the operator is told: the error that knows its hint, else that a stage ended."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure if isinstance(failure, PipeWatcherError) else StageEnded()


async def _close_doors(running: Historian, server: uvicorn.Server) -> None:
    await running.stop.wanted.wait()
    running.intake.stop()
    server.should_exit = True


@contextlib.asynccontextmanager
async def serve_local(settings: Settings) -> AsyncIterator[None]:
    """For a command when no server runs: only the Unix socket, until the context ends."""
    async with historian(settings) as running:
        with _server(running) as server, _listen_local(settings.data_dir) as local:
            local.listen()  # requests made before uvicorn is up wait in the queue
            serving = asyncio.create_task(server.serve([local]))
            yield
            server.should_exit = True
            await serving


@contextlib.contextmanager
def _server(running: Historian) -> Iterator[uvicorn.Server]:
    ingest = Ingest(running.intake, running.authenticator, writer_roles=WRITER_ROLES)
    limits = Limits(connections_max=running.settings.connections_max)
    door = HttpDoor(ingest, running.intake, limits)
    app = create_app(_services(running, door, IngestEndpoint(ingest, running.intake)))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=door.protocol,  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=16_384,
            timeout_keep_alive=120,
            timeout_graceful_shutdown=20,
        )
    )
    # Signals are ours: uvicorn would raise them once more after its shutdown.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    try:
        yield server
    finally:
        ingest.close()


def run(settings: Settings, started: Callable[[Historian, int], Any] | None = None) -> None:
    """`serve` on its own event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, started))


def _services(running: Historian, door: HttpDoor, endpoint: IngestEndpoint) -> Services:
    started_at = int(time.time() * SECOND)

    async def status() -> Status:
        stats = await running.store.stats()
        backlog = running.commit_log.backlog()
        intake = running.intake
        refusal = _refusal(running)
        return Status(
            version=__version__,
            as_of=rfc3339(int(time.time() * SECOND)),
            started=rfc3339(started_at),
            accepting=refusal is None,
            reason=refusal,
            sensors=stats.sensors,
            readings=stats.readings,
            unfolded=stats.unfolded,
            store_bytes=stats.file_bytes,
            stages=Stages(
                received=intake.received,
                accepted=intake.accepted,
                rejected=intake.rejected.total(),
                committed=intake.committed,
                failed=intake.failed,
                stored=running.writer.counts.stored,
            ),
            rejected_by_code=dict(intake.rejected),
            lag=Lag(readings=backlog.readings, bytes=backlog.bytes, seconds=backlog.oldest_age_s),
            connections=door.connections,
            engines={
                "commitLog": _scheme(running.settings.commit_log),
                "readings": _scheme(running.settings.readings),
                "registry": _scheme(running.settings.registry),
            },
        )

    async def metrics() -> bytes:
        stats = await running.store.stats()
        return metrics_text(
            Figures(
                intake=running.intake,
                writer=running.writer.counts,
                backlog=running.commit_log.backlog(),
                store=stats,
                query_latencies=running.queries.latencies,
                sensors_registered=running.discovery.registered,
                connections=door.connections,
                accepting=_refusal(running) is None,
            )
        )

    return Services(
        queries=running.queries,
        registry=running.registry,
        imports=running.imports,
        authenticator=running.authenticator,
        sessions=running.sessions,
        ingest=endpoint,
        ingest_operation=OPENAPI_OPERATION,
        ingest_schemas=OPENAPI_SCHEMAS,
        status=status,
        metrics=metrics,
        refusal=lambda: _refusal(running),
        page=PAGE,
    )


def _refusal(running: Historian) -> str | None:
    if not running.writer.available:
        return "store_unavailable"
    refusal = running.intake.refusal()
    return refusal.code if refusal is not None else None


def _adapter(
    name: str, url: str, makers: dict[str, Callable[[Settings], Any]], settings: Settings
) -> Any:
    maker = makers.get(_scheme(url))
    if maker is None:
        known = ", ".join(f"{scheme}:" for scheme in makers)
        raise SettingsError(f"PIPEWATCHER_{name} must be one of {known}, not {_scheme(url)}:")
    return maker(settings)


def _scheme(url: str) -> str:
    return urlsplit(url).scheme or url


async def _run(stack: contextlib.AsyncExitStack, work: Any, stop: Stop) -> None:
    """Runs `work` until the stack unwinds; should it end on its own, everything stops."""
    task = asyncio.create_task(work)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            stop.failures.append(task.exception() or StageEnded())
            log.critical("a stage ended", exc_info=stop.failures[-1])
            stop.wanted.set()

    task.add_done_callback(ended)

    async def cancel() -> None:
        task.remove_done_callback(ended)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(cancel)


async def _drain(writer: Writer, commit_log: CommitLog, stop: Stop) -> None:
    """What cannot be stored now is in the commit log and is stored at the next start."""
    if stop.failures:
        return
    try:
        await writer.stored(commit_log.end(), timeout_s=DRAIN_TIMEOUT_S)
    except PipeWatcherError as error:
        log.warning("stopped before the commit log was drained: %s", error)


@contextlib.contextmanager
def _hold(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        _lock(file)
        yield


def _lock(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataFolderInUse from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"PIPEWATCHER_HTTP_HOST and _PORT: cannot listen on {host}:{port}: {error.strerror}",
            hint="Another program may use the port; --http-port 0 takes any free one.",
        ) from error
    return listening


@contextlib.contextmanager
def _listen_local(data_dir: Path) -> Iterator[socket.socket]:
    """The local administrator's door: the file's mode lets only its owner in."""
    path = data_dir / local_socket.NAME
    path.unlink(missing_ok=True)
    with local_socket.address_of(data_dir) as address:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listening.bind(address)
        finally:
            os.umask(mask)
    try:
        yield listening
    finally:
        path.unlink(missing_ok=True)
