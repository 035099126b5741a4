"""The commands beside a running server, and alone."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from server import Server

pytestmark = pytest.mark.e2e
ROWS = "equipmentId,timestamp,value\n" + "".join(
    f"EQ-1,2026-01-01T00:{n:02}:00Z,{n}\n" for n in range(60)
)


def run(
    folder: Path, *arguments: str | Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    known = {k: v for k, v in os.environ.items() if not k.startswith("PIPEWATCHER_")}
    return subprocess.run(
        [sys.executable, "-m", "pipewatcher", *map(str, arguments)],
        env={**known, "PIPEWATCHER_DATA_DIR": str(folder), "COLUMNS": "200"},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("beside", [True, False], ids=["beside a server", "alone"])
def test_files_folders_and_standard_input_are_imported(tmp_path: Path, beside: bool) -> None:
    folder = tmp_path / "data"
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.csv").write_text(ROWS)
    (files / "b.csv").write_text(ROWS.replace("EQ-1", "EQ-2") + "EQ-2,never,1\n")
    server = Server(folder)
    if beside:
        server.start()
    done = run(folder, "import", "--dry-run", str(files / "a.csv"))
    assert done.returncode == 0, done.stderr
    assert "nothing is stored; it would bring 60 new readings" in done.stderr
    assert "0 → 60" in done.stderr
    assert "gaps: it would close 0 and fill 0 in part" in done.stderr
    done = run(folder, "import", str(files / "a.csv"))
    assert done.returncode == 0, done.stderr
    assert "60 new" in done.stderr
    done = run(folder, "import", str(files))
    assert done.returncode == 3, done.stderr
    assert "60 identical" in done.stderr
    assert "line 62: timestamp" in done.stderr
    done = run(folder, "import", "-", given=ROWS.replace("EQ-1", "EQ-3"))
    assert done.returncode == 0, done.stderr
    done = run(folder, "averages", "3650d", "--csv")
    assert done.returncode == 0, done.stderr
    means = {line.split(",")[0]: line.split(",")[5] for line in done.stdout.splitlines()[1:]}
    assert means == {"EQ-1": "29.5", "EQ-2": "29.5", "EQ-3": "29.5"}
    if beside:
        assert server.stop() == 0


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "import", "nothing.csv")
    assert done.returncode == 1
    assert done.stderr == "pipewatcher: There is no file nothing.csv.\n"


def test_wrong_settings_are_all_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "x.toml"
    config.write_text('http_port = "x"\nadmin_token = "short"\nunknown = 1\n')
    done = run(tmp_path, "serve", "--config", str(config))
    assert done.returncode == 2
    for name in ("HTTP_PORT", "ADMIN_TOKEN", "UNKNOWN"):
        assert f"PIPEWATCHER_{name}" in done.stderr
    assert "short" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path / "data"):
        done = run(tmp_path / "data", "serve", "--http-port", "0")
        assert done.returncode == 1
        assert "Another PipeWatcher process" in done.stderr


def test_the_local_socket_is_its_owners_alone(tmp_path: Path) -> None:
    with Server(tmp_path / "data"):
        assert (tmp_path / "data" / "pipewatcher.sock").stat().st_mode & 0o777 == 0o600


def test_commands_find_the_server_in_a_folder_with_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long " * 25)
    with Server(folder):
        done = run(folder, "sensors")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_server_whose_commit_log_is_damaged_stops_with_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Server(folder):
        pass
    with contextlib.closing(sqlite3.connect(folder / "commit-log.sqlite")) as damaged:
        damaged.execute(
            "INSERT INTO entries (id, readings, bytes, committed_at, body) "
            "VALUES (1000000, 1, 9, 0, zeroblob(9))"
        )
        damaged.commit()
    done = run(folder, "serve", "--http-port", "0")
    assert done.returncode == 1
    told = done.stderr.splitlines()[-2:]
    assert told[0] == "pipewatcher: Entry 1000000 of the commit log: a group is cut off."
    assert "Copy the data folder" in told[1]


def test_every_setting_is_listed(tmp_path: Path) -> None:
    done = run(tmp_path, "config")
    assert done.returncode == 0
    assert "PIPEWATCHER_DATA_DIR" in done.stdout
    assert "PIPEWATCHER_STORE_MEMORY_MB" in done.stdout


@pytest.mark.slow
def test_the_doctor_finds_nothing_wrong_with_the_defaults_and_names_what_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    well = run(folder, "doctor", "--http-port", "0")
    assert well.returncode == 0, well.stdout
    assert "wrong" not in well.stdout
    assert not folder.exists(), "looking changes nothing"
    with Server(folder):
        beside = run(folder, "doctor")
        assert beside.returncode == 0, beside.stdout
        assert "runs on this folder" in beside.stdout
    afterwards = run(folder, "doctor", "--http-port", "0")
    assert afterwards.returncode == 0, afterwards.stdout
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ill = subprocess.run(
            [sys.executable, "-m", "pipewatcher", "doctor"],
            env={
                **os.environ,
                "PIPEWATCHER_DATA_DIR": str(folder),
                "PIPEWATCHER_HTTP_PORT": str(taken.getsockname()[1]),
                "PIPEWATCHER_COMMIT_LOG": "kafka://plant:secret-word@127.0.0.1:1/readings",
                "PIPEWATCHER_READINGS": "influxdb://plant:secret-word@127.0.0.1:1/plant",
                "PIPEWATCHER_ROLES": "gateway",
                "PIPEWATCHER_DISK_FREE_MIN_MB": str(10**9),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ill.returncode == 1
    said = " ".join(ill.stdout.split())
    for part in (
        "MiB nothing is accepted",
        "PIPEWATCHER_REGISTRY=sqlite: is a file that one process holds alone",
        "PIPEWATCHER_HTTP_PORT: cannot listen",
        "Check host and port in PIPEWATCHER_COMMIT_LOG",
        "Check host and port in PIPEWATCHER_READINGS",
    ):
        assert part in said
    assert "secret-word" not in ill.stdout + ill.stderr


@pytest.mark.parametrize("beside", [True, False], ids=["beside a server", "alone"])
def test_tokens_are_made_rotated_and_revoked_from_the_terminal(
    tmp_path: Path, beside: bool
) -> None:
    folder = tmp_path / "data"
    with Server(folder) if beside else contextlib.nullcontext():
        made = run(folder, "token", "create", "gw-1", "--prefix", "EQ-", "--rate", "5")
        assert made.returncode == 0, made.stderr
        assert len(made.stdout.strip()) == 67
        listed = run(folder, "token", "list").stdout
        assert "gw-1" in listed
        assert "EQ-…" in listed
        assert made.stdout.strip() not in listed
        rotated = run(folder, "token", "rotate", "gw-1").stdout
        assert len(rotated.strip()) == 67
        assert rotated != made.stdout
        assert run(folder, "token", "revoke", "gw-1").returncode == 0
        gone = run(folder, "token", "revoke", "gw-1")
        assert gone.returncode == 1
        assert "no token named gw-1" in gone.stderr


@pytest.mark.slow
def test_retention_says_what_it_drops_before_it_is_changed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    file = tmp_path / "old.csv"
    file.write_text("equipmentId,timestamp,value\nEQ-1,2020-01-01T00:00:00Z,1\n")
    assert run(folder, "import", str(file)).returncode == 0
    done = run(folder, "retention", "show", "--days", "40")
    assert done.stdout.startswith(
        "Raw readings are kept for ever.\nKeeping 40 days drops 1 readings"
    )
    refused = run(folder, "retention", "set", "40", given="n\n")
    assert (refused.returncode, "drops 1 readings" in refused.stdout) == (1, True)
    assert "for ever" in run(folder, "retention", "show").stdout
    done = run(folder, "retention", "set", "40", "--yes")
    assert "Raw readings are kept for 40 days" in done.stdout
    done = run(folder, "retention", "set", "ever", given="y\n")
    assert done.stdout.endswith("Raw readings are kept for ever.\n")
    for wrong in ("7", "soon", "-1"):
        done = run(folder, "retention", "set", wrong, "--yes")
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
