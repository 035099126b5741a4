"""`averages`, `sensors` and `config`: answers in the terminal."""

from __future__ import annotations

import asyncio
import sys

from rich.console import Console
from rich.table import Table

from pipewatcher.cli.local import checked, local_api
from pipewatcher.settings import PREFIX, Settings


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
    for name in ("Mean", "Unit", "Readings", "Min", "Max", "Last reading"):
        table.add_column(name, justify="right")
    for item in page["items"]:
        table.add_row(
            item["equipmentId"],
            item["name"],
            item["state"],
            _number(item["mean"]),
            item["unit"],
            str(item["count"]),
            _number(item["min"]),
            _number(item["max"]),
            item["lastTimestamp"],
        )
    Console().print(table)


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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"
