"""`pipewatcher retention`: for how long raw readings are kept, and what a change would drop."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from pipewatcher.cli.local import checked, local_api
from pipewatcher.cli.options import Config, DataDir
from pipewatcher.errors import InvalidRequest
from pipewatcher.settings import Settings, load_settings

PATH = "/api/v1/retention"
EVER = "ever"
app = typer.Typer(help="For how long raw readings are kept.", no_args_is_help=True)


@app.command()
def show(
    days: Annotated[
        int | None, typer.Option(help="Say what keeping only so many would drop.")
    ] = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """What is kept now."""
    found = asyncio.run(_ask(load_settings(config, data_dir=data_dir), days))
    _say(_kept(found))
    if days is not None:
        _say(_dropped(found, days))


@app.command("set")
def change(
    days: Annotated[str, typer.Argument(help="Whole UTC days before today, or `ever`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Say what it drops, ask, and change it. Means of what is dropped stay."""
    settings = load_settings(config, data_dir=data_dir)
    wanted = _days(days)
    if wanted is not None:
        _say(_dropped(asyncio.run(_ask(settings, wanted)), wanted))
    if not yes:
        typer.confirm("Change it?", abort=True, err=True)
    _say(_kept(asyncio.run(_set(settings, wanted))))


def _days(text: str) -> int | None:
    if text == EVER:
        return None
    if not text.isdecimal():
        raise InvalidRequest(f"{text} is neither a number of days nor `{EVER}`.")
    return int(text)


async def _ask(settings: Settings, days: int | None) -> dict[str, Any]:
    async with local_api(settings) as api:
        params = {} if days is None else {"days": days}
        found: dict[str, Any] = checked(await api.get(PATH, params=params)).json()
        return found


async def _set(settings: Settings, days: int | None) -> dict[str, Any]:
    async with local_api(settings) as api:
        found: dict[str, Any] = checked(await api.put(PATH, json={"days": days})).json()
        return found


def _kept(found: dict[str, Any]) -> str:
    text = "Raw readings are kept for ever."
    if found["days"] is not None:
        text = (
            f"Raw readings are kept for {found['days']:,} days, as {found['changedBy']} said;"
            f" what is older than {found['oldest']} is refused."
        )
    if found["keptFrom"] is not None:
        text += f"\nBefore {found['keptFrom']} only means are left."
    return text


def _dropped(found: dict[str, Any], days: int) -> str:
    dropped = found["wouldDrop"]
    if not dropped["readings"]:
        return f"Keeping {days:,} days drops nothing."
    return (
        f"Keeping {days:,} days drops {dropped['readings']:,} readings of {dropped['sensors']:,}"
        f" sensors, from {dropped['first']} to {dropped['last']}, a day after it is set."
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
