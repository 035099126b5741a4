"""The MQTT listener: rate, latency, 10,000 devices: `python bench/mqtt_listener.py [--rounds 3]`.

Everything of a row runs on one core, the devices too. Needs Mosquitto and its tools for the broker
row, and 10,000 free file descriptors twice over. Medians of the rounds; ratios count. On a machine
that has other work, messages in a second of CPU (the door's and the devices') tell more than those
in a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.mosquitto import DEVICE, Mosquitto
from servers.process import free_port

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
FLEET = 10_000
INTERVAL_S = 10
SILENT = 1_000
SILENT_KEEP_ALIVE_S = 4


class Door:
    """`bench/mqtt_servers.py` as a process."""

    def __init__(self, folder: Path, kind: str, place: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "mqtt_servers.py"), str(folder), kind, place],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "READY\n"

    def rss_mb(self) -> float:
        return float(psutil.Process(self._process.pid).memory_info().rss) / 1e6

    def cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> tuple[int, float]:
        """Readings committed, and seconds from the first to the last."""
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate(timeout=60)
        found = re.search(r"COMMITTED (\d+) in (\S+) s", said)
        assert found is not None, said
        return int(found[1]), float(found[2])


@contextlib.contextmanager
def listener() -> Iterator[tuple[int, Door]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        yield port, Door(Path(folder), "listener", str(port))


def devices(kind: str, port: int, count: int, seconds: float, number: float, *who: str) -> Any:
    command = [sys.executable, str(HERE / "mqtt_devices.py"), kind, *map(str, (port, count))]
    command += [str(seconds), str(number), *who]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=ENVIRONMENT)
    return json.loads(done.stdout)


def one_run(kind: str, seconds: float, number: float) -> dict[str, float]:
    with listener() as (port, door):
        before = door.cpu_s()
        found: dict[str, float] = devices(kind, port, 64, seconds, number)
        door_s = door.cpu_s() - before
        found["door_us"] = door_s / found["messages"] * 1e6
        found["per_cpu_s"] = found["messages"] / (door_s + found["cpu_s"])
        committed, _ = door.stop()
        assert committed >= found["acknowledged"]
    return found


def through_mosquitto(seconds: float) -> dict[str, float]:
    """What the broker acknowledges, and what is durable here behind it."""
    with tempfile.TemporaryDirectory() as text, Mosquitto(Path(text) / "mosquitto") as broker:
        folder = Path(text)
        door = Door(folder, "broker", broker.url("plant/+/readings"))
        who = (DEVICE, broker.passwords[DEVICE])
        found: dict[str, float] = devices("window", broker.port, 64, seconds, 16, *who)
        time.sleep(3 * seconds)  # the broker holds more than it has passed on
        cpu_s = found["cpu_s"] + door.cpu_s() + broker_cpu_s(broker)
        committed, lasted = door.stop()
        return {**found, "durable_per_s": committed / lasted, "per_cpu_s": committed / cpu_s}


def broker_cpu_s(broker: Mosquitto) -> float:
    times = psutil.Process(broker.pid).cpu_times()
    return float(times.user + times.system)


def fleet(seconds: float) -> dict[str, float]:
    with listener() as (port, door):
        before = door.rss_mb()
        command = [sys.executable, str(HERE / "mqtt_devices.py"), "fleet", str(port), str(FLEET)]
        process = subprocess.Popen(
            [*command, str(seconds), str(INTERVAL_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        assert process.stdout is not None
        process.stdout.readline()
        idle = door.rss_mb()
        said, _ = process.communicate("\n", timeout=300)
        found: dict[str, float] = json.loads(said)
        after = door.rss_mb()
        door.stop()
        return found | {"before_mb": before, "idle_mb": idle, "after_mb": after}


def half_open() -> dict[str, float]:
    """Peers that say nothing any more while others go on."""
    with listener() as (port, door):
        silent = [vanished(port, number) for number in range(SILENT)]
        began = time.monotonic()
        found = devices("rate", port, 64, 4, 1_000)
        with selectors.DefaultSelector() as ended:
            for one in silent:
                ended.register(one, selectors.EVENT_READ)
            while ended.get_map() and time.monotonic() - began < 30:
                for key, _ in ended.select(1):
                    ended.unregister(key.fileobj)
            found |= {"gone_s": time.monotonic() - began, "left": len(ended.get_map())}
        for one in silent:
            one.close()
        door.stop()
        return dict(found)


def vanished(port: int, number: int) -> socket.socket:
    sys.path.insert(0, str(HERE))
    from mqtt_devices import TOKEN, connect

    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(connect(f"silent-{number}", "bench", TOKEN, SILENT_KEEP_ALIVE_S))
    assert one.recv(4) == b"\x20\x02\x00\x00"
    return one


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for name, run in {
            "64 devices, one message on the way": lambda: one_run("window", given.seconds, 1),
            "64 devices, 16 messages on the way": lambda: one_run("window", given.seconds, 16),
            "64 devices, 2,000 messages/s": lambda: one_run("rate", given.seconds, 2_000),
            "Mosquitto and the broker source": lambda: through_mosquitto(given.seconds),
        }.items():
            runs.setdefault(name, []).append(run())
    for name, found in runs.items():
        row = medians(found)
        print(f"{name:36} {row['per_s']:9,.0f} acknowledged/s  p50 {row['p50_ms']:6.1f} ms", end="")
        print(f"  p99 {row['p99_ms']:6.1f} ms  {row['per_cpu_s']:,.0f} in a second of CPU", end="")
        print(f", the door {row['door_us']:.0f} µs each" if "door_us" in row else "", end="")
        print(f"  durable {row['durable_per_s']:,.0f}/s" if "durable_per_s" in row else "")
    best = medians(runs["64 devices, 16 messages on the way"])["per_s"]
    ours = medians(runs["Mosquitto and the broker source"])["durable_per_s"]
    print(f"listener / durable through Mosquitto: {best / ours:.2f}")
    tell_fleet(fleet(2 * INTERVAL_S))
    found = half_open()
    print(
        f"{SILENT:,} silent ones with a keep-alive of {SILENT_KEEP_ALIVE_S} s: gone after "
        f"{found['gone_s']:.1f} s, {found['left']:.0f} left; "
        f"1,000/s of others: p99 {found['p99_ms']:.1f} ms"
    )


def tell_fleet(found: dict[str, float]) -> None:
    print(
        f"{FLEET:,} devices, one message in {INTERVAL_S} s each: connected in "
        f"{found['connected_s']:.1f} s, {found['per_s']:,.0f}/s, p99 {found['p99_ms']:.1f} ms, "
        f"{found['lost']:.0f} lost\n"
        f"  memory {found['before_mb']:.0f} MB before, {found['idle_mb']:.0f} MB with all idle, "
        f"{found['after_mb']:.0f} MB at the end\n"
        f"  all back at once: connected in {found['storm_connected_s']:.1f} s, each has a message "
        f"acknowledged after {found['storm_acknowledged_s']:.1f} s"
    )


if __name__ == "__main__":
    main()
