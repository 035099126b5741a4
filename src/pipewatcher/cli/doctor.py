"""`pipewatcher doctor`: the settings against the real disk, port and servers, in plain words."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text

from pipewatcher.cli.local import checked, is_running, local_api
from pipewatcher.errors import PipeWatcherError
from pipewatcher.identity.audit import Verified, verify
from pipewatcher.settings import PREFIX, Settings
from pipewatcher.sources.mqtt_broker_client import check_broker
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.tls import Certificate
from pipewatcher.wiring import EMBEDDED, check_roles, engine

ENGINES = {
    "commit_log": "commit-log.sqlite",
    "readings": "readings.duckdb",
    "registry": "registry.sqlite",
}
"""Setting -> the embedded engine's file."""
TIMEOUT_S = 60.0
MIB = 2**20

Verdict: TypeAlias = Literal["well", "look", "wrong"]
_STYLES = {"well": "green", "look": "yellow", "wrong": "red"}


class Report:
    def __init__(self) -> None:
        self.wrong = 0
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, verdict: Verdict, what: str, hint: str | None = None) -> None:
        self.wrong += verdict == "wrong"
        self._console.print(Text.assemble((f"{verdict:6}", _STYLES[verdict]), what))
        if hint:
            self._console.print(Text(f"      → {hint}"))


def examine(settings: Settings) -> int:
    """Prints a line for everything that was looked at. 0 when nothing is wrong, else 1."""
    report = Report()
    asyncio.run(_examine(settings, report))
    return 1 if report.wrong else 0


async def _examine(settings: Settings, report: Report) -> None:
    running = await is_running(settings.data_dir)
    _folder(settings, report)
    try:
        check_roles(settings)
    except PipeWatcherError as error:
        report.say("wrong", error.detail, error.hint)
    else:
        report.say("well", f"{PREFIX}ROLES: {settings.roles}")
    if running:
        await _ask_the_running_one(settings, report)
    else:
        _ports(settings, report)
        _certificate(settings, report)
        if "gateway" in settings.roles.split(","):
            _mqtt_ports(settings, report)
    for name in ENGINES:
        await _engine(settings, name, report, running=running)
    await _brokers(settings, report)
    await _providers(settings, report)


def _folder(settings: Settings, report: Report) -> None:
    name, folder = f"{PREFIX}DATA_DIR", settings.data_dir
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        report.say("wrong", f"{name}: {existing} cannot be written to.", "Give its user the right.")
        return
    free = shutil.disk_usage(existing).free // MIB
    least = settings.disk_free_min_mb
    if free < least:
        report.say(
            "wrong",
            f"{name}: {free:,} MiB are free on the disk of {folder}; below {least:,} MiB nothing "
            "is accepted.",
            f"Free space, or lower {PREFIX}DISK_FREE_MIN_MB.",
        )
    else:
        report.say("well", f"{name}: {folder}, {free:,} MiB free")


def _ports(settings: Settings, report: Report) -> None:
    ports = {"HTTP_PORT": settings.http_port}
    if settings.tls_cert_file is not None:
        ports["HTTPS_PORT"] = settings.https_port
    for name, port in ports.items():
        if port == "off":
            report.say("well", f"{PREFIX}{name}: off")
            continue
        place = f"{settings.http_host}:{port}"
        why = _taken(settings.http_host, port)
        if why is None:
            report.say("well", f"{PREFIX}{name}: {place} is free")
        else:
            report.say(
                "wrong",
                f"{PREFIX}{name}: cannot listen on {place}: {why}",
                "Another program may use the port; take another one.",
            )


def _certificate(settings: Settings, report: Report) -> None:
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return
    try:
        Certificate(settings.tls_cert_file, settings.tls_key_file)
    except PipeWatcherError as error:
        report.say("wrong", error.detail, error.hint)
    else:
        report.say("well", f"{PREFIX}TLS_CERT_FILE: {settings.tls_cert_file} and its key")


def _mqtt_ports(settings: Settings, report: Report) -> None:
    """The listener does without a port that is taken, so that is nothing wrong."""
    ports = {"MQTT_PORT": settings.mqtt_port}
    if settings.tls_cert_file is not None:
        ports["MQTT_TLS_PORT"] = settings.mqtt_tls_port
    for name, port in ports.items():
        if port == "off":
            report.say("well", f"{PREFIX}{name}: off")
            continue
        why = _taken(settings.mqtt_host, port)
        place = f"{PREFIX}{name}: {settings.mqtt_host}:{port}"
        if why is None:
            report.say("well", f"{place} is free")
        else:
            hint = "A broker may use it: set another one, or off."
            report.say("look", f"{place} will not be listened on: {why}", hint)


