"""`pipewatcher serve`: the doors open, and where they are."""

from __future__ import annotations

import sys

from pipewatcher.observability import set_up_logging
from pipewatcher.settings import Settings
from pipewatcher.wiring import Historian, run


def serve_until_stopped(settings: Settings) -> None:
    set_up_logging(settings.log_format, settings.log_level)
    run(settings, lambda historian, port: announce(settings, historian, port))


def announce(settings: Settings, historian: Historian, port: int) -> None:
    lines = [f"PipeWatcher is at {address_of_page(settings, port)}"]
    if historian.first_invitation is not None:
        link = f"{address_of_page(settings, port)}/welcome#{historian.first_invitation}"
        lines.append(f"First admin, valid once and for 24 hours: {link}")
    if historian.first_token is not None:
        lines.append(f"Admin token (shown only now): {historian.first_token}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def address_of_page(settings: Settings, port: int) -> str:
    if settings.public_url is not None:
        return settings.public_url
    host = "localhost" if settings.http_host in {"127.0.0.1", "0.0.0.0"} else settings.http_host
    return f"http://{host}:{port}"
