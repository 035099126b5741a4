"""`pipewatcher serve`: the doors open, and where they are."""

from __future__ import annotations

import sys

from pipewatcher.observability import set_up_logging
from pipewatcher.settings import Settings
from pipewatcher.wiring import Historian, Opened, run


def serve_until_stopped(settings: Settings) -> None:
    set_up_logging(settings.log_format, settings.log_level)
    run(settings, lambda historian, opened: announce(settings, historian, opened))


def announce(settings: Settings, historian: Historian, opened: Opened) -> None:
    page = address_of_page(settings, opened)
    lines = [f"PipeWatcher is at {page}"]
    if historian.first_invitation is not None:
        link = f"{page}/welcome#{historian.first_invitation}"
        lines.append(f"First admin, valid once and for 24 hours: {link}")
    if historian.first_token is not None:
        lines.append(f"Admin token (shown only now): {historian.first_token}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def address_of_page(settings: Settings, opened: Opened) -> str:
    """Where people find it best: by TLS, if there is any."""
    if settings.public_url is not None:
        return settings.public_url
    host = "localhost" if settings.http_host in {"127.0.0.1", "0.0.0.0"} else settings.http_host
    if opened.https is not None:
        return f"https://{host}:{opened.https}"
    return f"http://{host}:{opened.http}"


def ports_as_set(settings: Settings) -> Opened:
    """Of a server that runs elsewhere with these settings."""
    https = settings.https_port if settings.tls_cert_file is not None else "off"
    return Opened(
        http=None if settings.http_port == "off" else settings.http_port,
        https=None if https == "off" else https,
    )
