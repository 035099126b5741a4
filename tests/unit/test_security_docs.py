"""The security pages name what is there, and leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = sorted((TOP / "docs/security").glob("*.md"))
LEVELS_1_AND_2 = """
V1.1:1-2 V1.2:1-9 V1.3:1-11 V1.4:1-3 V1.5:1-2 V2.1:1-3 V2.2:1-3 V2.3:1-4 V2.4:1 V3.2:1-2
V3.3:1-4 V3.4:1-6 V3.5:1-5 V3.7:1-2 V4.1:1-3 V4.2:1 V4.3:1-2 V4.4:1-4 V5.1:1 V5.2:1-3
V5.3:1-2 V5.4:1-3 V6.1:1-3 V6.2:1-12 V6.3:1-4 V6.4:1-4 V6.5:1-5 V6.6:1-3 V6.8:1-4 V7.1:1-3
V7.2:1-4 V7.3:1-2 V7.4:1-5 V7.5:1-2 V7.6:1-2 V8.1:1-2 V8.2:1-3 V8.3:1 V8.4:1 V9.1:1-3
V9.2:1-4 V10.1:1-2 V10.2:1-2 V10.3:1-4 V10.4:1-11 V10.5:1-5 V10.6:1-2 V10.7:1-3 V11.1:1-2
V11.2:1-3 V11.3:1-3 V11.4:1-4 V11.5:1 V11.6:1 V12.1:1-3 V12.2:1-2 V12.3:1-4 V13.1:1
V13.2:1-5 V13.3:1-2 V13.4:1-5 V14.1:1-2 V14.2:1-4 V14.3:1-3 V15.1:1-3 V15.2:1-3 V15.3:1-7
V16.1:1 V16.2:1-5 V16.3:1-4 V16.4:1-3 V16.5:1-3 V17.1:1 V17.2:1-4 V17.3:1-2
"""
"""Of ASVS 5.0.0: section and the numbers in it."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`((?:src|tests|docs|deploy)/[\w./-]+)`", page.read_text("utf-8")))
    assert named
    assert sorted(name for name in named if not (TOP / name).exists()) == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def requirements() -> list[str]:
    """In their order."""
    found = []
    for part in LEVELS_1_AND_2.split():
        section, _, numbers = part.partition(":")
        for run in numbers.split(","):
            first, _, last = run.partition("-")
            found += [f"{section}.{n}" for n in range(int(first), int(last or first) + 1)]
    return found


def test_each_line_of_the_standard_has_one_answer() -> None:
    order = requirements()
    assert len(order) == 253
    rows = re.findall(
        r"^\| (V[\d.]+)(?:–(V[\d.]+))? \| [✓–✗] \| .{2,} \|$",
        (TOP / "docs/security/asvs.md").read_text("utf-8"),
        re.MULTILINE,
    )
    answered = [
        name
        for first, last in rows
        for name in order[order.index(first) : order.index(last or first) + 1]
    ]
    assert answered == order
