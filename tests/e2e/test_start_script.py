"""`./start.sh` on a fresh clone, and again without a network."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

TOP = Path(__file__).parents[2]
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
NO_NETWORK = dict.fromkeys(PROXIES, "http://127.0.0.1:9")
MADE = (
    *(".git", ".venv", ".build", ".*_cache", "pipewatcher-data"),
    *("node_modules", ".next", "out", "next-env.d.ts", "docs-assets", "page"),
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The sources as they are now, and nothing that was made from them."""
    folder = tmp_path / "a fresh clone"
    shutil.copytree(TOP, folder, ignore=shutil.ignore_patterns(*MADE))
    return folder


@contextmanager
def started(clone: Path, cwd: Path, **environment: str) -> Iterator[list[str]]:
    """Yields what `start.sh` wrote once the server is ready; stops it as a terminal would."""
    port = free_port()
    log = clone / "start.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [clone / "start.sh"],
            cwd=cwd,
            env={**os.environ, **environment, "PIPEWATCHER_HTTP_PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", log)
        yield log.read_text("utf-8").splitlines()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up = time.monotonic() + 300
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < give_up:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    pytest.fail(f"not ready, exit status {process.poll()}:\n{log.read_text('utf-8')}")


@pytest.mark.slow
@pytest.mark.e2e
def test_a_fresh_clone_starts_by_itself_and_later_without_a_network_or_the_same_place(
    clone: Path, tmp_path: Path
) -> None:
    with started(clone, clone) as lines:
        made = {line.removesuffix(" …") for line in lines if line.endswith("…")}
        assert {"Installing the page's packages", "Building the page"} < made
        assert any(line.startswith("Making .venv") for line in made)
    assert (clone / "pipewatcher-data").is_dir()

    moved = clone.rename(tmp_path / "moved")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with started(moved, elsewhere, **NO_NETWORK) as lines:
        made = [line for line in lines if line.endswith("…")]
        assert made == []
    assert list(elsewhere.iterdir()) == []
