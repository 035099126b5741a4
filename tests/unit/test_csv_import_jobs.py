"""Imports as jobs, on the real commit log, registry and store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.errors import (
    Busy,
    Conflict,
    DiskFull,
    InvalidRequest,
    NotFound,
    StoreUnavailable,
)
from pipewatcher.model.imports import ImportJob
from pipewatcher.model.readings import Batch, Position
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.sources import csv_import, csv_runs, csv_stream
from pipewatcher.sources.csv_import import ImportService
from pipewatcher.sources.csv_runs import Stages
from pipewatcher.writer import Writer
from refusals import none_refused
from waiting import eventually

HEADER = "equipmentId,timestamp,value\n"


@pytest.fixture(autouse=True)
def _many_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_stream, "BLOCK_BYTES", 4_096)
    monkeypatch.setattr(csv_stream, "LINE_BYTES_MAX", 1_024)
    monkeypatch.setattr(csv_runs, "REFUSED_PAUSE_S", 0.01)


def rows(count: int, sensor: str = "EQ-1", value: float = 1.5) -> str:
    return "".join(
        f"{sensor},2024-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z,{value}\n"
        for n in range(count)
    )


async def chunks(text: str) -> AsyncIterator[bytes]:
    data = text.encode()
    for at in range(0, len(data), 5_000):
        yield data[at : at + 5_000]


@dataclass
class House:
    """A data folder whose import service can be stopped and started."""

    folder: Path
    registry: SQLiteRegistry
    store: DuckDBStore
    commit_log: SQLiteCommitLog
    writer: Writer
    refusal: Busy | None = None
    appended: list[Batch] = field(default_factory=list)
    on_append: Callable[[Batch], None] = lambda _: None
    imports: ImportService = field(init=False)

    async def start(self) -> None:
        self.imports = ImportService(
            Stages(
                registry=self.registry,
                store=self.store,
                append=self.append,
                backlog=self.commit_log.backlog,
                stored=self.writer.stored,
                end=self.commit_log.end,
                refusal=lambda: self.refusal,
                oldest=lambda at: None,
                outcomes=True,
            ),
            folder=self.folder / "imports",
            kept_by="here",
            future_max_s=300,
        )
        await self.imports.start()

    def append(self, batch: Batch) -> asyncio.Future[Position]:
        self.appended.append(batch)
        self.on_append(batch)
        return self.commit_log.append(batch)

    async def upload(
        self, text: str, timezone: str | None = None, *, dry_run: bool = False, keep: bool = False
    ) -> ImportJob:
        return await self.imports.upload(
            chunks(text),
            file_name="a.csv",
            created_by="ada",
            timezone=timezone,
            dry_run=dry_run,
            keep_stored=keep,
        )

    async def ended(self, import_id: int) -> ImportJob:
        return await self.when(import_id, lambda job: job.state not in {"queued", "running"})

    async def when(self, import_id: int, true: Callable[[ImportJob], bool]) -> ImportJob:
        async def found() -> ImportJob | None:
            job = await self.imports.job(import_id)
            return job if true(job) else None

        job: ImportJob = await eventually(found, every_s=0.005)
        return job

    async def imported(self, text: str) -> ImportJob:
        return await self.ended((await self.upload(text)).id)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    registry = SQLiteRegistry(folder / "registry.sqlite")
    store = DuckDBStore(folder / "readings.duckdb")
    commit_log = SQLiteCommitLog(folder / "commit.sqlite")
    for part in (registry, store, commit_log):
        await part.open()
    writer = Writer(commit_log, store, none_refused)
    running = asyncio.create_task(writer.run())
    house = House(folder, registry, store, commit_log, writer)
    await house.start()
    try:
        yield house
    finally:
        await house.imports.stop()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        for closing in (commit_log, store, registry):
            await closing.close()


def assert_balanced(job: ImportJob) -> None:
    assert job.received == job.accepted + job.rejected
    assert job.counts is not None
    counts = job.counts
    parts = (counts.new, counts.identical, counts.corrected, counts.repeated, counts.skipped)
    assert job.accepted == counts.accepted == sum(parts)


async def test_a_receipt_balances_and_names_each_bad_row(house: House) -> None:
    job = await house.imported(
        HEADER + rows(500) + "EQ-1,2024-01-01,1\n" + rows(10) + rows(10, value=2.5) + "\n\nx\n"
    )
    assert job.state == "done"
    assert_balanced(job)
    assert (job.received, job.rejected, job.sensors) == (522, 2, 1)
    assert [(error.line, error.field) for error in job.errors] == [(502, "timestamp"), (525, "row")]
    assert job.counts is not None
    assert (job.counts.new, job.counts.repeated) == (500, 20)
    assert job.bytes_done == job.bytes_total


async def test_rejected_rows_can_be_mended_and_sent_until_none_is_left(house: House) -> None:
    sent = HEADER + '"EQ-1,2024-01-01T00:00:00Z,1\nEQ 2,2024-01-01T00:00:01Z,"2"\nEQ-3,nn,"3"\n'
    first = await house.imported(sent)
    got = (await house.imports.rejected_csv(first.id)).read_text()
    assert got.splitlines()[0] == HEADER.strip() + ",reason"
    for line, row in zip(got.splitlines()[1:], sent.splitlines()[1:], strict=True):
        assert line.startswith(row + ",")
    second = await house.imported(got.replace("EQ 2", "EQ-2"))
    assert (second.accepted, second.rejected, second.unknown_columns) == (1, 2, [])
    got = (await house.imports.rejected_csv(second.id)).read_text()
    assert got.count("line ") == 2
    mended = got.replace("nn", "2024-01-01T00:00:02Z").replace('"EQ-1', "EQ-1")
    third = await house.imported(mended + "EQ-4,2024-01-01T00:00:03Z,4\n")
    assert (third.state, third.accepted, third.rejected) == ("done", 3, 0)
    with pytest.raises(NotFound):
        await house.imports.rejected_csv(third.id)


async def test_after_a_stop_the_import_goes_on_and_counts_no_row_twice(house: House) -> None:
    stopped = asyncio.Event()

    def stop_soon(_: Batch) -> None:
        if len(house.appended) == 20:
            stopped.set()

    house.on_append = stop_soon
    bad = "EQ-1,2024-01-01,1\n" * 300
    job = await house.upload(HEADER + bad + rows(4_000) + bad)
    await stopped.wait()
    await house.imports.stop()
    assert (await house.registry.import_job(job.id)).state == "interrupted"
    before = len(house.appended)
    await house.start()
    ended = await house.ended(job.id)
    assert_balanced(ended)
    assert (ended.state, ended.received, ended.rejected) == ("done", 4_600, 600)
    assert ended.counts is not None
    assert ended.counts.new == 4_000
    blocks = [batch.block.block for batch in house.appended if batch.block is not None]
    assert blocks[before:] == sorted(set(blocks[before:]))
    assert blocks[before] in {blocks[before - 1], blocks[before - 1] + 1}
    rejected = (await house.imports.rejected_csv(job.id)).read_bytes()
    assert rejected.count(b"\n") == 601


async def test_what_a_crash_left_running_goes_on_at_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        job = await house.upload(HEADER + rows(3_000))
        done = await house.ended(job.id)
        # As a crash just before the receipt leaves it.
        done.state = "running"
        await house.registry.save_import(done)
        (tmp_path / "imports" / "upload-cut-off").write_bytes(b"half")
    async with opened(tmp_path) as house:
        ended = await house.ended(job.id)
        assert_balanced(ended)
        assert (ended.state, ended.accepted) == ("done", 3_000)
        assert not house.appended
        assert not list((tmp_path / "imports").glob("upload-*"))


async def test_a_cancelled_import_says_what_is_stored_and_can_go_on(house: House) -> None:
    cancelling: list[Awaitable[ImportJob]] = []

    def cancel(batch: Batch) -> None:
        if len(house.appended) == 10:
            assert batch.block is not None
            cancel_it = house.imports.withdraw(batch.block.import_id)
            cancelling.append(asyncio.ensure_future(cancel_it))

    house.on_append = cancel
    job = await house.upload(HEADER + rows(5_000))
    ended = await house.ended(job.id)
    await asyncio.gather(*cancelling)
    assert ended.state == "cancelled"
    assert_balanced(ended)
    assert 0 < ended.accepted < 5_000
    resumed = await house.imports.resume(job.id)
    assert (resumed.state, resumed.finished_at) == ("queued", None)
    ended = await house.ended(job.id)
    assert_balanced(ended)
    assert (ended.state, ended.accepted) == ("done", 5_000)
    with pytest.raises(Conflict):
        await house.imports.resume(job.id)


async def test_nobody_is_told_that_an_import_has_ended_before_that_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes back an import that is told to be done would cancel one that runs again."""
    monkeypatch.setattr(csv_import, "TRY_AGAIN_S", 0.01)
    save = house.registry.save_import
    told: list[str] = []

    async def refusing(job: ImportJob) -> None:
        if job.state == "done" and len(told) < 3:
            told.append((await house.imports.job(job.id)).state)
            raise StoreUnavailable
        await save(job)

    monkeypatch.setattr(house.registry, "save_import", refusing)
    ended = await house.imported(HEADER + rows(500))
    assert told == ["running"] * 3
    assert (ended.state, ended.accepted) == ("done", 500)
    assert_balanced(ended)


