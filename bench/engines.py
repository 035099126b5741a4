"""The plant's engines beside the embedded ones: gateway on Kafka, writer to InfluxDB, means.

    python bench/engines.py [gateway] [writer] [means]     all three by default

Needs the test servers (make servers) and wrk. CPU is shared so: with two or more cores the process
of PipeWatcher that is measured has core 0 for itself; load generator and servers share the others.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import engines_writer

from pipewatcher.model.readings import Batch
from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND
from pipewatcher.readings.influxdb import InfluxDBStore
from pipewatcher.readings.influxdb_reads import raw_figures
from pipewatcher.readings.influxdb_rollups import Span
from server import TOKEN, Server
from servers.influxdb import InfluxDB
from servers.kafka import KafkaCluster
from servers.mongodb import MongoDB

SENSORS = 2_000
NAMES = [f"EQ-{10_000 + n}" for n in range(SENSORS)]
END = 1_790_000_040 * SECOND
CORES = sorted(os.sched_getaffinity(0))
ROUNDS = 3
WRITER_READINGS = 600_000
DAYS = 30


def batch(starts: np.ndarray) -> Batch:
    """Every sensor at each of these instants, each at its own second."""
    phases = (np.arange(SENSORS) * 7_919 % 60_000) * 1_000
    values = np.round(20 + np.sin(starts / HOUR)[:, None] + np.arange(SENSORS)[None, :] / 7, 2)
    return Batch(
        equipment_ids=NAMES,
        codes=np.tile(np.arange(SENSORS, dtype=np.uint32), len(starts)),
        event_times=(starts[:, None] + phases[None, :]).ravel(),
        values=values.ravel(),
        origins=["http:bench"],
    )


def pin(pid: int, cores: list[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def gateway(folder: Path) -> None:
    others = CORES[1:] or CORES
    os.sched_setaffinity(0, others)  # what is started from here inherits it
    with KafkaCluster(folder / "kafka") as kafka, MongoDB(folder / "mongodb") as mongodb:
        # Acknowledged from memory, as each of three brokers does it; one alone syncs first.
        admin = AdminClient({"bootstrap.servers": kafka.servers})
        admin.create_topics([NewTopic("in-memory", 12, 1)])["in-memory"].result(20)
        servers = {"embedded": Server(folder / "embedded")}
        for name, topic, partitions in (
            ("kafka, in memory", "in-memory", 12),
            ("kafka, synced", "synced", 4),  # as compose.yaml has it
        ):
            servers[name] = Server(
                folder / topic,
                roles="gateway",
                commit_log=kafka.url(topic, partitions=partitions),
                readings="influxdb://localhost/plant",
                registry=mongodb.url(),
            )
        rates: dict[str, list[float]] = {name: [] for name in servers}
        with contextlib.ExitStack() as stack:
            for server in servers.values():
                stack.enter_context(server)
                pin(server.pid, CORES[:1])
            for _ in range(ROUNDS):
                for name, server in servers.items():
                    rates[name].append(wrk(server.url))
    for name, found in rates.items():
        ratio = max(found) / max(rates["embedded"])
        shown = " ".join(f"{rate:,.0f}" for rate in found)
        print(f"gateway, {name:16}: {shown} singles/s; best / best embedded {ratio:.2f}")


def wrk(url: str) -> float:
    script = str(Path(__file__).with_name("single_readings.lua"))
    done = subprocess.run(
        ["wrk", "-t1", "-c64", "-d8s", "--latency", "-s", script, url, "--", TOKEN],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    rate, median, p99, errors, _ = line.split()[1:]
    print(f"  {url} {float(rate):,.0f}/s p50 {median} ms p99 {p99} ms errors {errors}")
    return float(rate)


def writer(folder: Path) -> None:
    steps = WRITER_READINGS // SENSORS
    engines_writer.run(
        folder,
        [
            batch(END - (steps - np.arange(at, min(at + 20, steps))) * MINUTE)
            for at in range(0, steps, 20)
        ],
    )


async def means(folder: Path) -> None:
    """Each sensor every 10 minutes for 30 days, and every minute in the windows' first and last
    two hours: what is not in rollups is asked at the full density of a plant."""
    with InfluxDB(folder / "influxdb") as influxdb:
        store = InfluxDBStore(influxdb.url("means"))
        await store.open()
        began = time.monotonic()
        instants = np.arange(END - DAYS * DAY - 2 * HOUR, END, 10 * MINUTE)
        dense = [np.arange(END - 2 * HOUR, END, MINUTE)] + [
            np.arange(END - days * DAY - HOUR, END - days * DAY + HOUR, MINUTE)
            for days in (1, 2, 7, 30)
        ]
        instants = np.unique(np.concatenate([instants, *dense]))
        for at in range(0, len(instants), 20):
            await store.append([batch(instants[at : at + 20])], {})
        count = len(instants) * SENSORS
        print(f"means: {count:,} readings in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        await store.settle()
        print(f"means: everything rolled up in {time.monotonic() - began:.0f} s")
        for name, days in (("24h", 1), ("48h", 2), ("7d", 7), ("30d", 30)):
            start, end = END - days * DAY + 17 * MINUTE, END - 13 * MINUTE
            times = []
            for _ in range(5):
                began = time.monotonic()
                answered = await store.averages(start, end)
                times.append(time.monotonic() - began)
            began = time.monotonic()
            raw = await raw_figures(store._client(), Span(start, end))
            raw_s = time.monotonic() - began
            counts = {average.equipment_id: average.count for average in answered}
            assert counts == {tag: figures[0] for tag, figures in raw.items()}
            print(
                f"means, {name:3}: {min(times) * 1e3:,.0f} to {max(times) * 1e3:,.0f} ms "
                f"({raw_s * 1e3:,.0f} ms from raw alone, with 1/10 of a plant's readings)"
            )
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=["gateway", "writer", "means", []])
    wanted = parser.parse_args().what or ["gateway", "writer", "means"]
    with tempfile.TemporaryDirectory() as folder:
        if "writer" in wanted:
            writer(Path(folder) / "w")
        if "means" in wanted:
            asyncio.run(means(Path(folder) / "m"))
        if "gateway" in wanted:
            gateway(Path(folder) / "g")


if __name__ == "__main__":
    main()
