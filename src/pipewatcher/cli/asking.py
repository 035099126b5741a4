"""`averages`, `sensors` and `config`: answers in the terminal."""

from __future__ import annotations

import asyncio
import sys

from rich.console import Console
from rich.table import Table

from pipewatcher.cli.local import checked, local_api
from pipewatcher.settings import PREFIX, Settings

GAPS_MAX = 10_000


def show_averages(settings: Settings, window: str, q: str, *, as_csv: bool) -> None:
    asyncio.run(_averages(settings, window, q, as_csv=as_csv))


async def _averages(settings: Settings, window: str, q: str, *, as_csv: bool) -> None:
    async with local_api(settings) as api:
        accept = "text/csv" if as_csv else "application/json"
        response = checked(
            await api.get(
                "/api/v1/averages", params={"window": window, "q": q}, headers={"accept": accept}
            )
        )
    if as_csv:
        sys.stdout.write(response.text)
        return
    page = response.json()
    table = Table(title=f"{page['total']} sensors, {page['start']} to {page['end']}")
    for name in ("Sensor", "Name", "State"):
        table.add_column(name)
    numbers = (
        "Mean", "Time-weighted", "Unit", "Coverage", "Readings", "Expected", "Min", "Max",
        "Last reading",
    )  # fmt: skip
    for name in numbers:
        table.add_column(name, justify="right")
    for item in page["items"]:
        table.add_row(
            item["equipmentId"],
            item["name"],
            item["state"],
            _number(item["mean"]),
            _number(item["timeWeightedMean"]),
            item["unit"],
            _percent(item["coverage"]),
            str(item["count"]),
            "–" if item["expected"] is None else str(item["expected"]),
            _number(item["min"]),
            _number(item["max"]),
            item["lastTimestamp"],
        )
    Console().print(table)


def show_gaps(
    settings: Settings, equipment_id: str | None, states: list[str], *, as_csv: bool
) -> None:
    asyncio.run(_gaps(settings, equipment_id, states, as_csv=as_csv))


async def _gaps(
    settings: Settings, equipment_id: str | None, states: list[str], *, as_csv: bool
) -> None:
    params: dict[str, str | list[str]] = {"limit": str(GAPS_MAX), "state": states}
    if equipment_id is not None:
        params["equipmentId"] = equipment_id
    accept = "text/csv" if as_csv else "application/json"
    async with local_api(settings) as api:
        response = checked(await api.get("/api/v1/gaps", params=params, headers={"accept": accept}))
    if as_csv:
        sys.stdout.write(response.text)
        return
    page = response.json()
    table = Table(title=f"{page['total']} gaps, newest first")
    for name in ("Sensor", "After", "Before", "State", "Cause"):
        table.add_column(name)
    table.add_column("Readings", justify="right")
    for item in page["items"]:
        table.add_row(
            item["equipmentId"],
            item["start"],
            item["end"] or "goes on",
            item["state"],
            item["cause"],
            str(item["expected"]),
        )
    Console().print(table)


def ask_vendor(settings: Settings, source: str | None) -> None:
    asyncio.run(_ask_vendor(settings, source))


async def _ask_vendor(settings: Settings, source: str | None) -> None:
    async with local_api(settings) as api:
        response = checked(await api.post("/api/v1/gaps/request", json={"source": source}))
    sys.stdout.write(response.text)


def show_sensors(settings: Settings) -> None:
    asyncio.run(_sensors(settings))


async def _sensors(settings: Settings) -> None:
    async with local_api(settings) as api:
        page = checked(await api.get("/api/v1/sensors")).json()
    table = Table(title=f"{page['total']} sensors")
    fields = ("equipmentId", "name", "kind", "unit", "location", "equipment", "source")
    for name in fields:
        table.add_column(name)
    for item in page["items"]:
        table.add_row(*(item[name] for name in fields))
    Console().print(table)


def show_settings() -> None:
    table = Table()
    for name in ("Setting", "Default", "What it is"):
        table.add_column(name)
    for name, field in Settings.model_fields.items():
        table.add_row(f"{PREFIX}{name.upper()}", str(field.default), field.description)
    Console().print(table)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"
