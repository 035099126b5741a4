"""Writes src/pipewatcher/capacity/figures.json from what was measured (`make capacity-figures`),
and the figures and examples into docs/capacity.md and docs/pt/capacity.md.

No figure stands here: each is read out of the load report's or the sizes' data, or out of the page
on which it was published. With `--print` the JSON goes to standard output, for tests.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import yaml
from typer.testing import CliRunner

from pipewatcher.cli.capacity import capacity
from pipewatcher.settings import Settings

TOP = Path(__file__).parents[2]
FILE = TOP / "src/pipewatcher/capacity/figures.json"
LOAD = "docs/load-report/figures.json"
SIZES = "docs/capacity/sizes.json"
STORE = "docs/decisions/0011-the-readings-store.md"
INFLUXDB = "docs/decisions/0021-readings-in-influxdb.md"
GATEWAY = "docs/decisions/0020-the-commit-log-on-kafka.md"
COMPOSE = "compose.yaml"
LISTENER = "docs/decisions/0030-the-mqtt-listener.md"
PAGES = [TOP / "docs/capacity.md", TOP / "docs/pt/capacity.md"]
SETTINGS = "src/pipewatcher/settings.py"


def told(page: str, pattern: str) -> float:
    found = re.search(pattern, (TOP / page).read_text("utf-8"))
    assert found is not None, f"{page} no longer says {pattern}"
    return float(found[1].replace(",", ""))


def data(file: str) -> Any:
    return json.loads((TOP / file).read_text("utf-8"))


def of_load(kind: str) -> float:
    """Least of its closed loops over all numbers of connections."""
    phases = data(LOAD)["setups"][0]["phases"]
    grid = [p for p in phases if p["of_grid"] and p["mode"] == "closed" and p["kind"] == kind]
    return float(round(min(phase["readings_per_s"] for phase in grid)))


def figures() -> Iterator[tuple[str, float, str, str]]:
    """Name, value, unit, source."""
    embedded = data(LOAD)["setups"][0]
    phases = [*embedded["phases"], embedded["storm"], embedded["soak"], embedded["beside"]]
    for kind, what in (("single", "single readings"), ("batch", "batches of 100")):
        yield f"embedded_{kind}_per_s", of_load(kind), f"readings/s of one core, {what}", LOAD
    yield "connections", float(max(embedded_size())), "connections at once", LOAD
    peak = max(phase["mb_pipewatcher"] for phase in phases)
    yield "loaded_peak_mb", round(peak), "MB, most under load", LOAD
    month = r"peak memory of the process \| ([\d,]+) MB"
    yield "month_peak_mb", told(STORE, month), "MB, most with a month stored", STORE
    yield "device_kb", _device_kb(), "kB for each device that is connected", LISTENER
    room = r"in use, ([\d.]+) with the free room"
    yield "duckdb_bytes", told(STORE, room), "bytes on disk per reading", STORE
    in_use = r"bytes per reading \| ([\d.]+) in use"
    yield "backup_bytes", told(STORE, in_use), "bytes in use per reading", STORE
    count = r"31 days = ([\d.]+) million readings"
    yield "duckdb_readings", told(STORE, count) * 1e6, "readings, the largest store measured", STORE
    means = r"over 24 h, 48 h, 7 d, 30 d \(median\) \| \d+, \d+, \d+, \*\*(\d+) ms"
    yield "duckdb_means_us", told(STORE, means) / 2, "µs per sensor, means over 30 days", STORE
    means = r"24 h to 30 days took [\d.]+ to ([\d.]+) s"
    yield "influxdb_means_us", told(INFLUXDB, means) * 500, "µs per sensor, means", INFLUXDB
    row = r"\*\*writer from Kafka\*\* \| \*\*([\d.]+), ([\d.]+), ([\d.]+) µs\*\*"
    yield "writer_us", told(INFLUXDB, row), "µs of CPU per reading, of a writer", INFLUXDB
    row = r"\*\*writer from Kafka\*\* \| \*\*[\d.]+, ([\d.]+), [\d.]+ µs\*\*"
    yield "influxdb_us", told(INFLUXDB, row), "µs of CPU per reading, of InfluxDB", INFLUXDB
    row = r"\*\*writer from Kafka\*\* .* \*\*([\d,]+)\*\* \|"
    yield "writer_per_s", told(INFLUXDB, row), "readings/s from Kafka into one InfluxDB", INFLUXDB
    turns = r"acknowledged from memory\*\* .* \| ([\d,]+) ([\d,]+) ([\d,]+) \|"
    found = re.search(turns, (TOP / GATEWAY).read_text("utf-8"))
    assert found is not None
    rate = statistics.median(float(turn.replace(",", "")) for turn in found.groups())
    yield "gateway_per_s", rate, "single readings/s of a gateway's core, on Kafka", GATEWAY
    sizes = data(SIZES)
    for kind, what in (("single", "single readings"), ("batch", "batches of 100")):
        yield f"wire_{kind}_bytes", sizes["wire"][kind]["sent"], f"bytes sent, {what}", SIZES
    waiting = sizes["commit_log"]["single"]
    yield "commit_log_bytes", waiting, "bytes per reading, waiting one by one", SIZES
    yield "kafka_bytes", sizes["kafka"]["single"], "bytes per reading and copy", SIZES
    yield "influxdb_bytes", sizes["influxdb"], "bytes on disk per reading", SIZES
    services = yaml.safe_load((TOP / COMPOSE).read_text("utf-8"))["services"]
    for role in ("gateway", "writer", "discovery", "api"):
        limit = services[role]["deploy"]["resources"]["limits"]["memory"]
        mib = float(limit[:-1]) * {"m": 1, "g": 1024}[limit[-1]]
        yield f"{role}_mib", mib, f"MiB that a {role} is given", COMPOSE
    backlog = Settings.model_fields["backlog_max_mb"].default
    yield "backlog_max_mb", float(backlog), "MiB that may wait, unless set", SETTINGS


def embedded_size() -> list[int]:
    connections: list[int] = data(LOAD)["size"]["connections"]
    return connections


def _device_kb() -> float:
    before = told(LISTENER, r"memory ([\d,]+) MB before")
    return (told(LISTENER, r"\*\*([\d,]+) MB with all idle\*\*") - before) / 10


def document() -> str:
    found = {
        name: {"value": round(value, 3), "unit": unit, "source": source}
        for name, value, unit, source in figures()
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def example(block: re.Match[str]) -> str:
    """A block that shows a command, with what it says now."""
    app = typer.Typer()
    app.command()(capacity)
    said = CliRunner().invoke(app, block[1].split(), catch_exceptions=False).stdout
    return f"```text\n$ pipewatcher capacity {block[1]}\n{said}```"


def row(old: re.Match[str]) -> str:
    """A figure's row, whose last cell is the page's own."""
    value, source = packaged[old[1]]["value"], packaged[old[1]]["source"]
    shown = "settings.py" if source == SETTINGS else Path(source).name
    return f"| `{old[1]}` | {value:,.12g} | `{shown}` |{old[2]}"


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(document())
        sys.exit()
    FILE.write_text(document(), "utf-8")
    packaged = json.loads(document())
    for page in PAGES:
        text = page.read_text("utf-8")
        text = re.sub(r"```text\n\$ pipewatcher capacity (.*)\n(?:.|\n)*?```", example, text)
        text = re.sub(r"^\| `(\w+)` \|.*?\|.*?\|(.*)$", row, text, flags=re.MULTILINE)
        page.write_text(text, "utf-8")
