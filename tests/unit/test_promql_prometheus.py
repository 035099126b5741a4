"""PromQL held against Prometheus's own evaluation, over the same readings."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from pipewatcher.model.time import MINUTE, SECOND
from pipewatcher.promql.ask import Asker
from pipewatcher.promql.grid import Grid
from pipewatcher.promql.labels import labels_of
from pipewatcher.promql.syntax import COMPARISONS
from promql_readings import NOON, PLANT
from servers.promtool import promtool

SELECTED = (
    "pipewatcher_reading",
    "up",
    '{unit="bar"}',
    '{equipmentId=~"EQ-[13]", unit!~"b.*|x"}',
    "pipewatcher_reading offset 30s",
)
NUMBERS = ("2", "-0.5", 'scalar({equipmentId="EQ-2"})', "scalar(pipewatcher_reading > 10)")
OPERATORS = ("+", "-", "*", *sorted(COMPARISONS), *(f"{one} bool" for one in sorted(COMPARISONS)))
COUNTS = ("1.5", "0.5", "2", "9", "-1")
GROUPINGS = ("", "by (unit)", "without (equipmentId)", "by (__name__, unit)")


def written(chance: random.Random, depth: int) -> str:
    """Without windows, whose ends differ on purpose, and without what rounds its last bit in
    another way."""
    if not depth:
        return chance.choice(SELECTED)
    one, other = written(chance, depth - 1), written(chance, depth - 1)
    number, operator = chance.choice(NUMBERS), chance.choice(OPERATORS)
    grouping, leaf = chance.choice(GROUPINGS), chance.choice(SELECTED)
    return chance.choice(
        [
            f"{chance.choice(['abs', 'ceil', 'floor', 'sort', '-', '+'])}({one})",
            f"round({one}, {chance.choice(['0.1', '0.25', '7'])})",
            f"vector({number})",
            f"{chance.choice(['sum', 'min', 'max', 'count', 'group'])} {grouping} ({one})",
            f"{chance.choice(['topk', 'bottomk'])} {grouping} ({chance.choice(COUNTS)}, {leaf})",
            f"({one}) {operator} {number}",
            f"{number} {operator} ({one})",
            f"({one}) {operator} ({other})",
        ]
    )


def braced(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{label}="{text}"' for label, text in labels.items()) + "}"


@pytest.mark.promtool
async def test_prometheus_answers_the_same(tmp_path: Path) -> None:
    chance = random.Random(7)
    expected = []
    for query in (written(chance, depth) for depth in (1, 2, 3, 4) for _ in range(100)):
        found = await Asker(PLANT).ask(query, Grid(NOON + MINUTE, NOON + MINUTE, SECOND))
        assert isinstance(found, list)
        samples = [
            {"labels": braced(line.labels), "value": float(line.values[0])}
            for line in found
            if not math.isnan(line.values[0])
        ]
        expected.append({"expr": query, "eval_time": "1m", "exp_samples": samples})
    assert sum(bool(one["exp_samples"]) for one in expected) > 200
    series = [
        {"series": braced(labels_of(sensor)), "values": values}
        for sensor, values in zip(await PLANT.sensors(), ("10 20", "_ 5", "_ -2.5"), strict=True)
    ]
    tried = {"interval": "1m", "input_series": series, "promql_expr_test": expected}
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [tried]}, allow_unicode=True))
    assert "SUCCESS" in promtool("test", "rules", str(path))
