"""Writes docs/reference.md and docs/pt/reference.md: settings, commands, routes, metrics, error
codes (`make reference`).

With `--print` both go to standard output; `tests/unit/test_docs.py` holds the files against them.
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

DOCS = Path(__file__).parents[2] / "docs"
FILES = {"en": DOCS / "reference.md", "pt": DOCS / "pt/reference.md"}
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


TEXTS = {
    "en": {
        "reference": "Reference",
        "made": "Made from the source by `make reference`; a test holds it against the source.",
        "settings": "Settings",
        "of settings": "By environment, or as TOML with `--config` (`http_port = 8000`); the "
        "environment wins. A secret may also come as a file: `…_FILE` names it. Empty default: "
        "not set.",
        "commands": "Commands",
        "of commands": "`--help` shows the options. Beside a running server they ask it by the "
        "Unix socket in the data folder, without one they open the files themselves.",
        "routes": "Routes",
        "of routes": "Parameters, bodies and answers stand at `/docs` and in `/openapi.json` of "
        "every server.",
        "metrics": "Metrics",
        "of metrics": "`GET /metrics`, for a token that may read.",
        "error codes": "Error codes",
        "of error codes": "`code` of a problem document (`application/problem+json`). Where a time "
        "stands, sending the same again after it helps, and `Retry-After` says so.",
        "codes of a reading": "Codes of a single reading, row or line",
        "heads": "setting|default|what it is|key|command|what it does|route|for|metric|type|"
        "what it counts|code|status|meaning|again|what to do",
    },
    "pt": {
        "reference": "Referência",
        "made": "Feita da fonte por `make reference`; um teste a confronta com a fonte. O que está "
        "dentro das tabelas vem do próprio programa, que fala inglês: ali se procura por nome.",
        "settings": "Configurações",
        "of settings": "Pelo ambiente, ou como TOML com `--config` (`http_port = 8000`); o "
        "ambiente vence. Um segredo pode vir também como arquivo: `…_FILE` o nomeia. Padrão vazio: "
        "não definido.",
        "commands": "Comandos",
        "of commands": "`--help` mostra as opções. Ao lado de um servidor no ar eles lhe perguntam "
        "pelo socket Unix na pasta de dados; sem um, abrem eles mesmos os arquivos.",
        "routes": "Rotas",
        "of routes": "Parâmetros, corpos e respostas estão em `/docs` e em `/openapi.json` de "
        "todo servidor.",
        "metrics": "Métricas",
        "of metrics": "`GET /metrics`, para um token que pode ler.",
        "error codes": "Códigos de erro",
        "of error codes": "`code` de um documento de problema (`application/problem+json`). Onde "
        "há um tempo, enviar o mesmo de novo depois dele ajuda, e `Retry-After` o diz.",
        "codes of a reading": "Códigos de uma só leitura, linha ou registro",
        "heads": "configuração|padrão|o que é|chave|comando|o que faz|rota|para|métrica|tipo|"
        "o que conta|código|status|significado|de novo|o que fazer",
    },
}


def reference(language: str) -> str:
    say = TEXTS[language]
    words = dict(zip(TEXTS["en"]["heads"].split("|"), say["heads"].split("|"), strict=True))

    def made(heads: str, rows: Iterator[Sequence[object]]) -> Iterator[str]:
        return table([words[head] for head in heads.split("|")], rows)

    def part(name: str) -> tuple[str, ...]:
        return f"## {say[name]}", "", say[f"of {name}"], ""

    lines = [
        f"# {say['reference']}",
        "",
        say["made"],
        "",
        *part("settings"),
        *made("setting|default|what it is", settings()),
        "### `[[openid]]`",
        "",
        *made("key|default", providers()),
        *part("commands"),
        *made("command|what it does", commands()),
        *part("routes"),
        *made("route|what it does|for", routes()),
        *part("metrics"),
        *made("metric|type|what it counts", metrics()),
        *part("error codes"),
        *made("code|status|meaning|again|what to do", error_codes()),
        f"### {say['codes of a reading']}",
        "",
        *made("code|meaning", ((f"`{code}`", text) for code, text in REJECTIONS.items())),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    printed = "--print" in sys.argv
    for language, file in FILES.items():
        if printed:
            sys.stdout.write(reference(language))
        else:
            file.write_text(reference(language), "utf-8")
