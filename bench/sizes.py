"""What a reading takes: bytes on the wire, in both commit logs and in InfluxDB.

    python bench/sizes.py [wire] [commit_log] [kafka] [influxdb]    all by default

Writes docs/capacity/sizes.json, from which `pipewatcher capacity` works (make capacity-figures).

Needs the test servers (make servers). Bytes are the same however busy the machine is.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).parents[1] / "bench/load"))

from connections import KINDS
from plan import Stamps
from readings import END, NAMES, history

from pipewatcher import __version__
from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.errors import CommitLogUnavailable, StoreUnavailable
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import MINUTE
from pipewatcher.readings.influxdb import InfluxDBStore
from server import TOKEN, Server
from servers.influxdb import InfluxDB
from servers.kafka import KafkaCluster
from waiting import eventually

TOP = Path(__file__).parents[1]
OUT = TOP / "docs/capacity/sizes.json"
CONNECTIONS = 64
PARTITIONS = 12
SINGLES = 20_000
WITHIN_S = 600.0
COMPACTED_WITHIN_S = 180
# InfluxDB compacts what was not written to for some hours; here it shall not take as long.
COLD = {
    "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "2s",
    "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "2s",
}


def bytes_of(folder: Path, *patterns: str) -> int:
    found = [path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()]
    return sum(path.stat().st_size for path in found)


def a_day() -> list[Batch]:
    """Of the plant of `bench/readings.py`: 2.88 million readings."""
    return history(0, 1, np.random.default_rng(1))


async def wire(folder: Path) -> dict[str, dict[str, float]]:
    """Per reading, what a client and the server say to each other, without packets' headers."""
    with Server(folder) as server:
        return said(int(server.url.rpartition(":")[2]))


def said(port: int) -> dict[str, dict[str, float]]:

    class Asker:
        stamps = Stamps(1_790_000_000, 0)

    found = {}
    for kind in ("single", "batch"):
        device = KINDS[kind](0, 0, TOKEN, Asker())  # type: ignore[arg-type]
        message = device.message(0)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(message)
            answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 20"), answer
        found[kind] = {
            "sent": len(message) / device.readings,
            "answered": len(answer) / device.readings,
        }
    mqtt = KINDS["mqtt"](0, 0, TOKEN, Asker())  # type: ignore[arg-type]
    return found | {"mqtt": {"sent": float(len(mqtt.message(0))), "answered": 4.0}}


async def commit_log(folder: Path) -> dict[str, float]:
    """Bytes of the embedded commit log's file per reading, with nothing delivered."""
    found = {}
    for kind, at_once in (("single", 1), ("together", CONNECTIONS), ("batch", 0)):
        log = SQLiteCommitLog(folder / f"{kind}.sqlite")
        await log.open()
        count = SINGLES // 10 if at_once == 1 else SINGLES
        if at_once:
            for first in range(0, count, at_once):
                await asyncio.gather(*singles(log, first, at_once))
        else:
            batch = a_day()[0]
            await log.append(batch)
            count = len(batch)
        await log.close()
        found[kind] = bytes_of(folder, f"{kind}.sqlite*") / count
    return found


def topic(kafka: KafkaCluster, name: str) -> str:
    """Acknowledged from memory, as each of three brokers does it; one alone syncs first."""
    admin = AdminClient({"bootstrap.servers": kafka.servers})
    wanted = [NewTopic(name, PARTITIONS, 1), NewTopic(f"{name}.dead-letters", 1, 1)]
    for made in admin.create_topics(wanted).values():
        made.result(60)
    while any(
        part.leader < 0
        for wished in wanted
        for part in admin.list_topics(wished.topic, timeout=60)
        .topics[wished.topic]
        .partitions.values()
    ):
        time.sleep(0.2)
    return kafka.url(name, partitions=PARTITIONS)


async def kafka_log(folder: Path) -> dict[str, float]:
    """Bytes of a record on one broker's disk, singles as 64 connections send them."""
    found = {}
    with KafkaCluster(folder) as kafka:
        for kind in ("single", "batch"):
            log = KafkaCommitLog(topic(kafka, f"size-{kind}"))
            await log.open()
            if kind == "batch":
                await acknowledged([log.append(batch) for batch in parts(a_day()[0])])
            else:
                for first in range(0, SINGLES, CONNECTIONS):
                    await acknowledged(singles(log, first, CONNECTIONS))
            records = sum((await log.tail()).values())
            await log.close()
            found[kind] = bytes_of(folder, f"size-{kind}-*/*.log") / records
    return found


def parts(batch: Batch, size: int = 2_000) -> Iterator[Batch]:
    for first in range(0, len(batch), size):
        chosen = slice(first, first + size)
        yield replace(
            batch,
            codes=batch.codes[chosen],
            event_times=batch.event_times[chosen],
            values=batch.values[chosen],
        )


def singles(log: Any, first: int, count: int) -> list[Any]:
    return [
        log.append_reading(NAMES[n % len(NAMES)], END + n * MINUTE, 20 + n / 100, "http:x")
        for n in range(first, first + count)
    ]


async def acknowledged(appends: list[Any]) -> None:
    """On a machine that is too busy some are not, in time: what is there is counted, not this."""
    for answer in await asyncio.gather(*appends, return_exceptions=True):
        if isinstance(answer, BaseException) and not isinstance(answer, CommitLogUnavailable):
            raise answer


async def influxdb(folder: Path) -> float:
    """Bytes per reading of a day, once its files stay as they are; later it compacts further."""
    with InfluxDB(folder / "influxdb") as server:
        store = InfluxDBStore(server.url("size"))
        await store.open()
        batches = a_day()
        for batch in batches:
            for part in parts(batch, 20_000):
                await eventually(lambda part=part: written(store, part), WITHIN_S, every_s=1)
        await store.close()
        smallest = wait_until_still(lambda: bytes_of(folder, "*.tsm", "*.wal"))
    return smallest / sum(map(len, batches))


async def written(store: InfluxDBStore, batch: Batch) -> bool:
    """On a machine that is too busy it is not, in time; what is sent twice is stored once."""
    try:
        await store.append([batch], {})
    except StoreUnavailable:
        return False
    return True


def wait_until_still(size: Callable[[], int]) -> int:
    seen = [size()]
    until = time.monotonic() + COMPACTED_WITHIN_S
    while time.monotonic() < until and len(set(seen[-10:])) + (len(seen) < 10) > 1:
        time.sleep(3)
        seen.append(size())
    return seen[-1]


def rounded(found: object) -> object:
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    return float(f"{found:.3g}") if isinstance(found, float) else found


PARTS: dict[str, Callable[[Path], Any]] = {
    "wire": wire,
    "commit_log": commit_log,
    "kafka": kafka_log,
    "influxdb": influxdb,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*PARTS, []])
    os.environ.update(COLD)
    found = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
    for name in parser.parse_args().what or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            part = PARTS[name](Path(folder))
            found[name] = rounded(asyncio.run(part) if inspect.iscoroutine(part) else part)
        when = datetime.now(UTC).isoformat(timespec="minutes")
        found |= {"command": "python bench/sizes.py", "version": __version__, "when": when}
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    print(OUT.read_text("utf-8"))


if __name__ == "__main__":
    main()
