"""What every test shares, whatever it tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# CI repeats the same examples, so that a red run is about the change; at home each run seeks anew.
settings.register_profile("fast", max_examples=10, deadline=None)
settings.register_profile("home", max_examples=60, deadline=None)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "home")
)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser that `test.sh` found; a browser test that was asked for and has none fails."""
    found = os.environ.get("PIPEWATCHER_TEST_CHROMIUM") or shutil.which("chromium")
    assert found, "no Chromium: deploy/dev/install-test-servers.sh installs it"
    return Path(found)
