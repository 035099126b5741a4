"""The writer from Kafka to InfluxDB, beside clients that have nothing else to do.

    python bench/engines.py writer

Everybody writes the same lines in batches of 5,000, one after the other, each in a process of its
own. With two or more cores that process has core 0 for itself; InfluxDB and Kafka share the others.

- `ready bodies`: packed before the clock starts, sent over four connections: InfluxDB's own limit.
- `influx -import`: InfluxData's command-line client with the same lines in a file.
- `writer`: ours; reads Kafka's records, makes the lines, marks rollups, commits offsets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import http.client
import os
import queue
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.memory import collect_rarely, give_back_freed_memory
from pipewatcher.model.readings import Batch, RefusedReading, covers
from pipewatcher.readings.influxdb import InfluxDBStore
from pipewatcher.readings.influxdb_http import CHUNK_LINES
from pipewatcher.readings.influxdb_lines import points_of
from pipewatcher.writer import Writer
from servers.influxdb import PASSWORD, USER, InfluxDB
from servers.kafka import KafkaCluster
from waiting import eventually

CORES = sorted(os.sched_getaffinity(0))
TURNS = 5
DATABASE = "bench"
CONNECTIONS = 4
_TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    rate: float
    """Readings per second of the clock."""
    client_us: float
    """CPU time per reading, as are those that follow."""
    influxdb_us: float
    kafka_us: float


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def run(folder: Path, batches: Sequence[Batch]) -> None:
    readings = sum(map(len, batches))
    os.sched_setaffinity(0, CORES[1:] or CORES)  # what is started from here inherits it
    with KafkaCluster(folder / "kafka") as kafka, InfluxDB(folder / "influxdb") as influxdb:
        bodies = folder / "bodies"
        bodies.mkdir()
        _write_lines(bodies, folder / "lines", batches)
        contest: dict[str, list[Run]] = {"ready bodies": [], "influx -import": [], "writer": []}
        if shutil.which("influx") is None:
            del contest["influx -import"]
        asyncio.run(_fill(kafka, batches))
        pids = (influxdb.pid, kafka.brokers[0].pid)
        for turn in range(TURNS):
            commands = {
                "ready bodies": _child("send", influxdb.url(DATABASE), bodies, readings),
                "influx -import": [
                    *("influx", "-import", "-precision", "u", "-path", str(folder / "lines")),
                    *("-host", "127.0.0.1", "-port", str(influxdb.port)),
                    *("-username", USER, "-password", PASSWORD),
                ],
                "writer": _child("drain", kafka.url(f"turn-{turn}"), influxdb.url(DATABASE)),
            }
            for name, runs in contest.items():
                influxdb.query(f"CREATE DATABASE {DATABASE}")
                runs.append(_timed(commands[name], pids, readings))
                stored = influxdb.query("SELECT count(value) FROM reading", db=DATABASE).json()
                assert stored["results"][0]["series"][0]["values"][0][1] == readings, stored
                influxdb.query(f"DROP DATABASE {DATABASE}")
                print(f"  turn {turn + 1}, {name:14} {runs[-1].rate:9,.0f} readings/s", flush=True)
    _tell(contest)


def _tell(contest: dict[str, list[Run]]) -> None:
    def median(name: str, field: str) -> float:
        return statistics.median(getattr(run, field) for run in contest[name])

    for name in contest:
        print(
            f"writer, {name:14}: {median(name, 'rate'):9,.0f} readings/s; CPU per reading: client "
            f"{median(name, 'client_us'):.1f}, InfluxDB {median(name, 'influxdb_us'):.1f}, "
            f"Kafka {median(name, 'kafka_us'):.1f} µs"
        )
    for name in contest.keys() - {"writer"}:
        pairs = zip(contest["writer"], contest[name], strict=True)
        ratio = statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)
        print(f"writer, ratio writer / {name}, median of {TURNS} turns: {ratio:.2f}")


def _child(*arguments: object) -> list[str]:
    return [sys.executable, __file__, *map(str, arguments)]


def _timed(command: list[str], pids: tuple[int, int], readings: int) -> Run:
    """What it says itself of its time, or else all of it."""
    before = [cpu_s(pid) for pid in pids]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, CORES[:1]),
    )
    took = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime
    told = [line for line in done.stdout.splitlines() if line.startswith("TOOK ")]
    timed = readings
    if told:
        took, client, timed = map(float, told[0].split()[1:])
    influxdb, kafka = (cpu_s(pid) - at_start for pid, at_start in zip(pids, before, strict=True))
    return Run(
        timed / took,
        *(1e6 * s / n for s, n in ((client, timed), (influxdb, readings), (kafka, readings))),
    )


def _write_lines(bodies: Path, lines: Path, batches: Iterable[Batch]) -> None:
    with lines.open("wb") as file:
        file.write(b"# DML\n# CONTEXT-DATABASE: %b\n" % DATABASE.encode())
        for n, batch in enumerate(batches):
            points = points_of([batch])
            for at in range(0, len(points), CHUNK_LINES):
                body = bytes(points.lines(at, min(at + CHUNK_LINES, len(points))))
                file.write(body)
                (bodies / f"{n:06}-{at:06}.gz").write_bytes(gzip.compress(body, 1))


async def _fill(kafka: KafkaCluster, batches: Iterable[Batch]) -> None:
    """A topic for each turn: a group begins at the beginning but once."""
    for turn in range(TURNS):
        log = KafkaCommitLog(kafka.url(f"turn-{turn}"))
        await log.open()
        for batch in batches:
            await log.append(batch)
        await log.close()


# In the processes that are measured


def send(influxdb_url: str, folder: str, readings: str) -> None:
    bodies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for path in sorted(Path(folder).iterdir()):
        bodies.put(path.read_bytes())
    where = urlsplit(influxdb_url)
    secret = base64.b64encode(f"{where.username}:{where.password}".encode()).decode()
    headers = {"authorization": f"Basic {secret}", "content-encoding": "gzip"}

    def work() -> None:
        assert where.hostname is not None
        connection = http.client.HTTPConnection(where.hostname, where.port)
        with contextlib.closing(connection), contextlib.suppress(queue.Empty):
            while True:
                body = bodies.get_nowait()
                connection.request("POST", f"/write?db={DATABASE}&precision=u", body, headers)
                answer = connection.getresponse()
                assert answer.status == 204, answer.read()
                answer.read()

    began, cpu = time.monotonic(), time.process_time()
    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("TOOK", time.monotonic() - began, time.process_time() - cpu, readings)


async def drain(kafka_url: str, influxdb_url: str) -> None:
    """The clock starts when the first delivery is stored: joining the group is no work."""
    log = KafkaCommitLog(kafka_url)
    await log.open()
    store = InfluxDBStore(influxdb_url)
    await store.open()
    tail = await log.tail()
    writer = Writer(log, store, _refused)
    writing = asyncio.create_task(writer.run())
    await eventually(lambda: writer.counts.stored, None, every_s=0.005)
    first, began, cpu = writer.counts.stored, time.monotonic(), time.process_time()
    await eventually(lambda: writer.counts.stored >= sum(tail.values()), None, every_s=0.005)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    print("TOOK", took, cpu, writer.counts.stored - first)

    async def is_acked() -> bool:
        return covers(await log.acked("writer"), tail)

    await eventually(is_acked)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()
    await log.close()


async def _refused(refused: Sequence[RefusedReading]) -> None:
    raise AssertionError(refused)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "send":
        send(*arguments)
    else:
        give_back_freed_memory()
        collect_rarely()
        uvloop.run(drain(*arguments))
