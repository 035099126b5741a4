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
import resource
import signal
import socket
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import uvicorn
import uvloop

from pipewatcher import local_socket
from pipewatcher.api.app import create_app
from pipewatcher.api.services import Answers, Services
from pipewatcher.balance import Balance
from pipewatcher.cadences import Cadences
from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.dead_letters import PAYLOAD_BYTES_MAX, DeadLetters
from pipewatcher.discovery import StoreDiscovery, StreamDiscovery
from pipewatcher.errors import DataFolderInUse, PipeWatcherError, SettingsError, StageEnded
from pipewatcher.freshness import SharedFreshness
from pipewatcher.gaps import GapLedger
from pipewatcher.identity.audit import Audit
from pipewatcher.identity.passwords import Passwords
from pipewatcher.identity.people import People
from pipewatcher.identity.roles import WRITE_READINGS
from pipewatcher.identity.sessions import Sessions
from pipewatcher.identity.token_service import TokenService
from pipewatcher.identity.tokens import Authenticator
from pipewatcher.intake import Intake
from pipewatcher.live import Live
from pipewatcher.memory import give_back_freed_memory
from pipewatcher.ports import CommitLog, ReadingsStore, Registry
from pipewatcher.queries import Queries
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.influxdb import InfluxDBStore
from pipewatcher.registry.mongodb import MongoDBRegistry
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.reporting import Reporting
from pipewatcher.settings import ROLES, Settings
from pipewatcher.sources.csv_import import ImportService
from pipewatcher.sources.csv_runs import Stages
from pipewatcher.sources.dead_letter_desk import DeadLetterDesk
from pipewatcher.sources.http import Ingest
from pipewatcher.sources.http_asgi import OPENAPI_OPERATION, OPENAPI_SCHEMAS, IngestEndpoint
from pipewatcher.sources.http_door import Limits
from pipewatcher.sources.http_protocol import HttpDoor
from pipewatcher.sources.mqtt_broker import BrokerSource
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.sources.mqtt_door import Limits as MqttLimits
from pipewatcher.sources.mqtt_ingest import Ingest as MqttIngest
from pipewatcher.sources.mqtt_listener import MqttListener
from pipewatcher.sources.mqtt_topics import TopicRules
from pipewatcher.tls import Certificate
from pipewatcher.watch import Watch
from pipewatcher.writer import GROUP as WRITER_GROUP
from pipewatcher.writer import Writer

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
MIB = 2**20
DRAIN_TIMEOUT_S = 60.0
CANCEL_AGAIN_S = 0.5
FILES_WANTED = 65_536

COMMIT_LOGS: dict[str, Callable[[Settings], CommitLog]] = {
    "embedded": lambda s: SQLiteCommitLog(s.data_dir / "commit-log.sqlite"),
    "kafka": lambda s: KafkaCommitLog(s.commit_log),
}
READINGS: dict[str, Callable[[Settings], ReadingsStore]] = {
    "duckdb": lambda s: DuckDBStore(s.data_dir / "readings.duckdb", memory_mb=s.store_memory_mb),
    "influxdb": lambda s: InfluxDBStore(s.readings),
    "influxdbs": lambda s: InfluxDBStore(s.readings),
}
REGISTRIES: dict[str, Callable[[Settings], Registry]] = {
    "sqlite": lambda s: SQLiteRegistry(s.data_dir / "registry.sqlite"),
    "mongodb": lambda s: MongoDBRegistry(s.registry),
    "mongodb+srv": lambda s: MongoDBRegistry(s.registry),
}
ENGINES: dict[str, Mapping[str, Callable[[Settings], Any]]] = {
    "commit_log": COMMIT_LOGS,
    "readings": READINGS,
    "registry": REGISTRIES,
}
EMBEDDED = frozenset({"embedded", "duckdb", "sqlite"})
"""Engines whose files one process holds alone."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why and when to end: a signal sets `wanted`, and so does a stage that ended on its own."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[BaseException] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Historian:
    """The stages of this process' roles but the doors, running; None for those of others."""

    settings: Settings
    registry: Registry
    store: ReadingsStore | None
    commit_log: CommitLog
    intake: Intake
    dead_letters: DeadLetters
    topic_rules: TopicRules
    brokers: Sequence[BrokerSource]
    """Not running yet: they are doors."""
    writer: Writer | None
    discovery: StoreDiscovery | StreamDiscovery | None
    queries: Queries | None
    gaps: GapLedger | None
    cadences: Cadences | None
    imports: ImportService | None
    live: Live | None
    balance: Balance | None
    authenticator: Authenticator
    sessions: Sessions
    people: People
    stop: Stop
    first_token: str | None = None
    """The admin token that was made at this start; shown once."""
    first_invitation: str | None = None
    """The text of the first admin's link, as long as there is nobody and no token is set."""


