"""What is shipped: sdist and wheel, installed where there is neither our source nor Node."""

from __future__ import annotations

import re
import signal
import subprocess
import tarfile
import time
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from pipewatcher import __version__

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOP = Path(__file__).parents[2]
READY_S = 120


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["make", "wheel", f"DIST={folder}"], cwd=TOP, check=True, timeout=600)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment in which nothing is but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    venv.create(folder, with_pip=True)
    [wheel] = dist.glob("*.whl")
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(pip, check=True, timeout=900, cwd=folder)
    return folder / "bin"


@contextmanager
def demo(installed: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Address and token of a demo whose PATH holds nothing but its own environment."""
    command = [installed / "pipewatcher", "demo", "--port", "0", "--sensors", "50", "--days", "2"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": str(installed), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(3)]
            url = lines[1].rpartition(" ")[2].replace("localhost", "127.0.0.1")
            until_ready(url)
            yield url, lines[2].rpartition(" ")[2]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


def until_ready(url: str) -> None:
    until = time.monotonic() + READY_S
    while True:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, "the demo did not get ready"
        time.sleep(0.1)


def test_sdist_and_wheel_hold_the_same_package_and_its_page(dist: Path) -> None:
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    assert sdist.name == f"pipewatcher-{__version__}.tar.gz"
    with zipfile.ZipFile(wheel) as shipped:
        names = {name for name in shipped.namelist() if name.startswith("pipewatcher/")}
    with tarfile.open(sdist) as source:
        prefix = f"pipewatcher-{__version__}/src/"
        packed = {one.name.removeprefix(prefix) for one in source if one.isfile()}
    assert names == {name for name in packed if name.startswith("pipewatcher/")}
    assert {"pipewatcher/page/index.html", "pipewatcher/py.typed"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_in_a_bare_environment_a_demo_answers_and_serves_its_page(
    installed: Path, tmp_path: Path
) -> None:
    with demo(installed, tmp_path) as (url, token):
        headers = {"authorization": f"Bearer {token}"}
        page = httpx.get(f"{url}/api/v1/averages?window=24h", headers=headers).json()
        assert page["total"] == 50
        assert all(item["mean"] is not None for item in page["items"])
        html = httpx.get(url)
        assert html.headers["content-type"].startswith("text/html")
        files = set(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|woff2))"', html.text))
        assert len(files) > 5
        for file in files:
            assert httpx.get(urljoin(url, file)).status_code == 200, file
    assert list(tmp_path.iterdir()) == []


def test_in_a_bare_environment_each_verb_says_how_it_is_used(
    installed: Path, tmp_path: Path
) -> None:
    told = subprocess.run(
        [installed / "pipewatcher", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": str(installed), "TERM": "dumb", "COLUMNS": "200"},
        cwd=tmp_path,
    ).stdout
    for verb in ("serve", "demo", "import", "token", "doctor", "config"):
        assert verb in told


@pytest.mark.browser
def test_in_a_bare_environment_a_browser_shows_the_plant(
    installed: Path, chromium: Path, tmp_path: Path
) -> None:
    with demo(installed, tmp_path) as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(locale="en-US")
        page.goto(url)
        page.get_by_role("button", name="Use a token instead").click()
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.get_by_text("50", exact=True).first).to_be_visible()
        browser.close()
