"""InfluxDB written to by several processes, killed, paused, misconfigured and refusing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.readings_suite import NOON, assert_answers_equal, batches_of, windows_around
from faults.proxy import Mode, Proxy
from oracle import Oracle, Write
from pipewatcher.errors import SettingsError, StoreUnavailable
from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND
from pipewatcher.readings import influxdb_http, influxdb_reads
from pipewatcher.readings.influxdb import InfluxDBStore
from pipewatcher.readings.influxdb_http import InfluxHttp, parse_influxdb_url
from servers.certificate import make_certificate
from servers.influxdb import PASSWORD, InfluxDB
from servers.process import free_port

pytestmark = pytest.mark.influxdb
_numbers = itertools.count()


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with InfluxDB(tmp_path_factory.mktemp("influxdb")) as influxdb:
        yield influxdb


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[InfluxDBStore]:
    store = InfluxDBStore(url)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


def live(*readings: tuple[str, int, float]) -> list[Write]:
    return [Write(*reading, origin="http:admin") for reading in readings]


LONG_AGO = -40 * 365 * DAY
EDGES = [LONG_AGO, NOON, NOON - HOUR, NOON - DAY // 2, NOON - DAY, NOON - 7 * DAY, NOON - 30 * DAY]
times = st.one_of(
    st.builds(lambda edge, off: edge + off, st.sampled_from(EDGES), st.integers(-2, 2)),
    st.builds(lambda step: NOON - step * 15 * MINUTE, st.integers(-6, 200)),
    st.integers(NOON - 40 * DAY, NOON + HOUR),
)
writes = st.builds(
    Write,
    equipment_id=st.sampled_from(["EQ-1", "EQ-2", "Ω-3", "a\\", "x,y=z", "o'hara\"", "%41.*"]),
    event_time=times,
    value=st.integers(-4, 4).map(lambda n: n / 4),
    origin=st.sampled_from(["http:admin", "http:gw", "import:1"]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 1), st.lists(writes, min_size=1, max_size=12)),
        st.tuples(st.integers(0, 1), st.sampled_from(["roll", "restart"])),
        st.tuples(st.integers(0, 1), st.just("roll while the other writes")),
    ),
    min_size=1,
    max_size=10,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(history=steps)
def test_two_processes_answer_as_brute_force_does_after_any_history(
    influxdb: InfluxDB, history: list[tuple[int, list[Write] | str]]
) -> None:
    asyncio.run(_live_through(influxdb.url(f"history-{next(_numbers)}"), history))


async def _live_through(url: str, history: list[tuple[int, list[Write] | str]]) -> None:
    oracle = Oracle()
    stores = [InfluxDBStore(url), InfluxDBStore(url)]
    for store in stores:
        await store.open()
    try:
        for who, step in history:
            if step == "roll":
                await stores[who].settle()
            elif step == "restart":
                await stores[who].close()
                await stores[who].open()
            elif isinstance(step, str):
                more = live(("EQ-1", NOON - 5 * MINUTE, float(next(_numbers))))
                oracle.write(more)
                await asyncio.gather(
                    stores[who].settle(), stores[1 - who].append(batches_of(more), {})
                )
            else:
                oracle.write(step)
                await stores[who].append(batches_of(step), {})
        windows = [*windows_around(NOON)[1::3], *windows_around(LONG_AGO)[::3]]
        await assert_answers_equal(stores[0], oracle, windows, [HOUR])
        await stores[0].settle()
        await stores[1].settle()
        await assert_answers_equal(stores[1], oracle, windows_around(NOON)[::3], [MINUTE, DAY])
    finally:
        for store in stores:
            await store.close()


async def test_a_rollup_that_was_overtaken_by_a_write_is_void(
    influxdb: InfluxDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = Oracle()
    first = live(*(("EQ-1", NOON - n * MINUTE, float(n)) for n in range(200)))
    late = live(("EQ-1", NOON - 90 * MINUTE + 1, 1_000.0))
    looked = influxdb_reads.raw_figures_by_unit
    url = influxdb.url("overtaken")
    async with opened(url) as roller, opened(url) as writer:
        oracle.write(first)
        await roller.append(batches_of(first), {})

        async def looked_then_late(*arguments):
            found = await looked(*arguments)
            await writer.append(batches_of(late), {})
            return found

        monkeypatch.setattr(influxdb_reads, "raw_figures_by_unit", looked_then_late)
        await roller.settle()
        monkeypatch.undo()
        oracle.write(late)
        await assert_answers_equal(writer, oracle, windows_around(NOON))
        await writer.settle()
        await assert_answers_equal(roller, oracle, windows_around(NOON))


@pytest.mark.parametrize(
    ("unit", "summed", "torn"),
    [
        pytest.param(1.0, "sum(value)", (2, None, None, 1.0, 1.0), id="written meanwhile"),
        pytest.param(1.0, "sum(value)", (1, 3.0, 1.5, 1.0, 1.0), id="counted before, added after"),
        pytest.param(1e306, "sum(scaled)", (1, 3e290, 1.5e290, 1e300, 1e300), id="huge values"),
    ],
)
async def test_figures_of_two_moments_are_asked_for_again(
    influxdb: InfluxDB,
    monkeypatch: pytest.MonkeyPatch,
    unit: float,
    summed: str,
    torn: tuple[float | None, ...],
) -> None:
    writes = live(*(("EQ-1", NOON - n * MINUTE, n % 100 * unit) for n in range(1, 51)))
    asked = InfluxHttp.query
    answers: list[int] = []

    async def query(self, *statements, row):
        found = await asked(self, *statements, row=row)
        if summed in statements[0] and found[0]:
            answers.append(1)
            if len(answers) % 2:
                [rows] = found[0]
                rows.values[0] = (rows.values[0][0], *torn)
        return found

    async with opened(influxdb.url(f"torn-{next(_numbers)}")) as store:
        await store.append(batches_of(writes), {})
        monkeypatch.setattr(InfluxHttp, "query", query)
        [average] = await store.averages(NOON - HOUR, NOON)
    assert average.mean == pytest.approx(25.5 * unit)
    assert len(answers) > 1


async def test_valid_rollups_are_what_is_asked(
    influxdb: InfluxDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of the tests: were rollups never valid, the others would not notice."""
    async with opened(influxdb.url("valid")) as store:
        readings = live(*(("EQ-1", NOON - n * HOUR, float(n)) for n in range(100)))
        await store.append(batches_of(readings), {})
        await store.settle()
        spans = []
        looked = influxdb_reads.raw_figures

        async def counted(http, span):
            spans.append(span)
            return await looked(http, span)

        monkeypatch.setattr(influxdb_reads, "raw_figures", counted)
        [average] = await store.averages(NOON - 3 * DAY + 1, NOON + 1)
        assert average.count == 72
        assert sorted(span.end - span.start for span in spans) == [1, HOUR - 1]


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_an_append_and_the_same_again_is_exact(
    tmp_path: Path,
) -> None:
    rng = random.Random(5)
    oracle = Oracle()
    with InfluxDB(tmp_path / "influxdb") as influxdb:
        async with opened(influxdb.url()) as store:
            for number in range(6):
                step = live(
                    *(
                        (f"EQ-{n % 50}", NOON - rng.randrange(20_000) * SECOND, float(number + n))
                        for n in range(20_000)
                    )
                )
                oracle.write(step)
                appending = asyncio.create_task(store.append(batches_of(step), {}))
                await asyncio.sleep(rng.uniform(0.0, 0.4))
                influxdb.kill()
                with contextlib.suppress(StoreUnavailable):
                    await appending
                await asyncio.to_thread(influxdb.start)
                await store.append(batches_of(step), {})
            for start, end in windows_around(NOON):
                for average in await store.averages(start, end):
                    want = oracle.average(average.equipment_id, start, end, end, None)
                    assert want is not None
                    assert (average.count, average.min, average.max) == (
                        want["count"],
                        want["min"],
                        want["max"],
                    )