async def test_a_full_disk_makes_an_import_wait_and_a_waiting_one_can_be_cancelled(
    house: House,
) -> None:
    waiting = asyncio.Event()

    def fill_up(_: Batch) -> None:
        if len(house.appended) == 3:
            house.refusal = DiskFull()
            waiting.set()

    house.on_append = fill_up
    first = await house.upload(HEADER + rows(3_000))
    second = await house.upload(HEADER + rows(10, sensor="EQ-2"))
    await waiting.wait()
    with pytest.raises(DiskFull):
        await house.upload(HEADER + rows(10))
    assert (await house.imports.withdraw(second.id)).state == "cancelled"
    house.refusal = None
    assert (await house.ended(first.id)).accepted == 3_000
    assert (await house.imports.resume(second.id)).state == "queued"
    assert (await house.ended(second.id)).accepted == 10
    house.appended.clear()
    third = await house.upload(HEADER + rows(3_000))
    await house.when(third.id, lambda _: house.refusal is not None)
    await house.imports.withdraw(third.id)
    ended = await house.ended(third.id)
    assert ended.state == "cancelled"
    assert_balanced(ended)


async def test_an_import_never_gets_far_ahead_of_the_store(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_runs, "BACKLOG_BYTES_MAX", 10_000)
    ahead: list[int] = []
    house.on_append = lambda _: ahead.append(house.commit_log.backlog().bytes)
    job = await house.imported(HEADER + rows(3_000))
    assert job.state == "done"
    assert max(ahead) <= 10_000


