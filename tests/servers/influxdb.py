"""InfluxDB 1.x with sign-in required."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path
from typing import Self

import httpx

from servers.process import ServerProcess, free_port

USER = "pipewatcher"
PASSWORD = "influx-test-password"


def missing() -> str | None:
    return None if shutil.which("influxd") else "there is no influxd"


class InfluxDB(ServerProcess):
    def __init__(
        self,
        folder: Path,
        user: str = USER,
        password: str = PASSWORD,
        *,
        certificate: Path | None = None,
    ) -> None:
        """With `certificate`, a file of certificate and key, it speaks TLS only."""
        self.port, self.rpc_port = free_port(), free_port()
        self.base_url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self._certificate = certificate
        self._admin = (user, password)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "influxdb.conf"
        text = _CONFIG.format(folder=folder, http=self.port, rpc=self.rpc_port)
        if certificate is not None:
            text += f'  https-enabled = true\n  https-certificate = "{certificate}"\n'
        config.write_text(text)
        super().__init__(["influxd", "-config", str(config)], folder, self._answers)
        self._first = True

    def url(self, database: str = "plant", user: str = USER, password: str = PASSWORD) -> str:
        return f"influxdb://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def wait(self) -> Self:
        super().wait()
        if self._first:
            self._first = False
            user, password = self._admin
            self.query(f"CREATE USER {user} WITH PASSWORD '{password}' WITH ALL PRIVILEGES")
        return self

    def query(self, text: str, **parameters: str) -> httpx.Response:
        """As the administrator."""
        answer = httpx.post(
            f"{self.base_url}/query",
            data={"q": text, **parameters},
            auth=self._admin,
            verify=self._verify(),
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return answer

    def _verify(self) -> ssl.SSLContext | bool:
        if self._certificate is None:
            return True
        return ssl.create_default_context(cafile=self._certificate)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/ping", verify=self._verify()).status_code == 204
        except httpx.TransportError:
            return False


_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
[coordinator]
  write-timeout = "10s"
[retention]
  enabled = true
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  auth-enabled = true
  log-enabled = false
  max-body-size = 0
"""
