"""deploy.sh without a container engine: what it asks one for, in which order, and what it prints.

`docker` is a script that writes down how it was called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LINK = "http://localhost:8000/welcome#once"
DOCKER = f"""#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
    info) exit "${{NO_ENGINE-0}}" ;;
    "compose up"*) exit "${{NOT_READY-0}}" ;;
    *invite*) echo "{LINK}" ;;
esac
"""


class Deployed:
    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        shutil.copy(TOP / "deploy.sh", folder)
        (folder / "deploy/compose").mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / "deploy/compose/make-secrets.sh", folder / "deploy/compose")
        (folder / "bin").mkdir(exist_ok=True)
        docker = folder / "bin/docker"
        docker.write_text(DOCKER, "utf-8")
        docker.chmod(0o755)
        calls = folder / "calls"
        calls.unlink(missing_ok=True)
        self.done = subprocess.run(
            [folder / "deploy.sh", *arguments],
            env={"PATH": f"{folder}/bin:{os.environ['PATH']}", "CALLS": str(calls)} | environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.calls = calls.read_text("utf-8").splitlines()
        self.secrets = folder / "deploy/compose/secrets"


def test_it_makes_secrets_starts_waits_and_prints_the_first_sign_in(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, "--scale", "gateway=2")
    assert deployed.done.returncode == 0, deployed.done.stderr
    assert deployed.calls == [
        "compose version",
        "info",
        "compose build",
        "compose up --detach --wait --wait-timeout 600 --scale gateway=2",
        "compose exec -T api python -m pipewatcher user invite --role admin",
    ]
    assert LINK in deployed.done.stdout
    token = (deployed.secrets / "admin-token").read_text("utf-8")
    assert token not in deployed.done.stdout + deployed.done.stderr


def test_an_upgrade_builds_anew_and_keeps_the_secrets(tmp_path: Path) -> None:
    before = (Deployed(tmp_path).secrets / "admin-token").read_text("utf-8")
    upgraded = Deployed(tmp_path, "--upgrade")
    assert upgraded.calls[2] == "compose build --pull"
    assert not any("invite" in call for call in upgraded.calls)
    assert (upgraded.secrets / "admin-token").read_text("utf-8") == before


def test_down_keeps_what_is_in_the_volumes(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, "--down")
    assert deployed.done.returncode == 0
    assert deployed.calls[2:] == ["compose --profile tools down"]
    assert not deployed.secrets.exists()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"NO_ENGINE": "1"}, "docker does not answer"),
        ({"NOT_READY": "1"}, "not all of it is ready"),
    ],
)
def test_what_went_wrong_is_told_and_nobody_is_invited(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    deployed = Deployed(tmp_path, **environment)
    assert deployed.done.returncode == 1
    assert told in deployed.done.stderr
    assert not any("invite" in call for call in deployed.calls)