def _taken(host: str, port: int) -> str | None:
    """Why nobody can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
            tried.listen()
        except OSError as error:
            return error.strerror
    return None


async def _ask_the_running_one(settings: Settings, report: Report) -> None:
    async with local_api(settings) as api:
        status = checked(await api.get("/api/v1/status")).json()
    lag = status["lag"]
    behind = f"{lag['readings']:,} readings, {lag['seconds']:.0f} s behind"
    if status["accepting"]:
        report.say("well", f"PipeWatcher {status['version']} runs on this folder; {behind}")
    else:
        report.say("wrong", f"PipeWatcher runs, but refuses readings: {status['reason']}; {behind}")
    if urlsplit(settings.registry).scheme in EMBEDDED:
        async with local_api(settings) as api:
            audit = checked(await api.get("/api/v1/audit/verify")).json()
        _audit(
            report,
            Verified(entries=audit["entries"], broken_at=audit["brokenAt"], head=audit["head"]),
        )


def _audit(report: Report, found: Verified) -> None:
    if found.broken_at is not None:
        report.say(
            "wrong",
            f"audit: entry {found.broken_at} does not follow from the one before it: the registry "
            "was changed by other hands",
            "Keep a copy of it as it is, and compare with a backup.",
        )
    elif found.entries:
        report.say("well", f"audit: {found.entries:,} entries follow each other up to {found.head}")


async def _engine(settings: Settings, name: str, report: Report, *, running: bool) -> None:
    url = getattr(settings, name)
    scheme = urlsplit(url).scheme
    shown = f"{PREFIX}{name.upper()}: {_without_secrets(url)}"
    if scheme in EMBEDDED:
        file = settings.data_dir / ENGINES[name]
        if running:
            report.say("well", f"{shown} is held by the running process")
            return
        if not file.exists():
            report.say("well", f"{shown} will be made at the first start")
            return
    with _warnings() as warnings:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                opened = engine(name, settings)
                try:
                    await opened.open()
                    if name == "registry":
                        _audit(report, await verify(opened))
                finally:
                    await opened.close()
        except PipeWatcherError as error:
            report.say("wrong", error.detail, error.hint)
            return
        except TimeoutError:
            report.say("wrong", f"{shown} does not answer within {TIMEOUT_S:.0f} s")
            return
    report.say("well", f"{shown} answers, and may be read and written")
    for warning in warnings:
        report.say("look", warning)


async def _brokers(settings: Settings, report: Report) -> None:
    if settings.mqtt_broker is None or "gateway" not in settings.roles.split(","):
        return
    shared = urlsplit(settings.commit_log).scheme not in EMBEDDED
    for target in parse_broker_urls(settings.mqtt_broker.get_secret_value()):
        try:
            await check_broker(target, shared=shared)
        except PipeWatcherError as error:
            report.say("wrong", error.detail, error.hint)
        else:
            report.say("well", f"{PREFIX}MQTT_BROKER: {target.name} lets us in and subscribe")


async def _providers(settings: Settings, report: Report) -> None:
    """One that is away is nothing wrong here: local people come in without it."""
    if not settings.openid_providers:
        return
    from pipewatcher.identity.openid.provider import Provider

    for configured in settings.openid_providers:
        provider = Provider(configured.config())
        try:
            await provider.metadata()
        except PipeWatcherError as error:
            hint = "Is it reached from here, and is the issuer written letter by letter as it is?"
            report.say("look", f"sign-in by {configured.issuer}: {error.detail}", hint)
        else:
            report.say("well", f"sign-in by {configured.issuer}: it describes itself as it should")
        finally:
            await provider.close()


def _without_secrets(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.partition('://')[0]}://…@{after}" if at else url


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the engines warn about while they open."""
    found: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    handler = Collect(logging.WARNING)
    root = logging.getLogger("pipewatcher")
    root.addHandler(handler)
    propagated, root.propagate = root.propagate, False
    try:
        yield found
    finally:
        root.removeHandler(handler)
        root.propagate = propagated
