"""The documentation says what is there, all of it, in both languages; its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipewatcher.errors import PipeWatcherError

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
TRANSLATED = sorted((DOCS / "pt").glob("*.md"))
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")


def text(page: Path) -> str:
    return page.read_text("utf-8")


def shape(page: Path) -> list[str]:
    """Headings by their level, tables by their rows, code by its language: not their words."""
    found = []
    for line in text(page).splitlines():
        if mark := re.match(r"#+ |```\w*", line):
            found.append(mark[0])
        elif line.startswith("|"):
            found.append("|" * line.count("|"))
    return found


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def code(page: Path) -> list[str]:
    blocks = re.findall(r"```(?:sh|python)\n(.*?)```", text(page), re.DOTALL)
    return [block for block in blocks if "curl" in block or "import" in block]


def test_the_reference_is_what_the_source_says() -> None:
    now = subprocess.run(
        [sys.executable, TOP / "deploy/dev/reference.py", "--print"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "COLUMNS": "80", "PYTHONPATH": str(TOP / "src")},
    ).stdout
    assert now == text(DOCS / "reference.md"), "something was added or renamed: make reference"


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_both_languages_have_the_same_pages_of_the_same_shape(page: Path) -> None:
    english = DOCS / page.name
    assert english.is_file()
    assert shape(page) == shape(english)
    assert code(page) == code(english)


def test_what_stands_in_the_menu_is_there_and_each_translated_page_stands_in_it() -> None:
    menu = set(re.findall(r": ([\w/-]+\.md)$", text(TOP / "mkdocs.yml"), re.MULTILINE))
    assert sorted(name for name in menu if not (DOCS / name).is_file()) == []
    assert {f"pt/{page.name}" for page in TRANSLATED} <= menu
    assert {page.name for page in TRANSLATED} <= menu


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(text(page)):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{target}#{anchor}"


def test_each_fault_that_an_operator_can_meet_has_its_run_book() -> None:
    waiting, codes = [PipeWatcherError], set()
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error.__module__.startswith("pipewatcher.") and error.status >= 500:
            codes.add(error.code)
    assert "disk_full" in codes
    for page in (DOCS / "operations.md", DOCS / "pt/operations.md"):
        assert sorted(code for code in codes if f"| `{code}` |" not in text(page)) == []


def test_metrics_that_alarms_name_are_there() -> None:
    known = set(re.findall(r"^\| `(pipewatcher_\w+)`", text(DOCS / "reference.md"), re.MULTILINE))
    for page in (DOCS / "operations.md", DOCS / "pt/operations.md"):
        assert set(re.findall(r"`(pipewatcher_\w+)`", text(page))) <= known


def test_settings_and_commands_that_pages_name_are_there() -> None:
    reference = text(DOCS / "reference.md")
    for page in [*TRANSLATED, *(DOCS / page.name for page in TRANSLATED)]:
        for name in re.findall(r"PIPEWATCHER_[A-Z_]+", text(page)):
            assert f"`{name}`" in reference, name
        for verb in re.findall(r"(?:^|[`/ ])pipewatcher ((?:token|user) \w+|\w+)", text(page)):
            if verb not in {"is", "no"}:
                assert f"`pipewatcher {verb}`" in reference, verb


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    assert {"index.html", "pt/index.html"} <= {
        str(page.relative_to(site)) for page in site.rglob("index.html")
    }
    # A plant's network reaches nothing outside.
    page = (site / "concepts.html").read_text("utf-8")
    fetched = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]+)"', page)
    assert [address for address in fetched if "canonical" not in address] == []
