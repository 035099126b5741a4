"""`pipewatcher import`: files, folders or standard input, with progress and a receipt."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipewatcher.cli.forecast import show_forecast
from pipewatcher.cli.local import checked, local_api
from pipewatcher.errors import NotFound
from pipewatcher.settings import Settings

POLL_S = 0.2
CHUNK_BYTES = 2**20
ENDED = frozenset({"done", "failed", "cancelled", "interrupted"})
REJECTED = 3
FAILED = 1


def import_all(
    settings: Settings, names: list[str], tz: str | None, *, keep_stored: bool, dry_run: bool
) -> int:
    """Exit status: 0 all rows accepted, 3 some rejected, 1 a file failed."""
    params = {"corrections": "skip" if keep_stored else "apply"}
    if dry_run:
        params["dry_run"] = "true"
    if tz is not None:
        params["tz"] = tz
    return asyncio.run(_import_all(settings, names, params))


async def _import_all(settings: Settings, names: list[str], params: dict[str, str]) -> int:
    console = Console(stderr=True)
    status = 0
    files = list(_files(names))
    async with local_api(settings) as api:
        for number, path in enumerate(files, start=1):
            label = "standard input" if path is None else str(path)
            console.print(f"[{number}/{len(files)}] {label}", markup=False)
            with path.open("rb") if path is not None else sys.stdin.buffer as file:
                job = await _import(api, console, file, {**params, "fileName": label[-200:]})
            _show_receipt(console, job)
            if job["dryRun"] and job["state"] == "done":
                told = checked(await api.get(f"/api/v1/imports/{job['id']}/dry-run"))
                show_forecast(console, told.json(), job["id"])
            if job["state"] != "done":
                status = FAILED
            elif job["receipt"]["rejected"] and status == 0:
                status = REJECTED
    return status


def _files(names: Iterable[str]) -> Iterable[Path | None]:
    for name in names:
        path = Path(name)
        if name == "-":
            yield None
        elif path.is_dir():
            yield from sorted([*path.glob("*.csv"), *path.glob("*.csv.gz")])
        elif path.is_file():
            yield path
        else:
            raise NotFound(f"There is no file {name}.")


async def _import(
    api: httpx.AsyncClient, console: Console, file: BinaryIO, params: dict[str, str]
) -> dict[str, Any]:
    started = checked(
        await api.post(
            "/api/v1/imports",
            params=params,
            content=_chunks(file),
            headers={"content-type": "text/csv"},
            timeout=None,
        )
    ).json()
    columns = (
        TextColumn("{task.percentage:>3.0f} %"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} rows/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, rows=0, rate=0.0)
        while True:
            job: dict[str, Any] = checked(await api.get(f"/api/v1/imports/{started['id']}")).json()
            bar.update(
                task,
                total=job["bytesTotal"] or None,
                completed=job["bytesDone"],
                rows=job["rowsDone"],
                rate=job["rowsPerSecond"] or 0.0,
            )
            if job["state"] in ENDED:
                return job
            await asyncio.sleep(POLL_S)


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk


def _show_receipt(console: Console, job: dict[str, Any]) -> None:
    receipt = job["receipt"]
    if job["state"] != "done":
        console.print(f"import {job['id']} {job['state']}: {job['error'] or ''}", markup=False)
    console.print(
        f"import {job['id']}: {receipt['received']:,} received = {receipt['accepted']:,} accepted"
        f" + {receipt['rejected']:,} rejected; {receipt['new'] or 0:,} new,"
        f" {receipt['identical'] or 0:,} identical, {receipt['corrected'] or 0:,} corrected,"
        f" {receipt['repeated'] or 0:,} repeated, {receipt['skipped'] or 0:,} skipped"
    )
    if job["gapsClosed"] is not None:
        console.print(
            f"  gaps: {job['gapsClosed']:,} closed, {job['gapsPartlyFilled']:,} filled in part, "
            f"{job['gapsUntouched']:,} requested ones untouched"
        )
    for error in receipt["errors"][:10]:
        console.print(
            f"  line {error.get('line')}: {error['field']} {error['reason']}", markup=False
        )
    if receipt["rejected"]:
        console.print(f"  all of them: GET /api/v1/imports/{job['id']}/rejected.csv")
