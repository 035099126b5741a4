from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from contract.registry_suite import RegistrySuite
from pipewatcher.errors import DataFolderTooNew, PipeWatcherError, SettingsError, StoreUnavailable
from pipewatcher.identity.tokens import FOLLOW_INTERVAL_S, Authenticator, mint
from pipewatcher.model.plant import Notification
from pipewatcher.registry import mongodb
from pipewatcher.registry.mongodb import MongoDBRegistry
from servers.certificate import make_certificate
from servers.mongodb import MongoDB
from servers.process import free_port
from waiting import eventually

# The driver leaves the socket of a handshake that was given up to the garbage collector.
LEFT_SOCKETS = "ignore::pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.mongodb, pytest.mark.filterwarnings(LEFT_SOCKETS)]

NAMES = [f"EQ-{n}" for n in range(2_000)]
PASSWORD = "correct-horse-7"


@pytest.fixture(autouse=True)
def _left_sockets() -> Iterator[None]:
    """Those of this test are complained of in this test, where it is allowed."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoDB]:
    with MongoDB(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture
def url(server: MongoDB, tmp_path: Path) -> str:
    """A database for this test alone."""
    return server.url("t" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20])


async def opened(url: str) -> MongoDBRegistry:
    registry = MongoDBRegistry(url)
    await registry.open()
    return registry


@pytest.fixture
async def registry(url: str) -> AsyncIterator[MongoDBRegistry]:
    registry = await opened(url)
    yield registry
    await registry.close()


async def refusal(url: str) -> PipeWatcherError:
    with pytest.raises(PipeWatcherError) as caught:
        await MongoDBRegistry(url).open()
    told = f"{caught.value.detail} {caught.value.hint}"
    assert "PIPEWATCHER_REGISTRY" in told
    assert PASSWORD not in told
    return caught.value


class TestMongoDBRegistry(RegistrySuite):
    @pytest.fixture(autouse=True)
    def _on(self, url: str) -> None:
        self.url = url

    async def open_registry(self, folder: Path) -> MongoDBRegistry:
        return await opened(self.url)


async def test_two_clients_that_register_at_once_find_each_sensor_once_also_when_one_is_cut_off(
    registry: MongoDBRegistry, url: str
) -> None:
    other = await opened(url)
    cut_off = asyncio.create_task(registry.register(NAMES, 1))
    going_on = asyncio.create_task(other.register(NAMES[::-1], 2))
    await until_half_is_there(other)
    assert cut_off.cancel()
    await asyncio.gather(cut_off, return_exceptions=True)
    found = await going_on
    again = await registry.register(NAMES, 3)
    assert len(set(found + again)) == len(found + again)
    await check_each_is_there_and_notified_once(other)
    await other.close()


async def until_half_is_there(registry: MongoDBRegistry) -> None:
    async def half_is_there() -> bool:
        return len(await registry.sensors()) >= len(NAMES) / 2

    await eventually(half_is_there, every_s=0.01)


async def check_each_is_there_and_notified_once(registry: MongoDBRegistry) -> None:
    notified = await every_notification(registry)
    assert sorted(str(n.equipment_id) for n in notified) == sorted(NAMES)
    assert len({n.id for n in notified}) == len(NAMES)
    assert [s.equipment_id for s in await registry.sensors()] == sorted(NAMES)


async def every_notification(registry: MongoDBRegistry) -> list[Notification]:
    found = await registry.notifications(300)
    while page := await registry.notifications(300, before_id=found[-1].id):
        found += page
    return found


async def test_a_process_killed_between_the_two_writes_leaves_nothing_undone_or_doubled(
    registry: MongoDBRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = mongodb.insert_missing

    class KilledError(BaseException):
        pass

    async def killed_before_sensors(into: Any, documents: Sequence[Any]) -> Any:
        if into.name == "sensor":
            raise KilledError
        return await insert(into, documents)

    with monkeypatch.context() as patch:
        patch.setattr(mongodb, "insert_missing", killed_before_sensors)
        with pytest.raises(KilledError):
            await registry.register(NAMES[:3], 1)
    assert await registry.sensors() == []
    assert await registry.register(NAMES, 2) == NAMES
    await check_each_is_there_and_notified_once(registry)


async def test_a_counter_from_an_old_backup_costs_nothing_but_numbers(
    registry: MongoDBRegistry, url: str
) -> None:
    await registry.register(NAMES[:600], 1)
    token = await registry.add_token("a", "device", b"1" * 32, 1)
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        client.get_default_database()["counter"].delete_many({})
    assert (await registry.add_token("b", "device", b"2" * 32, 1)).id != token.id
    await registry.register(NAMES, 2)
    await check_each_is_there_and_notified_once(registry)


async def test_a_server_killed_under_load_loses_and_doubles_no_sensor(tmp_path: Path) -> None:
    with MongoDB(tmp_path) as server:
        registry = await opened(server.url())
        told: list[str] = []
        for _ in range(4):
            call = asyncio.create_task(registry.register(NAMES, 1))
            await asyncio.sleep(random.uniform(0, 0.6))
            await asyncio.to_thread(server.kill)
            with contextlib.suppress(StoreUnavailable):
                told += await call
            await asyncio.to_thread(server.start)
        told += await registry.register(NAMES, 2)
        assert len(set(told)) == len(told)
        await check_each_is_there_and_notified_once(registry)
        await registry.close()


async def test_with_the_server_away_calls_fail_in_bounded_time_and_it_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    with MongoDB(tmp_path) as server:
        registry = await opened(server.url())
        token = await registry.add_token("gw", "device", b"1" * 32, 1)
        server.kill()
        async with asyncio.timeout(10):
            with pytest.raises(StoreUnavailable):
                await registry.tokens()
            with pytest.raises(StoreUnavailable):
                await registry.register(NAMES[:1], 1)
        assert isinstance(await refusal(server.url()), StoreUnavailable)
        server.start()
        assert await registry.tokens() == [token]
        server.pause()
        async with asyncio.timeout(20):
            with pytest.raises(StoreUnavailable):
                await registry.tokens()
        server.go_on()
        assert await registry.tokens() == [token]
        await registry.close()


async def test_a_token_revoked_by_one_process_is_refused_by_another_within_a_second(
    registry: MongoDBRegistry, url: str
) -> None:
    other = await opened(url)
    minted = mint()
    token = await registry.add_token("gw", "device", minted.secret_sha256, 1)
    authenticator = Authenticator(other, "x" * 20)
    await authenticator.start()
    following = asyncio.create_task(authenticator.follow())
    header = f"Bearer {minted.text}".encode()
    assert authenticator.bearer(header) is not None
    await registry.remove_token(token.id)
    began = asyncio.get_running_loop().time()
    await eventually(lambda: authenticator.bearer(header) is None, every_s=0.01)
    assert asyncio.get_running_loop().time() - began < 10 * FOLLOW_INTERVAL_S  # a busy machine
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await other.close()


async def test_a_closed_registry_says_so(registry: MongoDBRegistry) -> None:
    await registry.close()
    await registry.close()
    with pytest.raises(StoreUnavailable):
        await registry.sensors()


async def test_many_processes_open_a_new_database_at_once(url: str) -> None:
    registries = await asyncio.gather(*(opened(url) for _ in range(6)))
    await asyncio.gather(*(r.register(["a"], 1) for r in registries))
    assert len(await registries[0].notifications(9)) == 1
    await asyncio.gather(*(r.close() for r in registries))


async def test_a_database_of_a_newer_version_is_refused(
    registry: MongoDBRegistry, url: str
) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        about = client.get_default_database()["about"]
        about.update_one({"_id": "registry"}, {"$set": {"format": 99}})
    with pytest.raises(DataFolderTooNew, match="newer PipeWatcher") as refused:
        await MongoDBRegistry(url).open()
    assert refused.value.hint


async def test_a_wrong_password_is_refused_with_the_setting_and_without_the_password(
    tmp_path: Path,
) -> None:
    with MongoDB(tmp_path, user="plant", password="the-right-one") as server:
        await (await opened(server.url())).close()
        for wrong in (server.url(password=PASSWORD), f"mongodb://127.0.0.1:{server.port}/x"):
            error = await refusal(wrong)
            assert isinstance(error, SettingsError)
            assert "user" in error.detail


@pytest.mark.parametrize(
    "wrong",
    [
        f"mongodb://plant:{PASSWORD}@nowhere.invalid/x",
        f"mongodb+srv://plant:{PASSWORD}@nowhere.invalid/x",
        f"mongodb://plant:{PASSWORD}@@127.0.0.1:1/x",
        f"mongodb://plant:{PASSWORD}@127.0.0.1:port/x",
        f"mongodb://plant:{PASSWORD}@127.0.0.1:1/a b",
        f"mongodb://plant:{PASSWORD}@127.0.0.1:1/x?tls=true&tlsCAFile=/nowhere/ca.pem",
    ],
)
async def test_an_address_that_cannot_be_right_is_refused_by_the_setting_s_name(wrong: str) -> None:
    assert isinstance(await refusal(wrong), SettingsError)


async def test_where_nothing_listens_the_setting_is_named_and_a_retry_may_help() -> None:
    error = await refusal(f"mongodb://plant:{PASSWORD}@127.0.0.1:{free_port()}/x")
    assert isinstance(error, StoreUnavailable)


async def test_tls_is_spoken_and_a_disagreement_about_it_is_told(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with MongoDB(tmp_path, certificate=certificate) as server:
        plain = f"mongodb://127.0.0.1:{server.port}/x"
        encrypted = f"mongodb://127.0.0.1:{server.tls_port}/x"
        await (await opened(f"{encrypted}?tls=true&tlsCAFile={certificate}")).close()
        for wrong, remedy in [
            (encrypted, "add tls=true"),
            (f"{plain}?tls=true", "Leave tls=true out"),
            (f"{encrypted}?tls=true", "tlsCAFile"),
        ]:
            error = await refusal(wrong)
            assert isinstance(error, SettingsError), error.__cause__
            assert remedy in str(error.hint)
