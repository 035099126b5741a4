"""Writes docs/reference.md: settings, commands, routes, metrics, error codes (`make reference`).

With `--print` it goes to standard output; `tests/unit/test_docs.py` holds the file against it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import typer
from openapi import described  # beside this file

from pipewatcher import errors, validate
from pipewatcher.cli import app as cli
from pipewatcher.identity.roles import PERMISSIONS
from pipewatcher.observability import Figures, Latencies
from pipewatcher.settings import PREFIX, Settings
from pipewatcher.settings_openid import OpenIdSettings
from pipewatcher.sources import mqtt_broker_client

FILE = Path(__file__).parents[2] / "docs/reference.md"
REJECTIONS = {
    validate.CODE_INVALID: "a member is missing or breaks a rule; `field` and `reason` say which",
    validate.CODE_IN_FUTURE: "further ahead of our clock than `PIPEWATCHER_FUTURE_MAX_S`",
    validate.CODE_TOO_OLD: "older than what retention keeps",
    validate.CODE_MALFORMED: "the item, row or line cannot be read",
    validate.CODE_DUPLICATE: "something is given twice, and nobody can tell which one counts",
    validate.CODE_NOT_ALLOWED: "the token may not write this sensor",
}


def table(head: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
    yield ""


def settings() -> Iterator[Sequence[object]]:
    for name, field in Settings.model_fields.items():
        if name == "openid":
            shown, default = "`[[openid]]`", ""
        else:
            shown = f"`{PREFIX}{name.upper()}`"
            default = "" if field.default is None else f"`{field.default}`"
        yield shown, "`empty`" if default == "``" else default, field.description


def providers() -> Iterator[Sequence[object]]:
    for name, field in OpenIdSettings.model_fields.items():
        default = "needed" if field.is_required() else field.default
        yield f"`{name}`", "" if default is None else default


def commands() -> Iterator[Sequence[object]]:
    sys.argv = ["pipewatcher", "--help"]
    cli._add_commands_that_are_asked_for()

    def walk(command: Any, name: str) -> Iterator[Sequence[object]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield f"`{name}`", (command.help or "").strip().partition("\n")[0]
        for sub in below or ():
            yield from walk(below[sub], f"{name} {sub}")

    yield from sorted(walk(typer.main.get_command(cli.app), "pipewatcher"))


def routes() -> Iterator[Sequence[object]]:
    paths = described()["paths"]
    for path in sorted(paths):
        for method, operation in sorted(paths[path].items()):
            roles = PERMISSIONS[f"{method.upper()} {path}"]
            who = "anybody" if roles is None else ", ".join(sorted(roles))
            yield f"`{method.upper()} {path}`", operation.get("summary", ""), who


def metrics() -> Iterator[Sequence[object]]:
    all_there = MagicMock()
    all_there.commit_latencies = latencies = Latencies()
    figures = Figures(
        **(
            dict.fromkeys(Figures.__dataclass_fields__, all_there)
            | {"query_latencies": latencies, "brokers": [all_there], "sensors_registered": 0}
            | {"accepting": True, "connections": 0}
        )
    )
    for family in sorted(figures.collect(), key=lambda one: one.name):
        suffix = "_total" if family.type == "counter" else ""
        yield f"`{family.name}{suffix}`", family.type, family.documentation


def all_errors() -> dict[str, type[errors.PipeWatcherError]]:
    """By code; of several with one code the first."""
    found: dict[str, type[errors.PipeWatcherError]] = {}
    waiting: list[type[errors.PipeWatcherError]] = [errors.PipeWatcherError]
    while waiting:
        error = waiting.pop(0)
        found.setdefault(error.code, error)
        waiting += error.__subclasses__()
    return found


def error_codes() -> Iterator[Sequence[object]]:
    assert mqtt_broker_client  # an error of its own stands there
    for code, error in sorted(all_errors().items()):
        told = (error.__doc__ or "").strip().partition("\n")[0]
        again = "" if error.retry_after_s is None else f"after {error.retry_after_s} s"
        yield f"`{code}`", error.status, told, again, error.hint or ""


def reference() -> str:
    lines = [
        "# Reference",
        "",
        "Made from the source by `make reference`; a test holds it against the source.",
        "",
        "## Settings",
        "",
        (
            "By environment, or as TOML with `--config` (`http_port = 8000`); the environment "
            "wins. A secret may also come as a file: `…_FILE` names it. Empty default: not set."
        ),
        "",
        *table(("setting", "default", "what it is"), settings()),
        "### `[[openid]]`",
        "",
        *table(("key", "default"), providers()),
        "## Commands",
        "",
        (
            "`--help` shows the options. Beside a running server they ask it by the Unix socket in "
            "the data folder, without one they open the files themselves."
        ),
        "",
        *table(("command", "what it does"), commands()),
        "## Routes",
        "",
        "Parameters, bodies and answers stand at `/docs` and in `/openapi.json` of every server.",
        "",
        *table(("route", "what it does", "for"), routes()),
        "## Metrics",
        "",
        "`GET /metrics`, for a token that may read.",
        "",
        *table(("metric", "type", "what it counts"), metrics()),
        "## Error codes",
        "",
        (
            "`code` of a problem document (`application/problem+json`). Where a time stands, "
            "sending the same again after it helps, and `Retry-After` says so."
        ),
        "",
        *table(("code", "status", "meaning", "again", "what to do"), error_codes()),
        "### Codes of a single reading, row or line",
        "",
        *table(("code", "meaning"), ((f"`{code}`", text) for code, text in REJECTIONS.items())),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(reference())
    else:
        FILE.write_text(reference(), "utf-8")
