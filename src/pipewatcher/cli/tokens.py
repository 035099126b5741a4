"""`pipewatcher token`: tokens made, listed, rotated and revoked from the terminal."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipewatcher.cli.local import checked, local_api
from pipewatcher.cli.options import Config, DataDir
from pipewatcher.errors import NotFound
from pipewatcher.settings import Settings, load_settings

PATH = "/api/v1/tokens"
app = typer.Typer(help="Tokens of devices, gateways and scripts.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The token's name.")]


@app.command("list")
def show_all(config: Config = None, data_dir: DataDir = None) -> None:
    """Every token, with what it may and when it was last used."""
    items = asyncio.run(_list(load_settings(config, data_dir=data_dir)))
    table = Table()
    for column in ("Name", "Role", "Writes", "Requests/s", "Expires", "Last used", "Made by"):
        table.add_column(column)
    for item in items:
        writes = [f"{item['writesPrefix']}…"] if item["writesPrefix"] else []
        writes += item["equipmentIds"] or []
        rate = item["requestsPerSecond"]
        table.add_row(
            item["name"],
            item["role"],
            ", ".join(writes),
            "" if rate is None else str(rate),
            item["expires"],
            item["lastUsed"],
            item["createdBy"],
        )
    Console().print(table)


@app.command()
def create(
    name: Name,
    role: Annotated[str, typer.Option(help="device, viewer, operator or admin.")] = "device",
    expires_days: Annotated[int | None, typer.Option(min=1, help="Valid so many days.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Writes sensors that begin so.")] = None,
    equipment_id: Annotated[list[str] | None, typer.Option(help="Writes this sensor.")] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Requests a second, at most.")] = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make a token and show it, this once."""
    body: dict[str, Any] = {"name": name, "role": role}
    if expires_days is not None:
        body["expires"] = (datetime.now(UTC) + timedelta(days=expires_days)).isoformat()
    if prefix is not None:
        body["writesPrefix"] = prefix
    if equipment_id:
        body["equipmentIds"] = equipment_id
    if rate is not None:
        body["requestsPerSecond"] = rate
    settings = load_settings(config, data_dir=data_dir)
    sys.stdout.write(asyncio.run(_post(settings, PATH, body))["token"] + "\n")


@app.command()
def rotate(
    name: Name,
    overlap_hours: Annotated[
        float, typer.Option(min=0, help="So long the present one stays valid.")
    ] = 24.0,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make a new secret for a token and show it, this once."""
    settings = load_settings(config, data_dir=data_dir)
    overlap = {"overlapSeconds": round(overlap_hours * 3_600)}
    made = asyncio.run(_rotate(settings, name, overlap))
    sys.stdout.write(made["token"] + "\n")


@app.command()
def revoke(name: Name, config: Config = None, data_dir: DataDir = None) -> None:
    """Refuse a token from now on."""
    asyncio.run(_revoke(load_settings(config, data_dir=data_dir), name))


async def _list(settings: Settings) -> list[dict[str, Any]]:
    async with local_api(settings) as api:
        items: list[dict[str, Any]] = checked(await api.get(PATH)).json()["items"]
        return items


async def _post(settings: Settings, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with local_api(settings) as api:
        made: dict[str, Any] = checked(await api.post(path, json=body)).json()
        return made


async def _rotate(settings: Settings, name: str, overlap: dict[str, Any]) -> dict[str, Any]:
    number = await _number_of(settings, name)
    return await _post(settings, f"{PATH}/{number}/rotate", overlap)


async def _revoke(settings: Settings, name: str) -> None:
    number = await _number_of(settings, name)
    async with local_api(settings) as api:
        checked(await api.delete(f"{PATH}/{number}"))


async def _number_of(settings: Settings, name: str) -> int:
    for item in await _list(settings):
        if item["name"] == name:
            return int(item["id"])
    raise NotFound(f"There is no token named {name}.", hint="`pipewatcher token list` shows them.")