async def test_a_file_that_is_no_csv_fails_with_a_code_and_stores_nothing(house: House) -> None:
    job = await house.imported("%PDF-1.7")
    assert (job.state, job.received) == ("failed", 0)
    assert job.error
    assert [(error.field, error.code) for error in job.errors] == [("file", "pdf")]


async def test_an_upload_that_breaks_off_leaves_nothing_behind(house: House) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield HEADER.encode()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await house.imports.upload(broken(), file_name="a.csv", created_by="ada")
    assert not list((house.folder / "imports").iterdir())
    assert not await house.imports.jobs(10)


async def test_local_times_are_read_in_the_zone_that_was_named(house: House) -> None:
    text = HEADER + "EQ-1,2024-01-01T00:00:00,1\n"
    job = await house.ended((await house.upload(text, timezone="America/Sao_Paulo")).id)
    assert job.accepted == 1
    stored = await house.store.readings("EQ-1", 0, 2**62, 10)
    assert stored[0].event_time == 1_704_078_000_000_000
    assert (await house.imported(text)).rejected == 1
    with pytest.raises(InvalidRequest):
        await house.upload(text, timezone="Mars/Olympus")


async def test_an_undone_import_leaves_what_stood_before_it(house: House) -> None:
    await house.imported(HEADER + rows(100, value=1.0))
    job = await house.imported(HEADER + rows(150, value=2.0))
    assert house.imports.undoable(job)
    preview = await house.imports.preview_undo(job.id)
    assert (preview.removed, preview.restored, preview.changed, preview.overtaken) == (
        50, 100, 100, 0
    )  # fmt: skip
    assert (await house.imports.withdraw(job.id)).state == "undoing"
    undone = await house.when(job.id, lambda job: job.state == "undone")
    assert undone.undone is not None
    assert (undone.undone.removed, undone.undone.restored) == (50, 100)
    stored = await house.store.readings("EQ-1", 0, 2**62, 1_000)
    assert [reading.value for reading in stored] == [1.0] * 100
    assert not house.imports.undoable(undone)
    for refused in (house.imports.withdraw, house.imports.resume, house.imports.preview_undo):
        with pytest.raises(Conflict):
            await refused(job.id)


