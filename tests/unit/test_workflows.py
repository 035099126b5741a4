"""The workflow files: what they call is there, and they may no more than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[2]
FILES = sorted((TOP / ".github/workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def workflow(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(file)["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_changes_and_one_for_releases() -> None:
    assert [file.name for file in FILES] == ["ci.yml", "release.yml"]


@every_workflow
def test_what_it_calls_is_there(file: Path) -> None:
    script = "\n".join(step.get("run", "") for step in steps(file))
    for path in re.findall(r"(?<![\w/.])(?:\./)?((?:deploy/[\w/.-]+|[\w-]+)\.sh)", script):
        assert (TOP / path).is_file(), path
    makefile = (TOP / "Makefile").read_text("utf-8")
    for targets in re.findall(r"^make ([\w -]+)$", script, re.MULTILINE):
        for target in targets.split():
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@every_workflow
def test_it_may_read_and_nothing_else_unless_a_job_says_so(file: Path) -> None:
    found = workflow(file)
    assert found["permissions"] == {"contents": "read"}
    for name, job in found["jobs"].items():
        assert name == "publish" or "permissions" not in job
        assert job["timeout-minutes"] <= 90
    for step in steps(file):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@every_workflow
def test_it_uses_actions_of_the_platform_only_each_with_its_version(file: Path) -> None:
    for step in steps(file):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


@every_workflow
def test_no_text_of_strangers_is_put_into_a_script(file: Path) -> None:
    for step in steps(file):
        assert "${{" not in step.get("run", "")


def test_what_is_published_was_proved_first() -> None:
    jobs = workflow(TOP / ".github/workflows/release.yml")["jobs"]
    assert (jobs["prove"]["needs"], jobs["publish"]["needs"]) == ("build", "prove")
