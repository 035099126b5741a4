"""deploy/install.sh below a folder of its own, its unit as systemd reads it, and every script."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from certificates import self_signed
from pipewatcher.settings import Settings, load_settings

TOP = Path(__file__).parents[2]
INSTALL = TOP / "deploy/install.sh"
UNIT = "etc/systemd/system/pipewatcher.service"
SCRIPTS = [
    path
    for path in (*TOP.glob("*.sh"), *TOP.glob("deploy/**/*"))
    if path.is_file() and path.read_bytes()[:2] == b"#!" and path.suffix != ".py"
]
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze"
)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(INSTALL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    done = run("--root", root)
    assert done.returncode == 0, done.stderr
    return root


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_it_lays_every_file_where_it_says(root: Path) -> None:
    assert files(root) == {
        UNIT,
        "etc/pipewatcher/environment",
        "usr/local/bin/pipewatcher",
        "opt/pipewatcher/README.md",
    }
    assert mode(root / "etc/pipewatcher") == 0o750
    assert mode(root / "var/backups/pipewatcher") == 0o700
    assert "ReadWritePaths=-/var/backups/pipewatcher" in (root / UNIT).read_text("utf-8")
    assert mode(root / "etc/pipewatcher/environment") == 0o640
    assert mode(root / "usr/local/bin/pipewatcher") == 0o755


def test_run_again_it_keeps_the_settings(root: Path) -> None:
    settings = root / "etc/pipewatcher/environment"
    settings.write_text("PIPEWATCHER_HTTP_PORT=9000\n")
    assert run("--root", root).returncode == 0
    assert settings.read_text() == "PIPEWATCHER_HTTP_PORT=9000\n"


def test_tls_files_are_the_services_alone_and_the_settings_name_them_once(
    root: Path, tmp_path: Path
) -> None:
    certificate, key = self_signed(tmp_path)
    for _ in range(2):
        done = run("--root", root, "--tls-cert", certificate, "--tls-key", key)
        assert done.returncode == 0, done.stderr
    laid = root / "etc/pipewatcher/tls/key.pem"
    assert laid.read_bytes() == key.read_bytes()
    assert mode(laid) == 0o640
    settings = (root / "etc/pipewatcher/environment").read_text()
    for name in ("TLS_CERT_FILE", "TLS_KEY_FILE"):
        assert len(re.findall(rf"^PIPEWATCHER_{name}=", settings, re.MULTILINE)) == 1


def test_a_setting_without_the_end_of_its_line_stays_what_it_is(root: Path, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    settings = root / "etc/pipewatcher/environment"
    settings.write_text("PIPEWATCHER_HTTP_PORT=9000")
    done = run("--root", root, "--tls-cert", certificate, "--tls-key", key)
    assert done.returncode == 0, done.stderr
    assert settings.read_text().splitlines()[0] == "PIPEWATCHER_HTTP_PORT=9000"


@pytest.mark.parametrize("root", ["/", "//", "/tmp/.."])
def test_this_machine_is_no_root_of_its_own(root: str) -> None:
    done = run("uninstall", "--root", root)
    assert (done.returncode, done.stderr) == (1, "install.sh: --root / is this machine.\n")


def test_the_command_takes_settings_as_they_stand(root: Path, tmp_path: Path) -> None:
    """With stand-ins for `id` and `runuser`, which want root."""
    settings = root / "etc/pipewatcher/environment"
    settings.write_text(
        "# PIPEWATCHER_NO=1\n"
        "PIPEWATCHER_COMMIT_LOG=kafka://u:$(id)@h/r?security=ssl&partitions=4\n"
        "PIPEWATCHER_TRUSTED_PROXIES=127.0.0.1, 10.0.0.0/8\n"
        'PIPEWATCHER_PUBLIC_URL="https://h"'
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"id": "echo 0", "runuser": "env; echo CALLED $*"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (programs / name).chmod(0o755)
    command = (root / "usr/local/bin/pipewatcher").read_text("utf-8")
    command = command.replace("/etc/pipewatcher/environment", str(settings))
    command = command.replace("cd /var/lib/pipewatcher", f"cd {tmp_path}")
    told = subprocess.run(
        ["sh", "-c", command, "pipewatcher", "doctor", "a b"],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {line for line in told if line.startswith("PIPEWATCHER_")} == {
        "PIPEWATCHER_COMMIT_LOG=kafka://u:$(id)@h/r?security=ssl&partitions=4",
        "PIPEWATCHER_TRUSTED_PROXIES=127.0.0.1, 10.0.0.0/8",
        "PIPEWATCHER_PUBLIC_URL=https://h",
    }
    assert told[-1].endswith("/bin/python -P -m pipewatcher doctor a b")


def test_what_cannot_work_is_refused_before_anything_is_laid(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    locked = tmp_path / "locked.pem"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    for arguments in (
        ["--tls-cert", certificate],
        ["--tls-cert", key, "--tls-key", key],
        ["--tls-cert", certificate, "--tls-key", certificate],
        ["--tls-cert", certificate, "--tls-key", locked],
        ["--tls-cert", tmp_path / "none.pem", "--tls-key", key],
        ["--wheel"],
        ["--nonsense"],
        ["upgrade"],
    ):
        root = tmp_path / "nothing"
        done = run("--root", root, *arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith("install.sh: ")
        assert not root.exists()


def test_uninstall_keeps_readings_and_settings_unless_all_shall_go(root: Path) -> None:
    data = root / "var/lib/pipewatcher"
    data.mkdir(parents=True)
    (data / "readings.duckdb").touch()
    assert run("uninstall", "--root", root).returncode == 0
    assert files(root) == {"etc/pipewatcher/environment", "var/lib/pipewatcher/readings.duckdb"}
    assert run("uninstall", "--purge", "--root", root).returncode == 0
    assert files(root) == set()


def test_help_is_the_beginning_of_the_script() -> None:
    told = run("--help").stdout
    assert "install.sh uninstall [--purge]" in told
    assert "#" not in told


def test_the_settings_it_lays_are_settings(root: Path) -> None:
    text = (root / "etc/pipewatcher/environment").read_text("utf-8")
    named = dict(re.findall(r"^#?(PIPEWATCHER_\w+)=(\S+)$", text, re.MULTILINE))
    assert {name.removeprefix("PIPEWATCHER_").lower() for name in named} <= set(
        Settings.model_fields
    )
    assert str(load_settings(environ=named).data_dir) == "/var/lib/pipewatcher"


@needs_systemd
def test_systemd_finds_no_fault_with_the_unit(root: Path) -> None:
    python = root / "opt/pipewatcher/current/bin/python"
    python.parent.mkdir(parents=True)
    python.touch(0o755)
    for target in ("network-online", "time-sync", "multi-user", "sysinit", "basic", "shutdown"):
        (root / f"etc/systemd/system/{target}.target").write_text("[Unit]\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", "pipewatcher.service"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_unit_is_exposed_to_little(root: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", root / UNIT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_keeps_what_signs_people_in_out_of_the_journal(root: Path) -> None:
    unit = (root / UNIT).read_text("utf-8")
    assert "StandardOutput=null" in unit
    assert "User=pipewatcher" in unit


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(TOP)))
def test_scripts_can_be_run_and_shellcheck_finds_nothing(script: Path) -> None:
    assert mode(script) & 0o111 or script.name == "setup.sh"
    if shutil.which("shellcheck") is None:
        pytest.skip("there is no shellcheck")
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--severity=warning", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=TOP,
    )
    assert done.returncode == 0, done.stdout
