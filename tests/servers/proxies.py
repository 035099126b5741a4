"""The proxies that deploy/proxy has a sample for."""

from __future__ import annotations

import shutil
from pathlib import Path

from servers.process import ServerProcess, accepts

NAMES = ("nginx", "caddy")


def missing() -> str | None:
    absent = [name for name in NAMES if shutil.which(name) is None]
    return f"there is no {' and no '.join(absent)}" if absent else None


def nginx(config: Path, port: int) -> ServerProcess:
    """`config` is what stands in conf.d."""
    folder = config.parent
    whole = folder / "nginx.conf"
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole.write_text(
        f"pid {folder}/nginx.pid;\nerror_log stderr;\ndaemon off;\nmaster_process off;\n"
        f"events {{ }}\nhttp {{\n{temporary}    access_log {folder}/access.log;\n"
        f"    include {config};\n}}\n",
        "utf-8",
    )
    return ServerProcess(
        ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(whole)],
        folder,
        lambda: accepts(port),
    )


def caddy(config: Path, port: int) -> ServerProcess:
    folder = config.parent
    return ServerProcess(
        ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"],
        folder,
        lambda: accepts(port),
        {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)},
    )
