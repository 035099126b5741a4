"""`pipewatcher demo`: a throw-away historian with a plant's month in it, then live."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipewatcher.identity.tokens import mint
from pipewatcher.model.readings import Batch
from pipewatcher.model.time import MINUTE, SECOND, Micros
from pipewatcher.observability import set_up_logging
from pipewatcher.settings import load_settings
from pipewatcher.sources.simulated_plant import SimulatedPlant
from pipewatcher.sources.simulator import Faults, Simulator
from pipewatcher.wiring import Historian, Opened, run

STEP: Micros = 15 * MINUTE
ROWS_PER_BATCH = 200_000
FAULTS = Faults(bad=0.002, clock_ahead=0.0005, outages=0.002, silences=True)
METADATA = ("name", "kind", "unit", "location", "equipment", "source", "range_min", "range_max")


def demo(
    port: Annotated[int, typer.Option(help="Port; 0 takes any free one.")] = 8000,
    sensors: Annotated[int, typer.Option(min=1, max=20_000)] = 2_000,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days of history.")] = 31,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between live readings.")] = 15.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder behind.")] = False,
) -> None:
    """A throw-away historian with simulated sensors and their history, ready in seconds."""
    folder = Path(tempfile.mkdtemp(prefix="pipewatcher-demo-"))
    token = mint().text
    settings = load_settings(
        data_dir=folder, http_port=port, http_host="127.0.0.1", admin_token=token
    )
    set_up_logging(settings.log_format, "warning")
    plant = SimulatedPlant(sensors)
    live: set[asyncio.Task[object]] = set()

    async def started(historian: Historian, opened: Opened) -> None:
        began = time.monotonic()
        rows = await _fill(historian, plant, days)
        sys.stdout.write(
            f"{rows:,} readings of {sensors:,} sensors in {time.monotonic() - began:.1f} s\n"
            f"PipeWatcher is at http://localhost:{opened.http}\nToken: {token}\n"
        )
        sys.stdout.flush()
        live.add(asyncio.create_task(_live(plant, opened.any, token, interval)))

    try:
        run(settings, started)
    finally:
        if keep:
            sys.stdout.write(f"kept: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)


async def _fill(historian: Historian, plant: SimulatedPlant, days: int) -> int:
    """The history goes the way of every reading: commit log, writer, store."""
    names = [sensor.equipment_id for sensor in plant.sensors]
    describing = asyncio.create_task(_describe(historian, plant))
    now = int(time.time() * SECOND)
    numbers = np.arange(len(names))
    # Each sensor has its own second of the quarter of an hour, as devices do.
    phases = numbers * 7_919 % (STEP // SECOND) * SECOND
    starts = np.arange(now - days * 24 * 60 * MINUTE, now - STEP, STEP)
    per_batch = max(1, ROWS_PER_BATCH // len(names))
    rows = 0
    for first in range(0, len(starts), per_batch):
        batch = await asyncio.to_thread(
            _batch, plant, names, starts[first : first + per_batch], phases
        )
        rows += len(batch)
        await historian.commit_log.append(batch)
    assert historian.writer is not None
    assert historian.store is not None
    await historian.writer.stored(historian.commit_log.end(), timeout_s=600)
    await asyncio.gather(describing, historian.store.settle())
    return rows


async def _describe(historian: Historian, plant: SimulatedPlant) -> None:
    names = [sensor.equipment_id for sensor in plant.sensors]
    await historian.registry.register(names, int(time.time() * SECOND))
    for sensor in plant.sensors:
        await historian.registry.update_sensor(
            sensor.equipment_id, {field: getattr(sensor, field) for field in METADATA}
        )


def _batch(
    plant: SimulatedPlant,
    names: list[str],
    starts: np.ndarray[tuple[int], np.dtype[np.int64]],
    phases: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> Batch:
    numbers = np.arange(len(names))[None, :]
    times = starts[:, None] + phases[None, :]
    there = ~plant.silent(numbers, times)
    values = plant.values(numbers, times)
    return Batch(
        equipment_ids=names,
        codes=np.broadcast_to(numbers, times.shape)[there].astype(np.uint32),
        event_times=times[there],
        values=values[there],
        origins=["http:demo"],
    )


async def _live(plant: SimulatedPlant, port: int, token: str, interval_s: float) -> None:
    simulator = Simulator(
        plant,
        f"http://127.0.0.1:{port}",
        token,
        interval_s=interval_s,
        batch=50,
        faults=FAULTS,
        connections=4,
    )
    with contextlib.suppress(asyncio.CancelledError):
        await simulator.run()
