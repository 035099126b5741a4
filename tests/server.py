"""`pipewatcher serve` as a process of its own, on a free loopback port, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import httpx

TOKEN = "test-admin-token-0123456789"
AUTH = {"authorization": f"Bearer {TOKEN}"}
OF_TESTS = {"PIPEWATCHER_ADMIN_TOKEN": TOKEN, "PIPEWATCHER_DISK_FREE_MIN_MB": "0"}
STOP_TIMEOUT_S = 120.0
START_TIMEOUT_S = 120.0


class Server:
    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str] = ("serve",),
        environment: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        """`environment`, when it is given, is all that it is told beside folder and port."""
        self.folder = folder
        self._command = [sys.executable, "-m", "pipewatcher", *command]
        self._told = OF_TESTS if environment is None else environment
        self._settings = {f"PIPEWATCHER_{name.upper()}": str(v) for name, v in settings.items()}
        self._log_path = folder.with_name(folder.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.url = ""

    def start(self) -> Server:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("ab")
        known = {k: v for k, v in os.environ.items() if not k.startswith("PIPEWATCHER_")}
        environment = {
            **known,
            **self._told,
            "PIPEWATCHER_DATA_DIR": str(self.folder),
            "PIPEWATCHER_HTTP_PORT": "0",
            "PIPEWATCHER_MQTT_PORT": "0",
            **self._settings,
        }
        self._process = subprocess.Popen(
            self._command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline().decode()
            assert "//localhost:" in line, self.output()[-4_000:]
            told = line.rpartition(":")[2].strip()
            # By TLS it tells the port for that.
            port = told if "http://" in line else self._settings["PIPEWATCHER_HTTP_PORT"]
            self.url = f"http://127.0.0.1:{port}"
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def output(self) -> str:
        """What it logged, over all its starts."""
        return self._log_path.read_text("utf-8", "replace")

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    @property
    def mqtt_port(self) -> int:
        port: int = httpx.get(f"{self.url}/api/v1/status", headers=AUTH).json()["mqtt"]["port"]
        return port

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=AUTH, timeout=60, **options)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._log is not None
        self._process.send_signal(number)
        status = self._process.wait(STOP_TIMEOUT_S)
        self._process.stdout.close()
        self._log.close()
        self._process = None
        return status

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError("the server did not get ready")
