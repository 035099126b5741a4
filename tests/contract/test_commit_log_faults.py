"""The embedded commit log when things go wrong: killed, without room, with an unruly caller."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.commit_log_suite import a_batch, deliver, rows_of
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.errors import CommitLogUnavailable, DiskFull, Stopping
from pipewatcher.ports import CommitLog

FILE = "commit-log.sqlite"

# Says the number of every reading once its append has ended well, until it is killed.
CHILD = """
import asyncio, itertools, sys
from pathlib import Path
from pipewatcher.commit_log.sqlite import SQLiteCommitLog

async def main():
    log = SQLiteCommitLog(Path(sys.argv[1]))
    await log.open()
    numbers = itertools.count()
    async def send():
        while True:
            n = next(numbers)
            await log.append_reading(f"EQ-{n % 7}", n, n / 3, "http:a")
            sys.stdout.write(f"{n}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(send() for _ in range(16)))

asyncio.run(main())
"""


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SQLiteCommitLog]:
    log = SQLiteCommitLog(tmp_path / FILE)
    await log.open()
    yield log
    await log.close()


async def event_times(log: CommitLog, start: int = 0) -> list[int]:
    found = await deliver(log, {0: start}, log.end())
    return [row[1] for delivery in found for row in rows_of(delivery.batches)]


def kill_after(path: Path, lines: int) -> list[int]:
    """What a child that was killed with SIGKILL had been told to be durable."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        told += child.stdout.read().splitlines(keepends=True)
    return [int(line) for line in told if line.endswith(b"\n")]


async def test_what_a_killed_process_acknowledged_is_there(tmp_path: Path) -> None:
    for lines in (1, 200, 2_000):
        path = tmp_path / f"{lines}.sqlite"
        told = await asyncio.to_thread(kill_after, path, lines)
        assert len(told) >= lines
        log = SQLiteCommitLog(path)
        await log.open()
        try:
            found = await event_times(log)
            assert set(told) <= set(found)
            assert len(found) == len(set(found))
            assert log.backlog().readings == len(found)
        finally:
            await log.close()


async def test_many_who_append_at_once_keep_their_own_order(log: SQLiteCommitLog) -> None:
    async def send(sensor: int) -> None:
        for n in range(100):
            await log.append_reading(f"EQ-{sensor}", n, 1.0, f"http:{sensor % 3}")

    await asyncio.gather(*(send(sensor) for sensor in range(64)))
    found = await deliver(log, {}, log.end())
    by_sensor: dict[str, list[int]] = {}
    for delivery in found:
        for name, event_time, _, _ in rows_of(delivery.batches):
            by_sensor.setdefault(name, []).append(event_time)
    assert by_sensor == {f"EQ-{sensor}": list(range(100)) for sensor in range(64)}


async def test_a_full_file_refuses_and_goes_on_when_there_is_room(
    log: SQLiteCommitLog, tmp_path: Path
) -> None:
    await log.append_reading("EQ-1", 1, 1.0, "http:a")
    with pages_limited(log):
        with pytest.raises(DiskFull):
            await log.append(a_batch(200_000))
        with pytest.raises(DiskFull):
            await log.append(a_batch(200_000))
    await log.append_reading("EQ-1", 2, 1.0, "http:a")
    assert await event_times(log) == [1, 2]
    assert log.backlog().readings == 2
    await log.close()
    again = SQLiteCommitLog(tmp_path / FILE)
    await again.open()
    try:
        assert await event_times(again) == [1, 2]
    finally:
        await again.close()


async def test_a_disk_that_cannot_be_written_refuses_and_goes_on_later(
    log: SQLiteCommitLog,
) -> None:
    await log.append_reading("EQ-1", 1, 1.0, "http:a")
    with file_size_limited(2**20), pytest.raises(CommitLogUnavailable):
        await log.append(a_batch(200_000))
    await log.append_reading("EQ-1", 2, 1.0, "http:a")
    assert await event_times(log) == [1, 2]


async def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: Path) -> None:
    log = SQLiteCommitLog(small_disk / FILE)
    await log.open()
    done = await asyncio.gather(
        *(log.append(a_batch(50_000)) for _ in range(30)), return_exceptions=True
    )
    kept = sum(not isinstance(one, BaseException) for one in done)
    assert {type(one) for one in done if isinstance(one, BaseException)} == {DiskFull}
    assert kept > 0
    (small_disk / "room").unlink()
    await log.append_reading("EQ-9", -1, 1.0, "http:a")
    await log.close()
    again = SQLiteCommitLog(small_disk / FILE)
    await again.open()
    try:
        found = await event_times(again)
        assert len(found) == 50_000 * kept + 1
        assert found[-1] == -1
    finally:
        await again.close()