async def test_away_or_hanging_is_told_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influxdb_http, "WRITE_TIMEOUT_S", 2.0)
    monkeypatch.setattr(influxdb_http, "QUERY_TIMEOUT_S", 2.0)
    one = batches_of(live(("EQ-1", NOON, 1.0)))
    with InfluxDB(tmp_path / "influxdb") as influxdb:
        async with opened(influxdb.url()) as store:
            await store.append(one, {})
            influxdb.pause()
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.append(one, {})
            with pytest.raises(StoreUnavailable):
                await store.averages(NOON - DAY, NOON + 1)
            assert time.monotonic() - began < 20
            influxdb.go_on()
            await store.append(one, {})
            influxdb.kill()
            with pytest.raises(StoreUnavailable):
                await store.position()
            with pytest.raises(StoreUnavailable):
                await store.append(one, {})


async def test_what_influxdb_will_never_take_is_named_and_the_others_are_stored(
    influxdb: InfluxDB,
) -> None:
    url = influxdb.url("refusing")
    async with opened(url) as store:
        spoilt = NOON - 60 * DAY
        assert await store._client().write([f'reading,equipmentId=x,part=0 value="text" {spoilt}'])\
            is None  # fmt: skip
        good = live(*((f"EQ-{n}", NOON - n * MINUTE, float(n)) for n in range(50)))
        bad = live(("EQ-7", spoilt + 1, 1.0), ("Ω,8", -14_000 * 365 * DAY // 30, 2.0))
        refused = await store.append(batches_of(good[:20] + bad + good[20:]), {})
        assert {(one.equipment_id, one.event_time, one.value) for one in refused} == {
            (write.equipment_id, write.event_time, write.value) for write in bad
        }
        assert all(one.reason and one.origin == "http:admin" for one in refused)
        averages = await store.averages(NOON - DAY, NOON + 1)
        assert sum(average.count for average in averages) == 50


async def test_a_wrong_password_is_told_with_the_remedy_and_never_shown(
    influxdb: InfluxDB,
) -> None:
    url = influxdb.url().replace(PASSWORD, "wrong-password")
    with pytest.raises(SettingsError, match="does not accept") as refused:
        await InfluxDBStore(url).open()
    assert "PIPEWATCHER_READINGS" in str(refused.value)
    assert refused.value.hint
    assert "wrong-password" not in f"{refused.value} {refused.value.hint}"


async def test_a_user_without_rights_is_told_what_to_grant(influxdb: InfluxDB) -> None:
    influxdb.query("CREATE USER guest WITH PASSWORD 'guest-password'")
    url = influxdb.url("closed", user="guest", password="guest-password")
    with pytest.raises(SettingsError, match="closed") as refused:
        await InfluxDBStore(url).open()
    assert 'GRANT ALL ON "closed" TO "guest"' in str(refused.value.hint)


async def test_an_ailing_influxdb_is_waited_for_and_the_settings_are_not_blamed(
    influxdb: InfluxDB,
) -> None:
    """A writer that opens the store again would end by `SettingsError`."""
    link = Proxy(influxdb.port, free_port())
    await link.start()
    url = influxdb.url("ailing").replace(str(influxdb.port), str(link.port))
    try:
        for mode in (Mode.ERROR_500, Mode.HALF_WRITTEN):
            await link.set(mode)
            with pytest.raises(StoreUnavailable):
                await InfluxDBStore(url).open()
        await link.set(Mode.PASS)
        async with opened(url) as store:
            await store.position()
    finally:
        await link.stop()


async def test_a_database_that_drops_readings_by_age_is_refused_with_the_remedy(
    influxdb: InfluxDB,
) -> None:
    influxdb.query('CREATE DATABASE "short" WITH DURATION 7d')
    with pytest.raises(SettingsError, match="older than 168h") as refused:
        await InfluxDBStore(influxdb.url("short")).open()
    assert 'ON "short" DURATION INF' in str(refused.value.hint)


async def test_tls_is_spoken_and_a_disagreement_about_it_is_told(
    influxdb: InfluxDB, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    with InfluxDB(tmp_path / "tls", certificate=certificate) as encrypted:
        tls = encrypted.url().replace("influxdb://", "influxdbs://")
        async with opened(f"{tls}?ca={certificate}") as store:
            await store.append(batches_of(live(("EQ-1", NOON, 1.0))), {})
        for wrong, remedy in [
            (encrypted.url(), "influxdbs:// speaks TLS"),
            (influxdb.url().replace("influxdb://", "influxdbs://"), "influxdb:// for one without"),
            (tls, "ca=FILE"),
        ]:
            with pytest.raises(SettingsError, match="PIPEWATCHER_READINGS") as refused:
                await InfluxDBStore(wrong).open()
            assert remedy in str(refused.value.hint)


async def test_nobody_at_the_address_is_told() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await InfluxDBStore(f"influxdb://u:p@127.0.0.1:{free_port()}/plant").open()


async def test_influxdb_3_is_refused_with_its_reason() -> None:
    class Ping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("X-Influxdb-Version", "3.2.1")
            self.send_header("X-Influxdb-Build", "Core")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Ping) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(SettingsError, match="72 hours"):
                await InfluxDBStore(f"influxdb://t@127.0.0.1:{server.server_port}/plant").open()
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "influxdb:///plant",
        "influxdb://u:secret@host",
        "influxdb://u:secret@host/a b",
        "influxdb://u:secret@host:port/plant",
        "influxdb://u:secret@host/plant?version=3",
        "influxdb://u:secret@host/plant?colour=red",
        "influxdbs://u:secret@host/plant?ca=/nowhere.pem",
    ],
)
def test_a_url_that_cannot_be_understood_is_told(url: str) -> None:
    with pytest.raises(SettingsError, match="PIPEWATCHER_READINGS") as refused:
        parse_influxdb_url(url)
    assert "secret" not in f"{refused.value}"


def test_urls_name_user_or_token() -> None:
    user = parse_influxdb_url("influxdb://us%40er:p%3Aw@host/plant")
    assert (user.base_url, user.user, user.secret) == ("http://host:8086", "us@er", "p:w")
    token = parse_influxdb_url("influxdbs://to%2Fken==@host:8087/plant?version=2")
    assert (token.base_url, token.user, token.secret) == ("https://host:8087", None, "to/ken==")
    assert "to/ken" not in repr(token)
