"""The measured figures that the model works from, each with its source.

`figures.json` is made by `make capacity-figures` from the load report and the benches.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

FILE = files("pipewatcher.capacity") / "figures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`_us` is CPU time; `_bytes` are per reading; `_mb` are millions of bytes, `_mib`
    and `backlog_max_mb` MiB; `_single` is one reading a message, `_batch` a hundred."""

    embedded_single_per_s: float
    embedded_batch_per_s: float
    connections: float
    loaded_peak_mb: float
    month_peak_mb: float
    device_kb: float
    duckdb_bytes: float
    backup_bytes: float
    duckdb_readings: float
    duckdb_means_us: float
    influxdb_means_us: float
    writer_us: float
    influxdb_us: float
    writer_per_s: float
    gateway_per_s: float
    wire_single_bytes: float
    wire_batch_bytes: float
    commit_log_bytes: float
    kafka_bytes: float
    influxdb_bytes: float
    gateway_mib: float
    writer_mib: float
    discovery_mib: float
    api_mib: float
    backlog_max_mb: float


@cache
def measured() -> Figures:
    found = json.loads(FILE.read_text("utf-8"))
    return Figures(**{field.name: found[field.name]["value"] for field in fields(Figures)})


def sources() -> dict[str, str]:
    """Name of a figure -> the file in the repository that it was taken from."""
    return {name: one["source"] for name, one in json.loads(FILE.read_text("utf-8")).items()}