@contextlib.asynccontextmanager
async def historian(settings: Settings) -> AsyncIterator[Historian]:
    """Runs the stages on the data folder, which it holds alone.

    Raises `DataFolderInUse`, `DataFolderTooNew`, `SettingsError` and what the engines raise.
    """
    check_roles(settings)
    data_dir, roles = settings.data_dir, settings.roles.split(",")
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_hold(data_dir / "lock"))
        stop = Stop()
        registry: Registry = engine("registry", settings)
        store: ReadingsStore | None = None
        if "writer" in roles or "api" in roles:
            store = engine("readings", settings)
        commit_log: CommitLog = engine("commit_log", settings)
        for opened in (registry, store, commit_log):
            if opened is not None:
                await opened.open()
                stack.push_async_callback(opened.close)
        shared = commit_log.features.split_roles
        discovery = _discovery(roles, commit_log, store, registry)
        if isinstance(discovery, StoreDiscovery):
            # Once more when the last readings are stored.
            stack.push_async_callback(discovery.discover)
        dead_letters = DeadLetters(
            registry,
            count_max=settings.dead_letters_max,
            bytes_max=settings.dead_letters_max_mb * MIB,
        )
        await _run(stack, dead_letters.run(), stop)
        stack.push_async_callback(dead_letters.close)
        writer = await _writing(stack, roles, commit_log, store, dead_letters, stop)
        if discovery is not None:
            await _run(stack, discovery.run(), stop)
        intake = Intake(
            commit_log,
            data_dir=data_dir,
            disk_free_min_bytes=settings.disk_free_min_mb * MIB,
            backlog_bytes_max=None if shared else settings.backlog_max_mb * MIB,
            inflight_bytes_max=settings.inflight_max_mb * MIB,
            future_max_s=settings.future_max_s,
        )
        await intake.start()
        stack.push_async_callback(intake.close)
        queries: Queries | None = None
        gaps: GapLedger | None = None
        cadences: Cadences | None = None
        imports: ImportService | None = None
        live: Live | None = None
        balance: Balance | None = None
        if "api" in roles:
            assert store is not None
            freshness: SharedFreshness | Writer = SharedFreshness(commit_log, WRITER_GROUP)
            if writer is not None and not shared:
                freshness = writer
            queries = Queries(store, registry, freshness.fresh)
            gaps = GapLedger(store, registry, freshness.fresh)
            cadences = Cadences(store, registry)
            await cadences.start()
            imports = ImportService(
                Stages(
                    registry=registry,
                    store=store,
                    append=commit_log.append,
                    backlog=commit_log.backlog,
                    stored=freshness.stored,
                    end=commit_log.end,
                    refusal=intake.refusal,
                    outcomes=store.features.import_outcomes and commit_log.features.import_blocks,
                ),
                folder=data_dir / "imports",
                kept_by=await asyncio.to_thread(_installation, data_dir / "installation"),
                future_max_s=settings.future_max_s,
            )
            await imports.start()
            stack.push_async_callback(imports.stop)
            live = Live(registry, queries.conditions)
            balance = Balance(commit_log, store)
            await balance.start()
            watch = Watch(
                registry,
                queries.conditions,
                intake.refusal,
                commit_log.backlog,
                balance.difference,
            )
            await _run(stack, watch.run(), stop)
        topic_rules = TopicRules(
            sensor_topic=settings.mqtt_sensor_topic, received_time=settings.mqtt_received_time
        )
        fixed = settings.admin_token
        authenticator = Authenticator(registry, fixed.get_secret_value() if fixed else None)
        await authenticator.refresh()
        passwords = Passwords()
        stack.callback(passwords.close)
        await _run(stack, authenticator.follow(), stop)
        yield Historian(
            settings=settings,
            registry=registry,
            store=store,
            commit_log=commit_log,
            intake=intake,
            dead_letters=dead_letters,
            topic_rules=topic_rules,
            brokers=await _brokers(settings, intake, dead_letters, topic_rules, shared=shared),
            writer=writer,
            discovery=discovery,
            queries=queries,
            gaps=gaps,
            cadences=cadences,
            imports=imports,
            live=live,
            balance=balance,
            authenticator=authenticator,
            sessions=Sessions(registry, authenticator),
            people=People(registry, passwords),
            stop=stop,
        )


