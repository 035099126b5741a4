"""The documentation says what is there, all of it, in both languages; its links lead somewhere."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipewatcher.errors import PipeWatcherError

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
TRANSLATED = sorted((DOCS / "pt").glob("*.md"))
ENGLISH_ONLY = {
    "load-report": "made by `make load-report`",
    "decisions": "for who changes the source, which is in English",
    "security": "for who checks the source, likewise",
}
"""And why. All other pages have both languages."""
PAGES = sorted(DOCS.rglob("*.md"))
REGISTRY = "src/pipewatcher/registry"
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
    written = text(DOCS / "reference.md") + text(DOCS / "pt/reference.md")
    assert now == written, "something was added or renamed: make reference"


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_both_languages_have_the_same_pages_of_the_same_shape(page: Path) -> None:
    english = DOCS / page.name
    assert english.is_file()
    assert shape(page) == shape(english)
    assert code(page) == code(english)


def test_each_page_is_there_in_both_languages() -> None:
    english = {page.relative_to(DOCS) for page in PAGES if "pt" not in page.parts}
    for page in english:
        folder = page.parts[0]
        assert folder in ENGLISH_ONLY or (DOCS / "pt" / page).is_file(), page
    assert all((DOCS / name).exists() for name in ENGLISH_ONLY)


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


@pytest.mark.parametrize("name", ["sending-data.md", "vendor-csv.md"])
@pytest.mark.parametrize("folder", [DOCS, DOCS / "pt"], ids=["en", "pt"])
def test_each_block_of_code_is_run_or_says_why_not(folder: Path, name: str) -> None:
    """tests/e2e/test_docs_examples.py runs what is `sh` or `python`."""
    before = ""
    fence = False
    for line in text(folder / name).splitlines():
        if line.startswith("```"):
            fence = not fence
            marked = before.startswith("<!-- not run: ")
            assert not fence or marked != (line in {"```sh", "```python"}), (line, before)
            for test in re.findall(r"tests/\S+\.py", before):
                assert (TOP / test).is_file(), test
        before = line


def test_the_flow_of_node_red_sends_a_reading_where_readings_are_taken() -> None:
    found = re.search(r"```json\n(\[.*?)```", text(DOCS / "sending-data.md"), re.DOTALL)
    assert found is not None
    nodes = {node["id"]: node for node in json.loads(found[1])}
    assert nodes["pw-send"]["url"].endswith("/api/v1/readings")
    made = nodes["pw-time"]["func"]
    assert {"equipmentId", "value", "timestamp"} <= set(re.findall(r"(\w+):", made))
    wired = [target for node in nodes.values() for wires in node["wires"] for target in wires]
    assert set(wired) == nodes.keys() - {"pw-time"}


def test_each_diagram_is_drawn_from_its_text_and_shown_on_a_page() -> None:
    shown = "".join(text(page) for page in PAGES)
    for source in (DOCS / "diagrams").glob("*.mmd"):
        stamp = hashlib.sha256(source.read_bytes()).hexdigest()
        assert stamp in source.with_suffix(".svg").read_text("utf-8"), "make diagrams"
        assert f"diagrams/{source.stem}.svg" in shown, source.name


@pytest.mark.parametrize("name", ["store", "store-imports", "commit-log", "registry"])
def test_the_tables_of_a_diagram_are_those_that_the_source_makes(name: str) -> None:
    now = subprocess.run(
        [sys.executable, TOP / "deploy/dev/diagrams.py", "--print", name],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": str(TOP / "src")},
    ).stdout
    assert now == (DOCS / f"diagrams/{name}.mmd").read_text("utf-8"), "make diagrams"


def test_the_collections_of_the_diagram_are_those_that_the_source_names() -> None:
    source = "".join(path.read_text("utf-8") for path in (TOP / REGISTRY).glob("mongodb*.py"))
    named = set(re.findall(r'(?:_collection\(|_NAME = )"(\w+)"', source))
    drawn = (DOCS / "diagrams/mongodb.mmd").read_text("utf-8")
    assert set(re.findall(r"^    (\w+)$", drawn, re.MULTILINE)) == named


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
        # A token in a sender's own environment is no setting of ours.
        for name in set(re.findall(r"PIPEWATCHER_[A-Z_]+", text(page))) - {"PIPEWATCHER_TOKEN"}:
            shown = {f"`{name}`", f"`{name.removesuffix('_FILE')}`"}
            assert any(one in reference for one in shown), name
        verbs = r"(?:^|[`/ ])pipewatcher ((?:token|user|retention) \w+|\w+)"
        for verb in re.findall(verbs, text(page)):
            if verb not in {"is", "no", "gw"}:
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
