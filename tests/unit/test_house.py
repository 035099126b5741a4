"""The lock files and scripts keep what the README promises about a fresh machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
LOCKS = [
    "requirements.lock",
    "requirements-dev.lock",
    "deploy/dev/requirements-page.lock",
    "deploy/dev/requirements-audit.lock",
]


def locked(name: str) -> dict[str, set[str]]:
    """Package -> its locked versions; more than one where platforms or Pythons differ."""
    versions: dict[str, set[str]] = {}
    for line in (TOP / name).read_text("utf-8").splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line):
            versions.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return versions


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["dependency-groups"]["dev"]),
        ("deploy/dev/requirements-page.lock", PROJECT["dependency-groups"]["page"]),
        ("deploy/dev/requirements-audit.lock", PROJECT["dependency-groups"]["audit"]),
    ],
)
def test_every_dependency_is_locked_at_a_version_that_the_project_allows(
    lock: str, asked: list[str]
) -> None:
    versions = locked(lock)
    for requirement in map(Requirement, asked):
        found = versions.get(canonicalize_name(requirement.name), set())
        assert found, f"{requirement.name} is not in {lock}: make lock"
        assert all(requirement.specifier.contains(version) for version in found), lock


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    text = (TOP / lock).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(index|extra|find)", text, re.MULTILINE)
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text)[1:]:
        assert "--hash=sha256:" in entry, entry.partition("\n")[0]


def test_what_is_tested_is_what_is_shipped() -> None:
    development = locked("requirements-dev.lock")
    for name, versions in locked("requirements.lock").items():
        assert development[name] == versions


def test_make_help_lists_every_verb() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))
    listed = subprocess.run(
        ["make", "--no-print-directory", "-C", TOP, "help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[0] for line in listed.stdout.splitlines()} == verbs


def test_a_machine_without_python_is_told_so_in_one_line(tmp_path: Path) -> None:
    for name in ["bash", "env", "dirname", "basename", "readlink", "cmp", "mkdir"]:
        found = subprocess.run(
            ["which", name], capture_output=True, text=True, check=True
        ).stdout.strip()
        (tmp_path / name).symlink_to(found)
    scripts = tmp_path / "fresh clone"
    (scripts / "deploy/dev").mkdir(parents=True)
    for name in ["start.sh", "deploy/dev/setup.sh", "requirements.lock"]:
        (scripts / name).write_bytes((TOP / name).read_bytes())
    result = subprocess.run(
        [tmp_path / "bash", scripts / "start.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "Python 3.11 or newer is needed" in result.stderr