async def _writing(
    stack: contextlib.AsyncExitStack,
    roles: Sequence[str],
    commit_log: CommitLog,
    store: ReadingsStore | None,
    dead_letters: DeadLetters,
    stop: Stop,
) -> Writer | None:
    if "writer" not in roles:
        return None
    assert store is not None
    writer = Writer(commit_log, store, dead_letters.keep_refused)
    await _run(stack, writer.run(), stop)
    if not commit_log.features.split_roles:
        stack.push_async_callback(_drain, writer, commit_log, stop)
    return writer


def _discovery(
    roles: Sequence[str],
    commit_log: CommitLog,
    store: ReadingsStore | None,
    registry: Registry,
) -> StoreDiscovery | StreamDiscovery | None:
    if "discovery" not in roles:
        return None
    if commit_log.features.split_roles:
        return StreamDiscovery(commit_log, registry)
    assert store is not None
    return StoreDiscovery(store, registry)


def check_roles(settings: Settings) -> None:
    """Raises `SettingsError` for an engine that the processes of split roles cannot share."""
    if set(settings.roles.split(",")) == ROLES:
        return
    for name in ("commit_log", "readings", "registry"):
        scheme = _scheme(getattr(settings, name))
        if scheme in EMBEDDED:
            raise SettingsError(
                f"PIPEWATCHER_ROLES={settings.roles} leaves work to other processes, but "
                f"PIPEWATCHER_{name.upper()}={scheme}: is a file that one process holds alone.",
                hint="Leave PIPEWATCHER_ROLES out, or set kafka://, influxdb:// and mongodb:// "
                "for PIPEWATCHER_COMMIT_LOG, _READINGS and _REGISTRY.",
            )


async def _brokers(
    settings: Settings,
    intake: Intake,
    dead_letters: DeadLetters,
    rules: TopicRules,
    *,
    shared: bool,
) -> list[BrokerSource]:
    """`shared`: other gateways ask the same brokers, and each message is for one of them."""
    if settings.mqtt_broker is None or "gateway" not in settings.roles.split(","):
        return []
    here = await asyncio.to_thread(_installation, settings.data_dir / "installation")
    return [
        BrokerSource(
            target,
            intake,
            dead_letters,
            rules,
            client_id=f"pipewatcher-{here[:16]}-{zlib.crc32(target.topic_filter.encode()):08x}",
            shared=shared,
        )
        for target in parse_broker_urls(settings.mqtt_broker.get_secret_value())
    ]


def _installation(path: Path) -> str:
    """A name for this data folder that no other has."""
    with contextlib.suppress(FileExistsError), path.open("x") as file:
        file.write(uuid.uuid4().hex)
    return path.read_text()


async def serve(settings: Settings, started: Callable[[Historian, int], Any] | None = None) -> None:
    """Runs with its doors until SIGTERM or SIGINT; `started` is told the port.

    Raises why a part of it failed, or `StageEnded`, when that is what stopped it.
    """
    async with (
        _serving(settings) as running,
        _mqtt(running) as mqtt,
        contextlib.AsyncExitStack() as doors,
    ):
        with _server(running, mqtt) as server, _listen_local(settings.data_dir) as local:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, running.stop.wanted.set)
            stopping = asyncio.create_task(_close_doors(running, server, mqtt))
            tcp = _listen(settings.http_host, settings.http_port)
            for broker in running.brokers:
                await _run(doors, broker.run(), running.stop)
            if started is not None:
                told = started(running, tcp.getsockname()[1])
                if inspect.isawaitable(told):
                    await told
            await server.serve([tcp, local])
            stopping.cancel()
        if running.stop.failures:
            raise _cause(running.stop.failures[0])


@contextlib.asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[Historian]:
    """With the first credentials: a command beside it would make secrets that nobody sees."""
    async with historian(settings) as running:
        invites = settings.admin_token is None and running.queries is not None
        yield replace(
            running,
            first_token=await running.authenticator.start(),
            first_invitation=await running.people.first_invitation() if invites else None,
        )


