"""Options that every command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option(help="Settings as TOML; the environment wins.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded engines.")]
