"""`pipewatcher simulate`: a plant that sends, and what became of each reading."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipewatcher.sources.simulated_plant import SimulatedPlant
from pipewatcher.sources.simulator import Faults, Simulator, Summary

HTTP_URL = "http://127.0.0.1:8000"
MQTT_URL = "mqtt://127.0.0.1:1883"
REFRESH_S = 0.25
LOST = 1


def simulate(
    token: Annotated[
        str, typer.Option(envvar="PIPEWATCHER_TOKEN", help="Token that may send readings.")
    ],
    url: Annotated[
        str | None, typer.Option(help="Where PipeWatcher is: http[s]://… or mqtt[s]://host:port.")
    ] = None,
    mqtt: Annotated[bool, typer.Option("--mqtt", help=f"The same as --url {MQTT_URL}")] = False,
    sensors: Annotated[int, typer.Option(min=1, max=100_000, help="How many sensors.")] = 200,
    interval: Annotated[
        float, typer.Option(min=0.001, help="Seconds between two readings of a sensor.")
    ] = 5.0,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Readings per second in all, not --interval.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds; without it until Ctrl-C.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=50_000, help="Readings per request or message.")
    ] = 1,
    bad_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of broken readings.")
    ] = 0.0,
    clock_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of readings stamped in the future.")
    ] = 0.0,
    outage_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Gateway outages per gateway and interval.")
    ] = 0.0,
    connections: Annotated[int, typer.Option(min=1, max=1_000, help="Connections kept.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same plant.")] = 1,
) -> None:
    """Send what a plant would: drift, noise, stops, outages, late bursts, broken readings."""
    simulator = Simulator(
        SimulatedPlant(sensors, seed),
        url or (MQTT_URL if mqtt else HTTP_URL),
        token,
        interval_s=interval if rate is None else sensors / rate,
        batch=batch,
        faults=Faults(bad=bad_rate, clock_ahead=clock_rate, outages=outage_rate),
        connections=connections,
        seed=seed,
    )
    console = Console(stderr=True)
    summary = asyncio.run(_run(simulator, console, duration))
    Console().print(_table(summary))
    if summary.lost:
        raise typer.Exit(LOST)


async def _run(simulator: Simulator, console: Console, duration_s: float | None) -> Summary:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, simulator.stop)
    running = asyncio.create_task(simulator.run(duration_s))
    began = before_at = loop.time()
    before = 0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not running.done():
            await asyncio.wait({running}, timeout=REFRESH_S)
            now, acknowledged = loop.time(), simulator.summary.acknowledged
            per_second = (acknowledged - before) / (now - before_at)
            before, before_at = acknowledged, now
            live.update(_line(simulator.summary, now - began, per_second), refresh=True)
    return await running


def _line(summary: Summary, elapsed_s: float, per_second: float) -> Text:
    return Text(
        f"{elapsed_s:,.0f} s  {summary.sent:,} sent  {summary.acknowledged:,} acknowledged"
        f"  {per_second:,.0f}/s  {summary.refused.total():,} refused"
        f"  {summary.retried.total():,} retried  {summary.kept:,} kept  {summary.lost:,} lost"
    )


def _table(summary: Summary) -> Table:
    table = Table("", "readings", title="Simulated plant")
    table.columns[1].justify = "right"
    table.add_row("sent", f"{summary.sent:,}")
    table.add_row("  of these late, after an outage", f"{summary.late:,}")
    table.add_row("acknowledged", f"{summary.acknowledged:,}")
    table.add_row("refused", f"{summary.refused.total():,}")
    for code, readings in sorted(summary.refused.items()):
        table.add_row(f"  {code}", f"{readings:,}")
    table.add_row("lost", f"{summary.lost:,}", end_section=True)
    table.add_row("requests", f"{summary.requests:,}")
    table.add_row("requests sent again", f"{summary.retried.total():,}")
    for cause, requests in sorted(summary.retried.items()):
        table.add_row(f"  {cause}", f"{requests:,}")
    return table