async def test_what_cannot_be_written_harms_no_neighbour(log: SQLiteCommitLog) -> None:
    futures = [
        log.append_reading("EQ\n1" if n == 5 else "EQ-1", n, 1.0, "http:a") for n in range(10)
    ]
    done = await asyncio.gather(*futures, return_exceptions=True)
    assert [n for n, one in enumerate(done) if isinstance(one, ValueError)] == [5]
    assert await event_times(log) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


async def test_a_commit_log_that_was_lost_goes_on_where_the_store_stands(
    log: SQLiteCommitLog,
) -> None:
    """Its new entries are not in the store, though their numbers look as if they were."""
    await log.append_reading("EQ-1", 1, 1.0, "http:a")
    await log.append_reading("EQ-1", 2, 1.0, "http:a")
    [delivery] = await deliver(log, {0: 500}, {0: 501})
    assert [row[1] for row in rows_of(delivery.batches)] == [1, 2]
    later = await log.append_reading("EQ-1", 3, 1.0, "http:a")
    assert later[0] > delivery.position[0] > 500


async def test_numbers_are_not_given_twice_after_everything_was_deleted(tmp_path: Path) -> None:
    ends = []
    for _ in range(3):
        log = SQLiteCommitLog(tmp_path / FILE)
        await log.open()
        await log.append_reading("EQ-1", 1, 1.0, "http:a")
        [delivery] = await deliver(log, {}, log.end())
        await delivery.ack()
        ends.append(log.end()[0])
        await log.close()
    assert ends == sorted(set(ends))


async def test_acks_out_of_order_give_up_nothing(log: SQLiteCommitLog, tmp_path: Path) -> None:
    await log.append_reading("EQ-1", 1, 1.0, "http:a")
    deliveries = log.deliveries("writer", {})
    first = await anext(deliveries)
    await log.append_reading("EQ-1", 2, 1.0, "http:a")
    second = await anext(deliveries)
    await second.ack()
    assert log.backlog().readings == 2
    await log.close()
    again = SQLiteCommitLog(tmp_path / FILE)
    await again.open()
    try:
        assert await event_times(again) == [1, 2]
    finally:
        await again.close()
    assert rows_of(first.batches)[0][1] == 1


async def test_a_reader_that_begins_again_is_given_what_was_not_acked(
    log: SQLiteCommitLog,
) -> None:
    await log.append_reading("EQ-1", 1, 1.0, "http:a")
    [stale] = await deliver(log, {}, log.end())
    [fresh] = await deliver(log, {}, log.end())
    await stale.ack()
    assert log.backlog().readings == 1
    await fresh.ack()
    assert log.backlog().readings == 0


async def test_a_second_consumer_group_is_refused(log: SQLiteCommitLog) -> None:
    await log.append_reading("EQ-1", 1, 1.0, "http:a")
    await deliver(log, {}, log.end())
    with pytest.raises(ValueError, match="already delivers to writer"):
        await anext(aiter(log.deliveries("discovery", {})))


async def test_an_append_after_the_end_is_refused(tmp_path: Path) -> None:
    log = SQLiteCommitLog(tmp_path / FILE)
    await log.open()
    await log.close()
    await log.close()
    with pytest.raises(Stopping):
        await log.append_reading("EQ-1", 1, 1.0, "http:a")


@contextmanager
def pages_limited(log: SQLiteCommitLog) -> Iterator[None]:
    """Leaves the file no page to grow by. Nothing else uses the connection meanwhile."""
    run = log._entries._connection.execute
    (pages,) = run("PRAGMA page_count").fetchone()
    (before,) = run("PRAGMA max_page_count").fetchone()
    run(f"PRAGMA max_page_count = {pages}")
    yield
    run(f"PRAGMA max_page_count = {before}")


@contextmanager
def file_size_limited(size: int) -> Iterator[None]:
    """Writes past `size` fail with EFBIG, in every file of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """12 MiB of which a file named `room` takes four. Mounting is for root only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here; the file's own limit is tested instead")
    try:
        (disk / "room").write_bytes(bytes(4 * 2**20))
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