def _cause(failure: BaseException) -> PipeWatcherError:
    """What the operator is told: the error that knows its hint, else that a stage ended."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure if isinstance(failure, PipeWatcherError) else StageEnded()


async def _close_doors(
    running: Historian, server: uvicorn.Server, mqtt: MqttListener | None
) -> None:
    await running.stop.wanted.wait()
    running.intake.stop()
    if mqtt is not None:
        mqtt.stop()
    if running.live is not None:
        await running.live.stop()
    server.should_exit = True


@contextlib.asynccontextmanager
async def _mqtt(running: Historian) -> AsyncIterator[MqttListener | None]:
    """The MQTT listener on those of its ports that could be had; None when it is not wanted."""
    settings = running.settings
    wanted = {"gateway"} & set(settings.roles.split(","))
    if not wanted or settings.mqtt_port == settings.mqtt_tls_port == "off":
        yield None
        return
    ingest = MqttIngest(
        running.intake,
        running.authenticator,
        running.dead_letters,
        rules=running.topic_rules,
        writer_roles=WRITE_READINGS,
    )
    limits = MqttLimits(connections_max=settings.mqtt_connections_max)
    async with contextlib.AsyncExitStack() as stack:
        listener = MqttListener(ingest, limits)
        stack.push_async_callback(listener.close)
        if settings.mqtt_port != "off":
            await listener.open(settings.mqtt_host, settings.mqtt_port)
        if settings.mqtt_tls_port != "off" and settings.tls_cert_file and settings.tls_key_file:
            certificate = Certificate(settings.tls_cert_file, settings.tls_key_file)
            await _run(stack, certificate.follow(), running.stop)
            await listener.open(settings.mqtt_host, settings.mqtt_tls_port, certificate.context)
        yield listener


@contextlib.asynccontextmanager
async def serve_local(settings: Settings) -> AsyncIterator[None]:
    """For a command when no server runs: only the Unix socket, until the context ends."""
    async with historian(settings) as running:
        with _server(running, None) as server, _listen_local(settings.data_dir) as local:
            local.listen()  # requests made before uvicorn is up wait in the queue
            serving = asyncio.create_task(server.serve([local]))
            yield
            server.should_exit = True
            await serving


@contextlib.contextmanager
def _server(running: Historian, mqtt: MqttListener | None) -> Iterator[uvicorn.Server]:
    ingest = Ingest(
        running.intake,
        running.authenticator,
        writer_roles=WRITE_READINGS,
        here="gateway" in running.settings.roles.split(","),
    )
    limits = Limits(connections_max=running.settings.connections_max)
    door = HttpDoor(ingest, running.intake, limits)
    endpoint = IngestEndpoint(ingest, running.intake)
    app = create_app(_services(running, door, mqtt, endpoint))
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
    give_back_freed_memory()
    _allow_many_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, started))


def _allow_many_files() -> None:
    """Each connection is a file, and the usual soft limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if most == resource.RLIM_INFINITY else min(most, FILES_WANTED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _services(
    running: Historian, door: HttpDoor, mqtt: MqttListener | None, endpoint: IngestEndpoint
) -> Services:
    settings = running.settings
    reporting = Reporting(
        roles=settings.roles.split(","),
        engines={
            "commitLog": _scheme(settings.commit_log),
            "readings": _scheme(settings.readings),
            "registry": _scheme(settings.registry),
        },
        commit_log=running.commit_log,
        intake=running.intake,
        store=running.store,
        writer=running.writer,
        dead_letters=running.dead_letters,
        brokers=running.brokers,
        discovery=running.discovery,
        queries=running.queries,
        balance=running.balance,
        connections=lambda: door.connections,
        mqtt=mqtt,
    )
    answers: Answers | None = None
    if running.queries is not None:
        assert running.live is not None
        assert running.gaps is not None
        assert running.cadences is not None
        assert running.imports is not None
        answers = Answers(
            queries=running.queries,
            registry=running.registry,
            gaps=running.gaps,
            cadences=running.cadences,
            imports=running.imports,
            live=running.live,
            dead_letters=DeadLetterDesk(
                running.registry,
                running.intake,
                running.topic_rules,
                payload_bytes_max=PAYLOAD_BYTES_MAX,
            ),
        )
    return Services(
        answers=answers,
        authenticator=running.authenticator,
        sessions=running.sessions,
        ingest=endpoint,
        ingest_operation=OPENAPI_OPERATION,
        ingest_schemas=OPENAPI_SCHEMAS,
        status=reporting.status,
        metrics=reporting.metrics,
        refusal=reporting.refusal,
        page=PAGE,
        tokens=TokenService(running.registry, running.authenticator),
        audit=Audit(running.registry),
        people=running.people,
    )


def engine(name: str, settings: Settings) -> Any:
    """What stands behind the setting `commit_log`, `readings` or `registry`, not opened yet.

    Raises `SettingsError`.
    """
    makers = ENGINES[name]
    scheme = _scheme(getattr(settings, name))
    maker = makers.get(scheme)
    if maker is None:
        known = ", ".join(f"{scheme}:" for scheme in makers)
        raise SettingsError(f"PIPEWATCHER_{name.upper()} must be one of {known}, not {scheme}:")
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
        # Again until it ends: a driver may take a cancel for a connection that broke, as pymongo
        # does, and the stage would go on.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
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
