"""The page's types are made from OpenAPI: what it says now is what they were made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_the_pages_types_are_of_the_api_as_it_is() -> None:
    now = subprocess.run(
        [sys.executable, TOP / "deploy/dev/openapi.py"], capture_output=True, text=True, check=True
    ).stdout
    kept = (TOP / "frontend/src/api/openapi.json").read_text("utf-8")
    assert now == kept, "the API has changed: make types"
