"""The harness sees what it is there for: of each promise one bug, planted on purpose, is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import run as running
from faults import scene, shim
from faults.run import run

ANSWERS_WITHIN_S = 20.0
"""Of a door that hangs nobody needs to wait for the whole promise."""
PLANTED = Path(__file__).with_name("planted")
FOUND = {
    "acknowledged_before_it_is_committed": ("kill -9", "lost or changed|balance"),
    "acknowledged_before_it_is_synced": (
        "power cut, unsynced writes lost",
        "lost or changed|balance",
    ),
    "one_reading_of_a_batch_is_dropped": ("link is cut", "lost or changed|balance"),
    "one_batch_is_not_counted": ("link is cut", "balance"),
    "one_reading_of_a_batch_is_stored_twice": ("link is cut", "books|balance"),
    "one_reading_is_answered_twice": ("link is cut", "twice"),
    "a_value_is_changed_a_little": ("link is cut", "lost or changed"),
    "what_was_refused_is_stored": ("link is cut", "was refused and is stored"),
    "a_mean_passes_over_a_reading": ("link is cut", "mean"),
    "a_gap_is_not_told": ("link is cut", "gaps"),
    "a_receipt_counts_one_too_many": ("link is cut", "receipt"),
    "an_undone_import_stays": ("link is cut", "lost or changed"),
    "an_edit_is_not_saved": ("link is cut", "edit"),
    "a_door_hangs": ("link is cut", "no answer"),
    "a_descriptor_leaks": ("link is cut", "more descriptors"),
    "memory_leaks": ("link is cut", "MB"),
}

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(shim.missing() is not None, reason=shim.missing() or ""),
]


SPLIT_FOUND = {
    # Of this seed the gateways are killed.
    "acknowledged_before_kafka_has_it": ("kill -9", 27, 3),
    "a_writer_passes_over_a_reading": ("link is cut", 1, 1),
}


@pytest.mark.parametrize("planted", FOUND)
async def test_a_planted_bug_is_found(
    planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, said = FOUND[planted]
    plant(planted, monkeypatch)
    with pytest.raises(AssertionError, match=said) as found:
        await run("embedded", 1, 2, tmp_path, kind)
    assert "repeat it:" in str(found.value)


@pytest.mark.kafka
@pytest.mark.influxdb
@pytest.mark.mongodb
@pytest.mark.mosquitto
@pytest.mark.parametrize("planted", SPLIT_FOUND)
async def test_a_bug_planted_into_split_roles_is_found(
    planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, seed, faults = SPLIT_FOUND[planted]
    plant(planted, monkeypatch)
    with pytest.raises(AssertionError, match="lost or changed"):
        await run("split", seed, faults, tmp_path, kind)


def plant(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLANTED))
    monkeypatch.setenv("FAULTS_PLANTED", planted)
    monkeypatch.setattr(scene, "ANSWERS_WITHIN_S", ANSWERS_WITHIN_S)
    monkeypatch.setattr(running, "RESIDENT_MB_MAX", 600)
