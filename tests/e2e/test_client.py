"""The Python client and a real server: what it took arrives, once and in order, whatever dies."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_proxy import FAULTS, faulty
from credentials import made
from pipewatcher.client import (
    AsyncClient,
    Client,
    NotSent,
    Reading,
    ReadingsRefused,
    Refused,
    RequestRefused,
    Unreachable,
    answers,
)
from server import TOKEN, Server

pytestmark = pytest.mark.e2e

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
END = START + timedelta(days=1)
ids = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("client") / "data") as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(answers, "LONGEST_WAIT_S", 0.2)


def client_of(server: Server, **options: object) -> Client:
    return Client(server.url, token=TOKEN, **options)  # type: ignore[arg-type]


def stored(server: Server, equipment_id: str) -> list[tuple[float, datetime]]:
    with client_of(server) as client:
        found = client.readings(equipment_id, START, END)
        return [(one.value, one.timestamp) for one in found]


def at(number: int) -> datetime:
    return START + timedelta(milliseconds=number)


def new_id() -> str:
    return f"CLIENT-{next(ids)}"


def test_what_is_written_is_stored_and_asked_for(server: Server) -> None:
    name = new_id()
    with client_of(server) as client:
        client.write(name, 78.42, at=at(0))
        client.write_all([(name, 79, at(1)), Reading(name, 80.5, at(2))])
        client.flush()
        assert client.waiting == 0
        client.write(name, 81.25)
        client.flush()
        [average] = client.averages("1h", q=name)
        assert (average.equipment_id, average.mean, average.last_value) == (name, 81.25, 81.25)
        assert average.last_timestamp is not None
        assert list(client.gaps(START, END, name)) == []
        [first, *_] = client.readings(name, START, END)
        assert first.origin == "http:admin"
    assert stored(server, name) == [(78.42, at(0)), (79.0, at(1)), (80.5, at(2))]


async def test_the_asynchronous_client_does_the_same(server: Server) -> None:
    name = new_id()
    async with AsyncClient(server.url, token=TOKEN) as client:
        assert repr(client) == f"AsyncClient('{server.url}')"
        await client.write(name, 1.5, at=at(0))
        await client.write_all([(name, 2.5, at(1))])
        await client.flush()
        assert client.waiting == 0
        assert [one.value for one in await client.readings(name, START, END)] == [1.5, 2.5]
        assert await client.gaps(START, END, name) == []
        assert [one.count for one in await client.averages("1h", END, name)] == [0]
        with pytest.raises(ReadingsRefused):
            await client.write(name, float("nan"))


def test_a_batch_goes_by_its_count_or_by_its_time(server: Server) -> None:
    for options in ({"batch_readings": 10, "batch_wait_s": 3_600}, {"batch_wait_s": 0.05}):
        name = new_id()
        with client_of(server, **options) as client:
            for number in range(10):
                client.write(name, number, at=at(number))
            until = time.monotonic() + 60
            while client.waiting:
                assert time.monotonic() < until
                time.sleep(0.01)
            assert len(stored(server, name)) == 10


def test_every_refused_reading_is_named_and_every_good_one_is_stored(server: Server) -> None:
    name, later = new_id(), datetime.now(UTC) + timedelta(days=9)
    rows = [(name, n, later + timedelta(seconds=n) if n % 3 else at(n)) for n in range(600)]
    with client_of(server, batch_readings=500) as client:
        client.write_all(rows)
        with pytest.raises(ReadingsRefused) as caught:
            client.flush()
        assert client.waiting == 0
        refused = caught.value.refused
        assert [one.row for one in refused] == [n for n in range(600) if n % 3]
        assert {(one.field, one.code) for one in refused} == {("timestamp", "reading_in_future")}
        assert [one.value for one in refused] == [n for n in range(600) if n % 3]
    assert [value for value, _ in stored(server, name)] == list(range(0, 600, 3))
    told: list[Refused] = []
    with client_of(server, on_refused=told.append) as client:
        client.write("with space", 1, at=at(0))
    assert [(one.field, one.equipment_id) for one in told] == [("equipmentId", "with space")]


def test_a_client_that_may_not_is_told_and_keeps_its_readings(
    server: Server, tmp_path: Path
) -> None:
    viewer = made(server, name="client-viewer", role="viewer")["token"]
    for token, status in (("pw_wrong", 401), (viewer, 403)):
        client = Client(server.url, token=token, buffer=tmp_path / "buffer")
        client.write("CLIENT-LATER", status, at=at(status))
        with pytest.raises(RequestRefused) as caught:
            client.flush()
        assert caught.value.status == status
        with pytest.raises(RequestRefused):
            client.close()
    with client_of(server, buffer=tmp_path / "buffer") as client:
        assert client.waiting == 2
    assert [value for value, _ in stored(server, "CLIENT-LATER")] == [401.0, 403.0]


def test_a_rate_that_is_kept_to_loses_nothing(server: Server) -> None:
    device = made(server, name="client-slow", role="device", requestsPerSecond=2)["token"]
    name = new_id()
    with Client(server.url, token=device, batch_readings=1) as client:
        for number in range(8):
            client.write(name, number, at=at(number))
        client.flush()
    assert [value for value, _ in stored(server, name)] == list(range(8))


def test_questions_end_when_nobody_answers() -> None:
    with Client("http://127.0.0.1:9", token=TOKEN) as client, pytest.raises(Unreachable):
        client.averages()


@pytest.mark.slow
@settings(max_examples=15)
@given(
    faults=st.lists(st.sampled_from([*FAULTS, ""]), max_size=8),
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    batch=st.integers(1, 20),
    restarts=st.sets(st.integers(0, 5), max_size=3),
    on_disk=st.booleans(),
)
def test_whatever_fails_each_reading_arrives_once_and_the_last_write_wins(
    server: Server,
    faults: list[str],
    counts: list[int],
    batch: int,
    restarts: set[int],
    on_disk: bool,
) -> None:
    """Of each instant two values are written; readings are written while others are on their way,
    and clients end in the middle where their buffer lasts."""
    name, number = new_id(), 0
    with faulty(server.url) as proxy, tempfile.TemporaryDirectory() as folder:
        proxy.faults = list(faults)
        buffer = Path(folder) / "buffer" if on_disk else None

        def begin() -> Client:
            return Client(
                proxy.url, token=TOKEN, buffer=buffer, batch_readings=batch, batch_wait_s=0
            )

        client = begin()
        for part, count in enumerate(counts):
            for _ in range(count):
                client.write(name, -1.0, at=at(number))
                client.write(name, number, at=at(number))
                number += 1
            if on_disk and part in restarts:
                client.close(timeout_s=0)
                client = begin()
        client.flush()
        client.close()
    assert stored(server, name) == [(float(n), at(n)) for n in range(number)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_server_that_is_killed_again_and_again_gets_all_of_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", http_port=free_port())
    server.start()
    with client_of(server, buffer=tmp_path / "buffer", batch_readings=20, batch_wait_s=0) as client:
        for number in range(900):
            client.write("KILLED", number, at=at(number))
            if number in {300, 600}:
                server.kill()
            if number in {450, 899}:
                with pytest.raises(NotSent):
                    client.flush(timeout_s=0.05)
                server.start()
        client.flush()
    assert stored(server, "KILLED") == [(float(n), at(n)) for n in range(900)]
    server.stop()


WRITER = """
import itertools, sys
from datetime import UTC, datetime, timedelta
from pipewatcher.client import Client
start = datetime(2026, 1, 31, 12, tzinfo=UTC)
client = Client(sys.argv[1], token=sys.argv[2], buffer=sys.argv[3], batch_wait_s=0)
for number in itertools.count(int(sys.argv[4])):
    client.write("CRASHED", number, at=start + timedelta(milliseconds=number))
    print(number, flush=True)
"""


def test_a_client_that_is_killed_has_kept_what_it_took(tmp_path: Path, server: Server) -> None:
    """Killed while the server is away, and while it is there; then another goes on."""
    taken = 0
    for url in ("http://127.0.0.1:9", server.url, "http://127.0.0.1:9", server.url):
        command = [sys.executable, "-c", WRITER, url, TOKEN, str(tmp_path / "buffer"), str(taken)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(50)]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        taken = max(int(line) for line in lines if line.endswith("\n")) + 1
        # The last one may have been taken without having been said.
    with client_of(server, buffer=tmp_path / "buffer") as client:
        assert client.waiting
    found = stored(server, "CRASHED")
    assert len(found) >= taken
    assert found == [(float(n), at(n)) for n in range(len(found))]
