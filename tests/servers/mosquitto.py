"""Mosquitto with the configuration that is shipped, its paths and ports moved."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from servers.process import ServerProcess, accepts, free_port

SHIPPED = Path(__file__).resolve().parents[2] / "deploy/mosquitto"
PIPEWATCHER = "pipewatcher"
DEVICE = "gw-1"
"""May write below plant/gw-1/."""


def missing() -> str | None:
    for command in ("mosquitto", "mosquitto_passwd", "mosquitto_pub"):
        if shutil.which(command) is None and not Path(f"/usr/sbin/{command}").exists():
            return f"{command} is not installed"
    return None


class Mosquitto(ServerProcess):
    """With `certificate`, a PEM file of certificate and key, it speaks TLS on `tls_port` too."""

    def __init__(self, folder: Path, *, certificate: Path | None = None) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            [SHIPPED / "make-passwords.sh", folder / "passwords", PIPEWATCHER, DEVICE],
            capture_output=True,
            text=True,
            check=True,
        )
        self.passwords = dict(line.split() for line in made.stdout.splitlines())
        shutil.copy(SHIPPED / "acl", folder / "acl")
        (folder / "data").mkdir(exist_ok=True)
        text = (SHIPPED / "mosquitto.conf").read_text("utf-8")
        for shipped, ours in (
            ("/mosquitto/config/", f"{folder}/"),
            ("/mosquitto/data/", f"{folder}/data/"),
            ("\nlistener 1883\n", f"\nlistener {self.port} 127.0.0.1\n"),
        ):
            assert shipped in text
            text = text.replace(shipped, ours)
        if certificate is not None:
            text += f"\nlistener {self.tls_port} 127.0.0.1\n"
            text += f"certfile {certificate}\nkeyfile {certificate}\n"
        # As root it would drop to a user who may not read the test's folder.
        (folder / "mosquitto.conf").write_text(f"user root\n{text}", "utf-8")
        command = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        super().__init__(
            [command, "-c", str(folder / "mosquitto.conf")], folder, lambda: accepts(self.port)
        )

    def url(
        self, topic_filter: str = "plant/#", *, tls: bool = False, password: str | None = None
    ) -> str:
        secret = password or self.passwords[PIPEWATCHER]
        scheme, port = ("mqtts", self.tls_port) if tls else ("mqtt", self.port)
        return f"{scheme}://{PIPEWATCHER}:{secret}@127.0.0.1:{port}/{topic_filter}"
