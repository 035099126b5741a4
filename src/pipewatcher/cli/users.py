"""`pipewatcher user`: people invited, listed and let in again from the terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipewatcher.cli.local import checked, local_api
from pipewatcher.cli.options import Config, DataDir
from pipewatcher.cli.serving import address_of_page, ports_as_set
from pipewatcher.errors import NotFound
from pipewatcher.settings import Settings, load_settings

PATH = "/api/v1/users"
app = typer.Typer(help="People who sign in.", no_args_is_help=True)


@app.command()
def invite(
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "admin",
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Print a link that makes one person, once, within 24 hours."""
    settings = load_settings(config, data_dir=data_dir)
    _print_link(settings, asyncio.run(_post(settings, f"{PATH}/invitations", {"role": role})))


@app.command()
def recover(
    name: Annotated[str, typer.Argument(help="Who has lost the password or the second factor.")],
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Print a link to a new password, once, within 24 hours."""
    settings = load_settings(config, data_dir=data_dir)
    _print_link(settings, asyncio.run(_recover(settings, name)))


@app.command("list")
def show_all(config: Config = None, data_dir: DataDir = None) -> None:
    """Everybody who may sign in."""
    page = asyncio.run(_users(load_settings(config, data_dir=data_dir)))
    table = Table()
    for column in ("Name", "Role", "Signs in by", "Second factor", "Last signed in", "Disabled"):
        table.add_column(column)
    for item in page["items"]:
        table.add_row(
            item["name"],
            item["role"],
            item["provider"] or "password",
            "yes" if item["secondFactor"] else "no",
            item["signedIn"],
            "yes" if item["disabled"] else "",
        )
    Console().print(table)


def _print_link(settings: Settings, made: dict[str, Any]) -> None:
    sys.stdout.write(f"{address_of_page(settings, ports_as_set(settings))}{made['path']}\n")


async def _users(settings: Settings) -> dict[str, Any]:
    async with local_api(settings) as api:
        page: dict[str, Any] = checked(await api.get(PATH)).json()
        return page


async def _post(settings: Settings, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    async with local_api(settings) as api:
        made: dict[str, Any] = checked(await api.post(path, json=body)).json()
        return made


async def _recover(settings: Settings, name: str) -> dict[str, Any]:
    for item in (await _users(settings))["items"]:
        if item["name"].casefold() == name.casefold():
            return await _post(settings, f"{PATH}/{item['id']}/recovery", None)
    raise NotFound(f"There is nobody named {name}.", hint="`pipewatcher user list` shows them.")