async def test_what_a_cancelled_import_had_stored_can_be_undone(house: House) -> None:
    cancelling: list[Awaitable[ImportJob]] = []

    def cancel(batch: Batch) -> None:
        if len(house.appended) == 5:
            assert batch.block is not None
            cancelling.append(asyncio.ensure_future(house.imports.withdraw(batch.block.import_id)))

    house.on_append = cancel
    job = await house.imported(HEADER + rows(5_000))
    await asyncio.gather(*cancelling)
    assert (job.state, job.accepted > 0) == ("cancelled", True)
    await house.imports.withdraw(job.id)
    undone = await house.when(job.id, lambda job: job.state == "undone")
    assert undone.undone is not None
    assert undone.undone.removed == job.accepted
    assert await house.store.readings("EQ-1", 0, 2**62, 10) == []


async def test_an_undo_that_a_crash_cut_off_goes_on_at_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        job = await house.imported(HEADER + rows(3_000))
        await house.when(job.id, lambda _: house.imports.progress(job.id) is None)
        await house.imports.stop()
        assert (await house.imports.withdraw(job.id)).state == "undoing"
        # As a crash leaves it that came after the store's last step.
        await house.store.undo(job.id)
    async with opened(tmp_path) as house:
        undone = await house.when(job.id, lambda job: job.state == "undone")
        assert undone.undone is not None
        assert (undone.undone.removed, undone.undone.restored) == (3_000, 0)
        assert await house.store.readings("EQ-1", 0, 2**62, 10) == []


async def test_the_line_that_a_reading_came_from_is_found_in_the_upload(house: House) -> None:
    text = HEADER + "\n" + rows(2_000) + "bad\n" + rows(500, value=2.5) + rows(3, sensor="EQ-2")
    job = await house.imported(text)
    lines = text.split("\n")
    for sensor, second, value in (("EQ-1", 10, 2.5), ("EQ-1", 1_999, 1.5), ("EQ-2", 2, 1.5)):
        time = 1_704_067_200_000_000 + second * 1_000_000
        line = await house.imports.line_of(job.id, sensor, time)
        assert line is not None
        stamp = f"2024-01-01T00:{second // 60:02}:{second % 60:02}Z"
        assert lines[line - 1] == f"{sensor},{stamp},{value}"
    assert await house.imports.line_of(job.id, "EQ-3", 0) is None
    (house.folder / "imports" / f"{job.id}.csv").unlink()
    assert await house.imports.line_of(job.id, "EQ-1", 1_704_067_200_000_000) is None


