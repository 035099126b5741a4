"""Stages behind the doors, in the order in which readings pass, started from the far end: what was
acknowledged is stored before the files are closed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import uuid
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipewatcher.backup import Backups
from pipewatcher.balance import Balance
from pipewatcher.cadences import Cadences
from pipewatcher.dead_letters import DeadLetters
from pipewatcher.discovery import StoreDiscovery, StreamDiscovery
from pipewatcher.durable import write_whole
from pipewatcher.errors import DataFolderInUse, PipeWatcherError
from pipewatcher.freshness import SharedFreshness
from pipewatcher.gaps.ledger import GapLedger
from pipewatcher.identity.passwords import Passwords
from pipewatcher.identity.people import People
from pipewatcher.identity.sessions import Sessions
from pipewatcher.identity.tokens import Authenticator
from pipewatcher.intake import Intake
from pipewatcher.live import Live
from pipewatcher.ports import CommitLog, ReadingsStore, Registry
from pipewatcher.queries import Queries
from pipewatcher.rejections import Rejections
from pipewatcher.retention import Keeper
from pipewatcher.settings import Settings
from pipewatcher.sources.csv_import import ImportService
from pipewatcher.sources.csv_runs import Stages
from pipewatcher.sources.mqtt_broker import BrokerSource
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.sources.mqtt_topics import TopicRules
from pipewatcher.uptime import Uptime
from pipewatcher.watch import Watch
from pipewatcher.wiring.engines import EMBEDDED, ENGINES, check_roles, engine, scheme_of
from pipewatcher.wiring.supervision import Stop, run_in
from pipewatcher.writer import GROUP as WRITER_GROUP
from pipewatcher.writer import Writer

if TYPE_CHECKING:
    from pipewatcher.identity.openid.sign_in import OpenIdSignIn

log = logging.getLogger(__name__)

MIB = 2**20
DRAIN_TIMEOUT_S = 60.0


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
    fresh: Callable[[], Awaitable[None]]
    """Waits until queries see what was acknowledged before."""
    gaps: GapLedger | None
    cadences: Cadences | None
    retention: Keeper | None
    imports: ImportService | None
    backups: Backups | None
    """None where an engine is a server of its own."""
    live: Live | None
    balance: Balance | None
    uptime: Uptime | None
    """Not running yet: it is up when its doors are."""
    authenticator: Authenticator
    sessions: Sessions
    people: People
    openid: OpenIdSignIn | None
    stop: Stop
    doors_open: asyncio.Event
    """To be set: what was acknowledged before the start is stored from then on, and does not hold
    the start up."""
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
        stack.enter_context(hold(data_dir / "lock"))
        stop, doors_open = Stop(), asyncio.Event()
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
        await run_in(stack, dead_letters.run(), stop)
        stack.push_async_callback(dead_letters.close)
        writer = await _writing(stack, roles, commit_log, store, dead_letters, stop, doors_open)
        if discovery is not None:
            await run_in(stack, discovery.run(), stop)
        freshness: SharedFreshness | Writer = SharedFreshness(commit_log, WRITER_GROUP)
        if writer is not None and not shared:
            freshness = writer
        keeper = await _keeper(registry, store, freshness.fresh)
        intake = Intake(
            commit_log,
            data_dir=data_dir,
            disk_free_min_bytes=settings.disk_free_min_mb * MIB,
            backlog_bytes_max=None if shared else settings.backlog_max_mb * MIB,
            inflight_bytes_max=settings.inflight_max_mb * MIB,
            future_max_s=settings.future_max_s,
            oldest=None if keeper is None else keeper.oldest,
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
            assert keeper is not None
            queries = Queries(store, registry, freshness.fresh, kept_from=lambda: keeper.kept_from)
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
                    oldest=keeper.oldest,
                    outcomes=store.features.import_outcomes and commit_log.features.import_blocks,
                ),
                folder=data_dir / "imports",
                kept_by=await asyncio.to_thread(_installation, data_dir / "installation"),
                future_max_s=settings.future_max_s,
            )
            await imports.start()
            stack.push_async_callback(imports.stop)
            await run_in(stack, keeper.run(lambda: imports.under_way), stop)
            live = Live(registry, queries.conditions, gaps.met_by)
            rejections = Rejections(registry, intake.rejected_by_door, imports.rejected)
            balance = await _balance(stack, commit_log, store, rejections, stop)
            watch = Watch(
                registry,
                queries.conditions,
                intake.refusal,
                commit_log.backlog,
                balance.difference,
                gaps.closings,
            )
            await run_in(stack, watch.run(), stop)
        topic_rules = TopicRules(
            sensor_topic=settings.mqtt_sensor_topic, received_time=settings.mqtt_received_time
        )
        authenticator = await _authenticating(stack, settings, registry, stop)
        passwords = Passwords()
        stack.callback(passwords.close)
        sessions = Sessions(registry, authenticator)
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
            fresh=freshness.fresh,
            gaps=gaps,
            cadences=cadences,
            retention=keeper,
            imports=imports,
            backups=_backups(settings, registry, commit_log, store),
            live=live,
            balance=balance,
            uptime=None if shared else Uptime(registry, data_dir / "up"),
            authenticator=authenticator,
            sessions=sessions,
            people=People(registry, passwords),
            openid=_openid(stack, settings, registry, sessions),
            stop=stop,
            doors_open=doors_open,
        )


async def _balance(
    stack: contextlib.AsyncExitStack,
    commit_log: CommitLog,
    store: ReadingsStore,
    rejections: Rejections,
    stop: Stop,
) -> Balance:
    """Where other processes take readings too, nobody has the whole sheet."""
    if not commit_log.features.split_roles:
        await rejections.start()
        await run_in(stack, rejections.run(), stop)
    balance = Balance(commit_log, store, rejections)
    await balance.start()
    return balance


def _backups(settings: Settings, registry: Any, commit_log: Any, store: Any) -> Backups | None:
    """The engines are told apart by their settings: only those of files can be copied."""
    if any(scheme_of(getattr(settings, name)) not in EMBEDDED for name in ENGINES):
        return None
    return Backups(settings.data_dir, store, [registry, commit_log])


async def _keeper(
    registry: Registry, store: ReadingsStore | None, fresh: Callable[[], Awaitable[None]]
) -> Keeper | None:
    if store is None:
        return None
    keeper = Keeper(registry, store, fresh)
    await keeper.start()
    return keeper


async def _authenticating(
    stack: contextlib.AsyncExitStack, settings: Settings, registry: Registry, stop: Stop
) -> Authenticator:
    fixed = settings.admin_token
    authenticator = Authenticator(registry, fixed.get_secret_value() if fixed else None)
    await authenticator.refresh()
    await run_in(stack, authenticator.follow(), stop)
    return authenticator


def _openid(
    stack: contextlib.AsyncExitStack, settings: Settings, registry: Registry, sessions: Sessions
) -> OpenIdSignIn | None:
    """None where no provider is set up; then nothing of it is loaded either."""
    configs = [provider.config() for provider in settings.openid_providers]
    if not configs or "api" not in settings.roles.split(","):
        return None
    from pipewatcher.identity.openid.sign_in import OpenIdSignIn

    openid = OpenIdSignIn(configs, registry, sessions)
    stack.push_async_callback(openid.close)
    return openid


async def _writing(
    stack: contextlib.AsyncExitStack,
    roles: Sequence[str],
    commit_log: CommitLog,
    store: ReadingsStore | None,
    dead_letters: DeadLetters,
    stop: Stop,
    doors_open: asyncio.Event,
) -> Writer | None:
    if "writer" not in roles:
        return None
    assert store is not None
    writer = Writer(commit_log, store, dead_letters.keep_refused)

    async def store_once_open() -> None:
        await doors_open.wait()
        await writer.run()

    await run_in(stack, store_once_open(), stop)
    if not commit_log.features.split_roles:
        stack.push_async_callback(_drain, writer, commit_log, stop, doors_open)
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
    """A name for this data folder that no other has. On the disk when it is returned: imports that
    are acknowledged by it are carried out by nobody else."""
    with contextlib.suppress(FileNotFoundError):
        # Earlier versions did not sync it: a power cut left it empty.
        if name := path.read_text():
            return name
    name = uuid.uuid4().hex
    write_whole(path, name.encode())
    return name


async def _drain(
    writer: Writer, commit_log: CommitLog, stop: Stop, doors_open: asyncio.Event
) -> None:
    """What cannot be stored now is in the commit log and is stored at the next start."""
    if stop.failures:
        return
    doors_open.set()
    try:
        await writer.stored(commit_log.end(), timeout_s=DRAIN_TIMEOUT_S)
    except PipeWatcherError as error:
        log.warning("stopped before the commit log was drained: %s", error)


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        _lock(file)
        yield


def _lock(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataFolderInUse from error
