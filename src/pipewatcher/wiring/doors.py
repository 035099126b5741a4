"""The doors before the stages: opened last, closed first."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
import uvloop

from pipewatcher.api.app import create_app
from pipewatcher.api.services import Answers, Plant, Services
from pipewatcher.dead_letters import PAYLOAD_BYTES_MAX
from pipewatcher.identity.audit import Audit
from pipewatcher.identity.people import FIRST
from pipewatcher.identity.roles import WRITE_READINGS
from pipewatcher.identity.token_service import TokenService
from pipewatcher.identity.tokens import FIRST_TOKEN
from pipewatcher.memory import collect_rarely, give_back_freed_memory
from pipewatcher.model.identity import Principal
from pipewatcher.promql.ask import Asker
from pipewatcher.promql.source import StoreSource
from pipewatcher.reporting import Reporting
from pipewatcher.settings import Settings, names_of
from pipewatcher.sources.dead_letter_desk import DeadLetterDesk
from pipewatcher.sources.http import PATH, Ingest
from pipewatcher.sources.http_asgi import OPENAPI_OPERATION, OPENAPI_SCHEMAS, IngestEndpoint
from pipewatcher.sources.http_door import Limits
from pipewatcher.sources.http_protocol import HttpDoor
from pipewatcher.sources.line_protocol_door import LineProtocolEndpoint, PingEndpoint
from pipewatcher.sources.line_protocol_openapi import OPERATIONS, SCHEMAS
from pipewatcher.sources.mqtt_door import Limits as MqttLimits
from pipewatcher.sources.mqtt_ingest import Ingest as MqttIngest
from pipewatcher.sources.mqtt_listener import MqttListener
from pipewatcher.tls import Certificate
from pipewatcher.wiring.engines import scheme_of
from pipewatcher.wiring.server import Server, TlsDoor
from pipewatcher.wiring.sockets import Opened, listen, listen_local
from pipewatcher.wiring.stages import Historian, historian
from pipewatcher.wiring.supervision import cause_of, run_in

PAGE = Path(__file__).parent.parent / "page"
READINGS_DOOR = f"POST {PATH}"
INGEST_OPERATIONS = {READINGS_DOOR: OPENAPI_OPERATION, **OPERATIONS}
INGEST_SCHEMAS = OPENAPI_SCHEMAS | SCHEMAS
FILES_WANTED = 65_536
FIRST_START = Principal(name=FIRST, role="admin", by="local")


async def serve(
    settings: Settings, started: Callable[[Historian, Opened], Any] | None = None
) -> None:
    """Runs with its doors until SIGTERM or SIGINT; `started` is told the ports.

    Raises why a part of it failed, or `StageEnded`, when that is what stopped it.
    """
    async with (
        _serving(settings) as running,
        contextlib.AsyncExitStack() as doors,
    ):
        certificate = await _certificate(doors, running)
        mqtt = await doors.enter_async_context(_mqtt(running, certificate))
        plain, tls, opened = _listen(settings, certificate)
        with (
            _server(running, mqtt, tls, opened) as server,
            listen_local(settings.data_dir) as local,
        ):
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, running.stop.wanted.set)
            stopping = asyncio.create_task(_close_doors(running, server, mqtt))
            if running.uptime is not None:
                await run_in(doors, running.uptime.run(), running.stop)
            for broker in running.brokers:
                await run_in(doors, broker.run(), running.stop)
            running.doors_open.set()
            if started is not None:
                told = started(running, opened)
                if inspect.isawaitable(told):
                    await told
            await server.serve([*plain, local])
            stopping.cancel()
        if running.stop.failures:
            raise cause_of(running.stop.failures[0])


@contextlib.asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[Historian]:
    """With the first credentials: a command beside it would make secrets that nobody sees."""
    async with historian(settings) as running:
        audit = Audit(running.registry)
        invites = settings.admin_token is None and running.queries is not None
        token = await running.authenticator.start()
        invitation = await running.people.first_invitation() if invites else None
        if token is not None:
            await audit.record(FIRST_START, "", "token.create", f"token:{FIRST_TOKEN}")
        if invitation is not None:
            await audit.record(FIRST_START, "", "person.invite", "invitation:first admin")
        yield replace(running, first_token=token, first_invitation=invitation)


async def _certificate(stack: contextlib.AsyncExitStack, running: Historian) -> Certificate | None:
    """Followed until the stack unwinds; None where none is set up. Raises `SettingsError`."""
    settings = running.settings
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    certificate = Certificate(settings.tls_cert_file, settings.tls_key_file)
    await run_in(stack, certificate.follow(), running.stop)
    return certificate


def _listen(
    settings: Settings, certificate: Certificate | None
) -> tuple[list[socket.socket], TlsDoor | None, Opened]:
    """Raises `SettingsError`."""
    plain, tls = [], None
    if settings.http_port != "off":
        plain.append(listen("PIPEWATCHER_HTTP_PORT", settings.http_host, settings.http_port))
    if settings.https_port != "off" and certificate is not None:
        place = settings.http_host, settings.https_port
        tls = TlsDoor(listen("PIPEWATCHER_HTTPS_PORT", *place), certificate)
    opened = Opened(
        http=plain[0].getsockname()[1] if plain else None,
        https=tls.socket.getsockname()[1] if tls else None,
    )
    return plain, tls, opened


async def _close_doors(running: Historian, server: Server, mqtt: MqttListener | None) -> None:
    await running.stop.wanted.wait()
    running.intake.stop()
    if mqtt is not None:
        mqtt.stop()
    if running.live is not None:
        await running.live.stop()
    server.should_exit = True


@contextlib.asynccontextmanager
async def _mqtt(
    running: Historian, certificate: Certificate | None
) -> AsyncIterator[MqttListener | None]:
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
        if settings.mqtt_tls_port != "off" and certificate is not None:
            await listener.open(settings.mqtt_host, settings.mqtt_tls_port, certificate.context)
        yield listener


@contextlib.asynccontextmanager
async def serve_local(settings: Settings) -> AsyncIterator[None]:
    """For a command when no server runs: only the Unix socket, until the context ends."""
    async with historian(settings) as running:
        none = Opened(http=None, https=None)
        with _server(running, None, None, none) as server, listen_local(settings.data_dir) as local:
            running.doors_open.set()
            local.listen()  # requests made before uvicorn is up wait in the queue
            serving = asyncio.create_task(server.serve([local]))
            yield
            server.should_exit = True
            await serving


@contextlib.contextmanager
def _server(
    running: Historian, mqtt: MqttListener | None, tls: TlsDoor | None, opened: Opened
) -> Iterator[Server]:
    ingest = Ingest(
        running.intake,
        running.authenticator,
        writer_roles=WRITE_READINGS,
        here="gateway" in running.settings.roles.split(","),
    )
    limits = Limits(connections_max=running.settings.connections_max)
    door = HttpDoor(ingest, running.intake, limits)
    lines = LineProtocolEndpoint(ingest, running.intake)
    endpoints = {
        READINGS_DOOR: IngestEndpoint(ingest, running.intake),
        "POST /write": lines,
        "POST /api/v2/write": lines,
        "GET /ping": PingEndpoint(),
    }
    app = create_app(_services(running, door, mqtt, endpoints, opened))
    server = Server(
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
            forwarded_allow_ips=names_of(running.settings.trusted_proxies),
        ),
        tls,
    )
    try:
        yield server
    finally:
        ingest.close()


def run(settings: Settings, started: Callable[[Historian, Opened], Any] | None = None) -> None:
    """`serve` on its own event loop."""
    give_back_freed_memory()
    collect_rarely()
    _allow_many_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, started))


def _allow_many_files() -> None:
    """Each connection is a file, and the usual soft limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if most == resource.RLIM_INFINITY else min(most, FILES_WANTED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _services(
    running: Historian,
    door: HttpDoor,
    mqtt: MqttListener | None,
    endpoints: Mapping[str, Any],
    opened: Opened,
) -> Services:
    settings = running.settings
    reporting = Reporting(
        roles=settings.roles.split(","),
        engines={
            "commitLog": scheme_of(settings.commit_log),
            "readings": scheme_of(settings.readings),
            "registry": scheme_of(settings.registry),
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
        assert running.store is not None
        assert running.live is not None
        assert running.gaps is not None
        assert running.cadences is not None
        assert running.retention is not None
        assert running.imports is not None
        answers = Answers(
            queries=running.queries,
            promql=Asker(
                StoreSource(running.store, running.registry, running.fresh, running.retention)
            ),
            registry=running.registry,
            gaps=running.gaps,
            cadences=running.cadences,
            retention=running.retention,
            imports=running.imports,
            live=running.live,
            backups=running.backups,
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
        ingest=endpoints,
        ingest_operations=INGEST_OPERATIONS,
        ingest_schemas=INGEST_SCHEMAS,
        status=reporting.status,
        metrics=reporting.metrics,
        refusal=reporting.refusal,
        page=PAGE,
        tokens=TokenService(running.registry, running.authenticator),
        audit=Audit(running.registry),
        people=running.people,
        openid=running.openid,
        public_url=settings.public_url,
        allowed_hosts=_allowed_hosts(settings),
        tls_port=opened.https,
        plant=Plant(name=settings.plant_name, timezone=settings.plant_zone),
    )


def _allowed_hosts(settings: Settings) -> list[str]:
    public = urlsplit(settings.public_url or "").hostname
    return [*names_of(settings.allowed_hosts), *([public] if public else [])]
