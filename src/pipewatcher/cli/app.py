"""The commands. Each imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipewatcher.cli.options import Config, DataDir
from pipewatcher.errors import PipeWatcherError, SettingsError

Files = Annotated[list[str], typer.Argument(help="CSV files, folders, or - for standard input.")]
Window = Annotated[str, typer.Argument(help="24h, 48h, 7d, 30d or any number of m, h, d.")]
app = typer.Typer(
    help="PipeWatcher: the historian an industrial plant trusts with its sensors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def serve(
    config: Config = None,
    data_dir: DataDir = None,
    http_host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    http_port: Annotated[
        str | None, typer.Option(help="Port; off, or 0 takes any free one.")
    ] = None,
    mqtt_port: Annotated[
        str | None, typer.Option(help="Port of the MQTT listener; off, or 0 for any free one.")
    ] = None,
    roles: Annotated[
        str | None, typer.Option(help="Of gateway, writer, discovery, api; all by default.")
    ] = None,
) -> None:
    """Receive, keep and answer, until SIGTERM or SIGINT."""
    from pipewatcher.cli.serving import serve_until_stopped
    from pipewatcher.settings import load_settings

    serve_until_stopped(
        load_settings(
            config,
            data_dir=data_dir,
            http_host=http_host,
            http_port=http_port,
            mqtt_port=mqtt_port,
            roles=roles,
        )
    )


@app.command("import")
def import_files(
    files: Annotated[
        list[str], typer.Argument(help="CSV files, folders, or - for standard input.")
    ],
    config: Config = None,
    data_dir: DataDir = None,
    tz: Annotated[str | None, typer.Option(help="Zone of timestamps without offset.")] = None,
    corrections: Annotated[str, typer.Option(help="apply, or skip: keep stored values.")] = "apply",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Store nothing; say what would change.")
    ] = False,
) -> None:
    """Fill gaps from CSV files (equipmentId, timestamp, value)."""
    from pipewatcher.cli.importing import import_all
    from pipewatcher.settings import load_settings

    settings = load_settings(config, data_dir=data_dir)
    raise typer.Exit(
        import_all(settings, files, tz, keep_stored=corrections == "skip", dry_run=dry_run)
    )


@app.command()
def averages(
    window: Annotated[
        str, typer.Argument(help="24h, 48h, 7d, 30d or any number of m, h, d.")
    ] = "24h",
    q: Annotated[str, typer.Option("--search", "-q", help="Only sensors that contain this.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
) -> None:
    """The mean of every sensor over a window."""
    from pipewatcher.cli.asking import show_averages
    from pipewatcher.settings import load_settings

    show_averages(load_settings(config, data_dir=data_dir), window, q, as_csv=as_csv)


@app.command()
def gaps(
    sensor: Annotated[str | None, typer.Argument(help="Only this equipmentId.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="open, requested, partly_filled, filled, accepted.")
    ] = None,
    request: Annotated[
        bool, typer.Option(help="Mark all open gaps as requested; print the CSV for the vendor.")
    ] = False,
    source: Annotated[str | None, typer.Option(help="With --request: only this source.")] = None,
    config: Config = None,
    data_dir: DataDir = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
) -> None:
    """What is missing: by default the gaps that are open, requested or filled in part."""
    from pipewatcher.cli.asking import ask_vendor, show_gaps
    from pipewatcher.settings import load_settings

    settings = load_settings(config, data_dir=data_dir)
    if request:
        ask_vendor(settings, source)
    else:
        states = state or ["open", "requested", "partly_filled"]
        show_gaps(settings, sensor, states, as_csv=as_csv)


@app.command()
def sensors(config: Config = None, data_dir: DataDir = None) -> None:
    """What the registry knows of each sensor."""
    from pipewatcher.cli.asking import show_sensors
    from pipewatcher.settings import load_settings

    show_sensors(load_settings(config, data_dir=data_dir))


@app.command()
def doctor(
    config: Config = None,
    data_dir: DataDir = None,
    http_port: Annotated[int | None, typer.Option(help="Port to be tried.")] = None,
) -> None:
    """Try the settings against disk, port and servers; say what is wrong and how to mend it."""
    from pipewatcher.cli.doctor import examine
    from pipewatcher.settings import load_settings

    raise typer.Exit(examine(load_settings(config, data_dir=data_dir, http_port=http_port)))


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Copy the data folder, also while the server runs; everything acknowledged is in it."""
    from pipewatcher.cli.backing_up import back_up
    from pipewatcher.settings import load_settings

    back_up(load_settings(config, data_dir=data_dir), folder)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `backup` made.")],
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make a data folder, which must be new or empty, of a backup; every file is verified."""
    from pipewatcher.cli import backing_up
    from pipewatcher.settings import load_settings

    backing_up.restore(load_settings(config, data_dir=data_dir), folder)


@app.command()
def config() -> None:
    """Every setting with its default."""
    from pipewatcher.cli.asking import show_settings

    show_settings()


def _add_commands_that_are_asked_for() -> None:
    """They are heavy, and told from the others by their names alone."""
    asked = set(sys.argv[1:2]) or {"--help"}
    if asked & {"demo", "simulate", "--help"}:
        from pipewatcher.cli.demo import demo
        from pipewatcher.cli.simulate import simulate

        app.command()(demo)
        app.command()(simulate)
    if asked & {"capacity", "--help"}:
        from pipewatcher.cli.capacity import capacity

        app.command()(capacity)
    if asked & {"token", "--help"}:
        from pipewatcher.cli import tokens

        app.add_typer(tokens.app, name="token")
    if asked & {"retention", "--help"}:
        from pipewatcher.cli import retention

        app.add_typer(retention.app, name="retention")
    if asked & {"user", "--help"}:
        from pipewatcher.cli import users

        app.add_typer(users.app, name="user")


def main() -> None:
    """Exit status: 0 well, 1 an expected fault, 2 wrong settings or usage, 3 rows were rejected."""
    _add_commands_that_are_asked_for()
    try:
        app()
    except PipeWatcherError as error:
        sys.stderr.write(f"pipewatcher: {error.detail}\n")
        if error.hint:
            sys.stderr.write(f"  {error.hint}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
