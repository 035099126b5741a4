"""`pipewatcher capacity` follows from what was measured, and more load never needs less."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.capacity.figures import Figures, measured, sources
from pipewatcher.capacity.plan import BATCH, DISK_SAFETY, SAFETY, Demand, Plan, plan
from pipewatcher.capacity.units import number, parse_span, size, span

TOP = Path(__file__).parents[2]
DAY = 86_400.0
PAGES = [TOP / "docs/capacity.md", TOP / "docs/pt/capacity.md"]

demands = st.builds(
    Demand,
    sensors=st.integers(1, 10_000_000),
    interval_s=st.floats(0.1, 7 * DAY),
    retention_s=st.floats(DAY, 3_650 * DAY),
    batch=st.integers(1, 1_000),
    kept_in_kafka_s=st.floats(3_600, 90 * DAY),
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipewatcher", "capacity", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONPATH": str(TOP / "src"), "COLUMNS": "200"},
    )


def needs(made: Plan) -> dict[str, float]:
    """What a bigger plant may not need less of."""
    embedded, split = asdict(made.embedded), asdict(made.split)
    # One stack more makes each smaller, and a full buffer lasts shorter.
    del embedded["waits_s"]
    for name in ("overview_s", "partitions"):
        del split[name]
    limits = {limit.name: limit.share for limit in made.limits}
    return {
        **{f"embedded.{name}": value for name, value in embedded.items()},
        **{f"split.{name}": value for name, value in split.items()},
        **limits,
        "network": made.network_in_bits_per_s,
    }


def assert_no_less(bigger: Plan, smaller: Plan) -> None:
    before, after = needs(smaller), needs(bigger)
    for name in before:
        assert after[name] >= before[name] * (1 - 1e-9), name


@given(demands, st.floats(1, 50))
def test_more_sensors_never_need_less(demand: Demand, times: float) -> None:
    bigger = replace(demand, sensors=int(demand.sensors * times))
    assert_no_less(plan(bigger, measured()), plan(demand, measured()))


@given(demands, st.floats(1, 50))
def test_sending_more_often_never_needs_less(demand: Demand, times: float) -> None:
    faster = replace(demand, interval_s=demand.interval_s / times)
    assert_no_less(plan(faster, measured()), plan(demand, measured()))


@given(demands, st.floats(1, 50))
def test_keeping_longer_takes_that_much_more_disk_and_nothing_else(
    demand: Demand, times: float
) -> None:
    short = plan(demand, measured())
    long = plan(replace(demand, retention_s=demand.retention_s * times), measured())
    assert long.embedded.store_bytes == pytest.approx(short.embedded.store_bytes * times)
    assert long.split.influxdb_bytes == pytest.approx(short.split.influxdb_bytes * times)
    assert long.limits == short.limits
    assert replace(long.split, influxdb_bytes=0) == replace(short.split, influxdb_bytes=0)


@given(demands)
def test_larger_batches_need_no_more(demand: Demand) -> None:
    single = plan(replace(demand, batch=1), measured())
    batched = plan(replace(demand, batch=BATCH), measured())
    assert_no_less(single, batched)


@given(demands)
def test_slower_figures_never_need_less(demand: Demand) -> None:
    found = measured()
    slower = replace(
        found,
        embedded_single_per_s=found.embedded_single_per_s / 2,
        embedded_batch_per_s=found.embedded_batch_per_s / 2,
        writer_us=found.writer_us * 2,
        gateway_per_s=found.gateway_per_s / 2,
    )
    assert_no_less(plan(demand, slower), plan(demand, found))


def test_the_plant_of_the_mission_by_hand() -> None:
    found = measured()
    made = plan(Demand(sensors=2_000, interval_s=60, retention_s=5 * 365 * DAY), found)
    assert not made.over
    kept = 2_000 / 60 * 5 * 365 * DAY
    assert made.demand.readings_kept == pytest.approx(kept)
    assert made.embedded.store_bytes == pytest.approx(kept * found.duckdb_bytes)
    commit_log = found.backlog_max_mb * 2**20
    disk = DISK_SAFETY * (kept * found.duckdb_bytes + commit_log)
    assert made.embedded.disk_bytes == pytest.approx(disk)
    busy = SAFETY * 2_000 / 60 / found.embedded_single_per_s
    assert made.embedded.busy_cores == pytest.approx(busy)


def test_each_limit_alone_is_a_reason_to_leave_the_embedded_engine() -> None:
    found = measured()
    for demand, reason in (
        (Demand(sensors=100, interval_s=0.01, retention_s=DAY), "readings/s"),
        (Demand(sensors=12_000, interval_s=600, retention_s=DAY), "connections"),
        (Demand(sensors=90_000, interval_s=3_600, retention_s=DAY, batch=100), "means over 30 d"),
    ):
        assert [limit.name for limit in plan(demand, found).over] == [reason]


def test_a_store_larger_than_any_that_was_measured_is_doubted() -> None:
    small = Demand(sensors=1_000, interval_s=60, retention_s=30 * DAY)
    large = replace(small, retention_s=300 * DAY)
    doubts = [len(plan(demand, measured()).doubts) for demand in (small, large)]
    assert doubts == [1, 2]


def test_the_figures_are_those_of_their_sources() -> None:
    now = subprocess.run(
        [sys.executable, TOP / "deploy/dev/capacity_figures.py", "--print"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": str(TOP / "src")},
    ).stdout
    packaged = (TOP / "src/pipewatcher/capacity/figures.json").read_text("utf-8")
    assert now == packaged, "something was measured anew: make capacity-figures"
    assert json.loads(now).keys() == {field.name for field in fields(Figures)}
    for name, source in sources().items():
        assert (TOP / source).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_page_shows_what_the_command_says(page: Path) -> None:
    examples = re.findall(
        r"```text\n\$ pipewatcher capacity ([^\n]*)\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    assert len(examples) >= 4
    for arguments, shown in examples:
        done = command(*arguments.split())
        assert done.returncode == 0, done.stderr
        assert done.stdout == shown, f"pipewatcher capacity {arguments}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_page_has_each_figure_with_its_value(page: Path) -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", page.read_text("utf-8"), re.MULTILINE))
    assert {name: float(text.replace(",", "")) for name, text in told.items()} == asdict(measured())


def test_json_has_all_figures_and_where_they_come_from() -> None:
    done = command("--sensors", "2000", "--interval", "60s", "--retention", "5y", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["recommended"] == "embedded"
    assert found["because"] == []
    assert found["embedded"]["store_bytes"] == pytest.approx(
        found["readingsKept"] * found["figures"]["duckdb_bytes"]
    )
    assert found["sources"].keys() == found["figures"].keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--interval", "60"], "'60' is no span of time"),
        (["--interval", "5 weeks"], "is no span of time"),
        (["--interval", "0s"], "more than nothing"),
        (["--retention", "201y"], "at most 200y"),
        (["--sensors", "0"], "greater than or equal to 1"),
        (["--batch", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(arguments: list[str], said: str) -> None:
    asked = {"--sensors": "2000", "--interval": "60s", "--retention": "5y"}
    asked[arguments[0]] = arguments[1]
    done = command(*(word for pair in asked.items() for word in pair))
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("60s", 60), ("5m", 300), ("1.5h", 5_400), ("90 d", 90 * DAY),
     ("5y", 5 * 365 * DAY)],
)  # fmt: skip
def test_spans_of_time_are_read(text: str, seconds: float) -> None:
    assert parse_span(text) == pytest.approx(seconds)


def test_quantities_are_written_with_the_digits_that_count() -> None:
    assert [span(s) for s in (0.25, 60, 5_400, 5 * 365 * DAY)] == ["250 ms", "1 m", "1.5 h", "5 y"]
    assert [size(n) for n in (0, 950, 1.55e9, 2.04e12)] == ["0 kB", "0.95 kB", "1.6 GB", "2 TB"]
    assert [number(n) for n in (0.043, 33.3, 5.256e9, 16_667)] == [
        "0.043", "33", "5.3 billion", "16,667",
    ]  # fmt: skip