async def test_a_dry_run_stores_nothing_and_applied_does_what_it_said(house: House) -> None:
    await house.imported(HEADER + rows(100, value=1.0))
    text = HEADER + rows(150, value=2.0) + "bad\n" + rows(10, value=1.0)
    job = await house.ended((await house.upload(text, dry_run=True)).id)
    assert (job.state, job.dry_run, job.rejected) == ("done", True, 1)
    forecast = await house.imports.forecast(job.id)
    assert job.counts == forecast.counts
    assert (await house.store.stats()).readings == 100
    assert not house.imports.undoable(job)
    with pytest.raises(Conflict):
        await house.imports.preview_undo(job.id)
    [change] = forecast.changes
    assert (change.count_before, change.count_after, change.mean_before) == (100, 150, 1.0)
    assert (await house.imports.apply(job.id)).state == "queued"
    applied = await house.when(job.id, lambda job: job.state == "done" and job.counts is not None)
    assert_balanced(applied)
    assert applied.counts is not None
    parts = ("new", "identical", "corrected", "repeated", "skipped")
    assert [getattr(applied.counts, n) for n in parts] == [
        getattr(forecast.counts, n) for n in parts
    ]
    [average] = await house.store.averages(forecast.start or 0, forecast.end or 0)
    assert (average.count, average.mean) == (150, pytest.approx(change.mean_after))
    with pytest.raises(Conflict):
        await house.imports.apply(job.id)


async def test_a_discarded_dry_run_can_not_be_applied(house: House) -> None:
    job = await house.ended((await house.upload(HEADER + rows(5), dry_run=True)).id)
    assert (await house.imports.withdraw(job.id)).state == "cancelled"
    with pytest.raises(Conflict):
        await house.imports.apply(job.id)
    assert await house.store.readings("EQ-1", 0, 2**62, 10) == []


async def test_a_dry_run_names_what_looks_wrong(house: House) -> None:
    def series(sensor: str, first: int, count: int, factor: float = 1.0) -> str:
        return "".join(
            f"{sensor},2024-01-{1 + n // 144:02}T{n // 6 % 24:02}:{n % 6}0:00Z,"
            f"{(50 + (n - first) * 7 % 23) * factor:.2f}\n"
            for n in range(first, first + count)
        )

    stored = HEADER + series("GOOD", 0, 300) + series("UNIT", 0, 300) + series("CLOCK", 0, 300)
    first = await house.imported(stored)
    await house.registry.register(["GOOD"], 1)
    await house.registry.update_sensor("GOOD", {"range_min": 0.0, "range_max": 72.0})
    twin = await house.ended((await house.upload(stored, dry_run=True)).id)
    [suspicion] = (await house.imports.forecast(twin.id)).suspicions
    assert (suspicion.kind, suspicion.import_id) == ("duplicate_file", first.id)

    # The same readings as stored, three hours later; and values a thousand times as large.
    text = (
        HEADER + series("GOOD", 0, 300) + "GOOD,2024-01-01T00:05:00Z,99\n"
        + series("CLOCK", 18, 290) + series("UNIT", 0, 40, 1_000.0) + series("OTHER", 0, 20)
    )  # fmt: skip
    job = await house.ended((await house.upload(text, dry_run=True)).id)
    forecast = await house.imports.forecast(job.id)
    found = {suspicion.kind: suspicion for suspicion in forecast.suspicions}
    assert set(found) == {"outside_range", "unit_jump", "clock_shifted", "after_newest"}
    assert [(s.equipment_id, s.value) for s in found["outside_range"].items] == [("GOOD", 99.0)]
    [jump] = found["unit_jump"].items
    assert (jump.equipment_id, jump.readings) == ("UNIT", 40)
    assert jump.factor == pytest.approx(1_000, rel=0.1)
    [shifted] = found["clock_shifted"].items
    assert (shifted.equipment_id, shifted.shift_hours) == ("CLOCK", -3)
    [newer] = found["after_newest"].items
    assert (newer.equipment_id, newer.readings) == ("CLOCK", 8)
    assert (forecast.new_sensors, forecast.new_sensor_ids) == (1, ["OTHER"])
