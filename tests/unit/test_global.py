"""bench/global: no reading comes or goes unseen, and the page shows what the model says."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipewatcher.capacity.figures import measured

TOP = Path(__file__).parents[2]
BENCH = TOP / "bench/global"
NAMES = ("model", "pictures", "scenarios", "texts", "tables", "cost")


@pytest.fixture(scope="module")
def bench() -> Iterator[dict[str, ModuleType]]:
    """Its modules, whose plain names must not stay for other tests."""
    before = {name: sys.modules.pop(name, None) for name in NAMES}
    sys.path.insert(0, str(BENCH))
    spec = importlib.util.spec_from_file_location("bench_global", BENCH / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    yield {**{name: sys.modules[name] for name in NAMES}, "command": command}
    sys.path.remove(str(BENCH))
    for name, module in before.items():
        del sys.modules[name]
        if module is not None:
            sys.modules[name] = module


def small(scenarios: Any, **changed: Any) -> Any:
    found = {"plants": 6, "sensors": 6_000, "interval_s": 10.0, "step_s": 30.0, **changed}
    live = found["sensors"] / found["interval_s"]
    rates = {"link_per_s": 4 * live / found["plants"], "intake_per_s": 2 * live / 3}
    rates |= {"drain_per_s": 2 * live / 3, "mirror_per_s": 2 * live / 3}
    return scenarios.world(**{**rates, **found})


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_reading_is_stored_or_waits_or_is_at_an_edge_or_is_lost(
    bench: dict[str, ModuleType], data: st.DataObject
) -> None:
    rate = st.floats(10, 2_000)
    world = small(
        bench["scenarios"],
        seed=data.draw(st.integers(0, 99)),
        intake_per_s=data.draw(rate),
        drain_per_s=data.draw(rate),
        mirror_per_s=data.draw(rate),
        link_per_s=data.draw(rate),
        buffer_s=data.draw(st.floats(0, 3_600)),
        sent_again_s=data.draw(st.sampled_from([0.0, 60.0, 600.0])),
        failover_s=data.draw(st.sampled_from([0.0, 300.0])),
    )
    fault = bench["model"].Fault(
        cut=data.draw(st.sampled_from([None, (300.0, 1_200.0)])),
        lost_s=data.draw(st.sampled_from([None, 900.0])),
    )
    trace = bench["model"].run(world, fault, 2_400.0)
    kept = zip(trace.stored, trace.edge, trace.waiting, trace.lost, strict=True)
    for produced, parts in zip(trace.produced, kept, strict=True):
        assert sum(parts) == produced
        assert min(parts) >= 0


def test_without_a_fault_nothing_waits_and_nothing_is_lost(bench: dict[str, ModuleType]) -> None:
    trace = bench["model"].run(small(bench["scenarios"]), bench["model"].Fault(), 3_600.0)
    assert trace.lost[-1] == 0
    assert trace.stored[-1] == trace.produced[-1]


def test_loss_begins_where_the_buffer_is_shorter_than_the_cut(
    bench: dict[str, ModuleType],
) -> None:
    fault = bench["model"].Fault(cut=(600.0, 4_200.0))

    def lost(buffer_s: float) -> int:
        world = small(bench["scenarios"], buffer_s=buffer_s)
        return int(bench["model"].run(world, fault, 7_200.0).lost[-1])

    assert lost(1_800.0) > lost(3_000.0) > lost(4_300.0) == 0


def test_what_edges_send_again_is_not_lost_with_a_region(bench: dict[str, ModuleType]) -> None:
    fault = bench["model"].Fault(lost_s=600.0)

    def lost(sent_again_s: float) -> int:
        world = small(bench["scenarios"], sent_again_s=sent_again_s, step_s=1.0, mirror_late_s=5.0)
        return int(bench["model"].run(world, fault, 900.0).lost[-1])

    assert lost(0.0) > 0
    assert lost(600.0) == 0


def test_one_seed_is_one_result(bench: dict[str, ModuleType]) -> None:
    fault = bench["model"].Fault(cut=(300.0, 600.0))
    first, second = (bench["model"].run(small(bench["scenarios"]), fault, 900.0) for _ in range(2))
    assert first == second


def test_the_pages_show_the_tables_of_the_figures(bench: dict[str, ModuleType]) -> None:
    figures = json.loads((TOP / "docs/global/figures.json").read_text("utf-8"))
    figures["cost"] = bench["cost"].costs(measured())
    for language, page in bench["command"].PAGES.items():
        made = bench["tables"].tables(figures, language)
        text = page.read_text("utf-8")
        assert bench["command"].with_tables(text, made) == text, "python bench/global"
        for name in made:
            assert f"<!-- bench/global: {name} -->" in text


@pytest.mark.slow
def test_the_figures_and_pictures_are_what_the_model_says(bench: dict[str, ModuleType]) -> None:
    figures, traces = bench["scenarios"].play(measured())
    figures["cost"] = bench["cost"].costs(measured())
    written = json.loads((TOP / "docs/global/figures.json").read_text("utf-8"))
    assert json.loads(json.dumps(figures)) == written, "python bench/global"
    for name, picture in bench["command"].drawn(figures, traces):
        assert (TOP / "docs/global" / name).read_text("utf-8") == picture, name
