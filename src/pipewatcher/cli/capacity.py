"""`pipewatcher capacity`: what a plant of some size needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from pipewatcher.capacity.figures import measured, sources
from pipewatcher.capacity.plan import BROKERS, DISK_SAFETY, SAFETY, Demand, Plan, Split, plan
from pipewatcher.capacity.units import number, parse_span, size, span


def _span(text: str) -> float:
    try:
        return parse_span(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def capacity(
    sensors: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many send.")],
    interval: Annotated[
        float, typer.Option(parser=_span, metavar="SPAN", help="How often each does: 1s, 60s, 5m.")
    ],
    retention: Annotated[
        float, typer.Option(parser=_span, metavar="SPAN", help="How long readings are kept.")
    ],
    batch: Annotated[
        int,
        typer.Option(min=1, max=10_000, help="Readings in a message; 1: each sensor for itself."),
    ] = 1,
    kafka: Annotated[
        float, typer.Option(parser=_span, metavar="SPAN", help="How long Kafka keeps them.")
    ] = "7d",  # type: ignore[assignment]  # parsed as what is given is
    as_json: Annotated[bool, typer.Option("--json", help="All figures and their sources.")] = False,
) -> None:
    """CPU, memory, disk, network and processes that a plant needs, from measured figures."""
    made = plan(
        Demand(
            sensors=sensors,
            interval_s=interval,
            retention_s=retention,
            batch=batch,
            kept_in_kafka_s=kafka,
        ),
        measured(),
    )
    sys.stdout.write(_as_json(made) if as_json else "\n".join([*_as_text(made), ""]))


def _as_json(made: Plan) -> str:
    found = {
        "recommended": "split" if made.over else "embedded",
        "because": [limit.name for limit in made.over],
        "readingsPerSecond": made.demand.readings_per_s,
        "readingsKept": made.demand.readings_kept,
        "safety": SAFETY,
        "diskSafety": DISK_SAFETY,
        **asdict(made),
        "figures": asdict(measured()),
        "sources": sources(),
    }
    return json.dumps(found, indent=2) + "\n"


def _as_text(made: Plan) -> Iterator[str]:
    demand = made.demand
    yield (
        f"{demand.sensors:,} sensors every {span(demand.interval_s)}: "
        f"{number(demand.readings_per_s)} readings/s from {demand.connections:,} connections; "
        f"{number(demand.readings_kept)} readings in {span(demand.retention_s)}"
    )
    yield ""
    yield from _split_text(made.split) if made.over else _embedded_text(made)
    yield _row("network", f"{number(made.network_in_bits_per_s / 1e6)} Mbit/s in, before TLS")
    yield ""
    yield "Of the embedded engine this would take"
    for limit in made.limits:
        what = f"{number(limit.needed)} of {number(limit.most)}{limit.unit}"
        yield _row(limit.name, f"{what}, {_percent(limit.share)}", 17)
    yield ""
    yield f"Planned at {SAFETY:g} times the measured need, disks at {DISK_SAFETY:g}. And:"
    yield from (f"  - {doubt}" for doubt in made.doubts)


def _embedded_text(made: Plan) -> Iterator[str]:
    need = made.embedded
    yield "Take the embedded engine, one process"
    yield _row("CPU", f"{need.cores} cores, {_percent(need.busy_cores)} of one for readings")
    yield _row("memory", size(need.memory_bytes))
    parts = f"store {size(need.store_bytes)}, commit log {size(need.commit_log_bytes)} at most"
    yield _row("disk", f"{size(need.disk_bytes)}: {parts}")
    yield _row("backup", f"{size(need.backup_bytes)} each, on another disk")
    yield _row("buffer", f"accepts for {span(need.waits_s)} while the store takes nothing")


def _split_text(need: Split) -> Iterator[str]:
    stacks = f", {need.stacks} stacks side by side" if need.stacks > 1 else ""
    yield f"Take split roles on Kafka, InfluxDB and MongoDB{stacks}"
    yield _row("gateways", f"{need.gateways} of a core each, {number(need.gateway_cores)} busy")
    yield _row("writers", f"{need.writers} of a core each, {number(need.writer_cores)} busy")
    yield _row("others", "one discovery and one API" + (" in each stack" if stacks else ""))
    yield _row("memory", f"{size(need.memory_bytes)} for these roles")
    each = " each" if need.stacks > 1 else ""
    yield _row(
        "Kafka",
        f"{BROKERS} brokers{each}, {need.partitions} partitions, "
        f"{size(need.kafka_bytes / need.stacks)} on each broker",
    )
    yield _row(
        "InfluxDB", f"{number(need.influxdb_cores)} cores, {size(need.influxdb_bytes)} in all"
    )
    yield _row(
        "means", f"all sensors{' of a stack' if each else ''}, 30 d: {span(need.overview_s)}"
    )


def _row(name: str, text: str, width: int = 10) -> str:
    return f"  {name:{width}}{text}"


def _percent(share: float) -> str:
    return f"{100 * share:,.0f} %" if share >= 0.1 else f"{number(100 * share)} %"
