"""A bounded mix of faults on each set-up; `python bench/faults.py --long` is the long run.

A failing run prints the command that repeats it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from faults import shim
from faults.power import cut_power, keep_nothing, tear_last, tidy
from faults.run import Report, run

SEED = int(os.environ.get("PIPEWATCHER_TEST_SEED", "20260109"))
FAULTS = int(os.environ.get("PIPEWATCHER_TEST_FAULTS", "6"))
WORST = (
    "kill -9",
    "power cut, some unsynced writes kept",
    "power cut, last write torn",
    "EIO on fsync",
    "clock jumps forward",
    "clock jumps back",
    "link loses the answers",
)
NO_COMPILER = shim.missing()

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
with_shim = pytest.mark.skipif(NO_COMPILER is not None, reason=NO_COMPILER or "")


def by_all_doors(report: Report, *doors: str) -> None:
    assert set(doors) <= {door for door, count in report.acknowledged.items() if count}
    assert report.compared > 0


@with_shim
async def test_each_of_the_worst_faults_loses_and_doubles_nothing(tmp_path: Path) -> None:
    report = await run("embedded", SEED, len(WORST), tmp_path, "|".join(WORST))
    by_all_doors(report, "http single", "http batch", "import", "mqtt listener")
    assert report.faults == Counter(WORST)


@with_shim
@pytest.mark.mosquitto
async def test_a_broker_in_front_gives_everything_once(tmp_path: Path) -> None:
    report = await run("broker", SEED, FAULTS, tmp_path)
    assert report.faults.total() == FAULTS
    by_all_doors(report, "http single", "http batch", "import", "mqtt listener", "mqtt broker")


@with_shim
@pytest.mark.kafka
@pytest.mark.influxdb
@pytest.mark.mongodb
@pytest.mark.mosquitto
async def test_split_roles_on_servers_lose_and_double_nothing(tmp_path: Path) -> None:
    report = await run("split", SEED, FAULTS, tmp_path)
    assert report.faults.total() == FAULTS
    by_all_doors(report, "http single", "http batch", "import", "mqtt listener", "mqtt broker")


@with_shim
def test_the_power_cut_takes_what_was_not_synced_and_leaves_the_rest(tmp_path: Path) -> None:
    """Of the harness itself: a shim that takes nothing would prove nothing."""
    data = tmp_path / "data"
    data.mkdir()
    preloaded = shim.Shim(tmp_path / "shim", data)
    script = """
import os, sys
a = os.open("synced", os.O_RDWR | os.O_CREAT); os.write(a, b"kept " * 200); os.fsync(a)
os.pwrite(a, b"LOST", 5); os.ftruncate(a, 900); os.pwrite(a, b"x" * 2000, 900)
b = os.open("never", os.O_WRONLY | os.O_CREAT); os.write(b, b"gone")
os.kill(os.getpid(), 9)
"""
    environment = {**os.environ, **preloaded.environment}
    subprocess.run([sys.executable, "-c", script], cwd=data, env=environment, check=False)
    assert (data / "synced").read_bytes()[:15] == b"kept LOST kept "
    tidy(preloaded.journal)
    journal = preloaded.journal.read_bytes()
    torn = cut_power(data, preloaded.journal, tear_last, random.Random(1))
    assert torn == 4
    assert 900 <= (data / "synced").stat().st_size < 2_900
    preloaded.journal.write_bytes(journal)
    cut_power(data, preloaded.journal, keep_nothing, random.Random(1))
    assert (data / "synced").read_bytes() == b"kept " * 200
    assert (data / "never").read_bytes() == b""
