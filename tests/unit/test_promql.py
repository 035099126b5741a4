"""PromQL: what is read, what is refused, and figures held against working them out by hand."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.errors import Busy
from pipewatcher.model.plant import Sensor
from pipewatcher.model.time import DAY, HOUR, MINUTE, SECOND, Micros
from pipewatcher.promql import ask
from pipewatcher.promql import grid as grid_module
from pipewatcher.promql.ask import Asker
from pipewatcher.promql.errors import BadQuery, TooMuch
from pipewatcher.promql.evaluate import Found
from pipewatcher.promql.grid import Grid
from pipewatcher.promql.parse import parse
from pipewatcher.promql.syntax import Aggregation, Binary, Call, Number, Selector
from pipewatcher.promql.tokens import duration
from promql_readings import NOON, PLANT, Readings

EACH = ("avg", "min", "max", "sum", "count", "last", "present")


def values(found: Found) -> dict[str, Any]:
    """`equipmentId`, else all labels → the values, NaN as None."""
    if isinstance(found, np.ndarray):
        return {"": [None if math.isnan(value) else value for value in found.tolist()]}
    return {
        line.labels.get("equipmentId") or ",".join(f"{k}={v}" for k, v in line.labels.items()): [
            None if math.isnan(value) else value for value in line.values.tolist()
        ]
        for line in found
    }


async def at(query: str, when: Micros = NOON + MINUTE, source: Readings = PLANT) -> dict[str, Any]:
    found = values(await Asker(source).ask(query, Grid(when, when, SECOND)))
    return {name: line[0] for name, line in found.items() if line[0] is not None}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1+1", {"": 2.0}),
        ("2 ^ 3 ^ 2", {"": 512.0}),
        ("-2 ^ 2", {"": -4.0}),
        ("2 - 3 - 4", {"": -5.0}),
        ("1 + 2 * 3 % 4 # all of it", {"": 3.0}),
        ("0x10 + 1e1 + .5", {"": 26.5}),
        ("1 < bool 2", {"": 1.0}),
        ("time()", {"": (NOON + MINUTE) / SECOND}),
        ("vector(3)", {"": 3.0}),
        ("pipewatcher_reading", {"EQ-1": 20.0, "EQ-2": 5.0, "EQ-3": -2.5}),
        ('pipewatcher_reading{unit="bar"}', {"EQ-1": 20.0, "EQ-2": 5.0}),
        ('{equipmentId=~"EQ-[12]", equipmentId!="EQ-1"}', {"EQ-2": 5.0}),
        ('{"pipewatcher_reading", "equipmentId"!~"EQ-.*[12]"}', {"EQ-3": -2.5}),
        ('{location="", unit!=""}', {"EQ-1": 20.0, "EQ-2": 5.0, "EQ-3": -2.5}),
        ("up", {}),
        ("pipewatcher_reading offset 30s", {"EQ-1": 10.0}),
        ("pipewatcher_reading > 4", {"EQ-1": 20.0, "EQ-2": 5.0}),
        ("pipewatcher_reading > bool 4", {"EQ-1": 1.0, "EQ-2": 1.0, "EQ-3": 0.0}),
        ("4 < pipewatcher_reading", {"EQ-1": 20.0, "EQ-2": 5.0}),
        ("2 * pipewatcher_reading - 1", {"EQ-1": 39.0, "EQ-2": 9.0, "EQ-3": -6.0}),
        ("abs(-pipewatcher_reading)", {"EQ-1": 20.0, "EQ-2": 5.0, "EQ-3": 2.5}),
        ("round(pipewatcher_reading / 3, 0.5)", {"EQ-1": 6.5, "EQ-2": 1.5, "EQ-3": -1.0}),
        (
            "pipewatcher_reading - pipewatcher_reading offset 1m",
            {"EQ-1": 10.0},
        ),
        (
            "avg_over_time(pipewatcher_reading[2m] offset -1m)",
            {"EQ-1": 15.0, "EQ-2": 5.0, "EQ-3": -2.5},
        ),
        ("count_over_time(pipewatcher_reading[1m])", {"EQ-1": 1.0}),
        ("sum by (unit) (pipewatcher_reading)", {"unit=bar": 25.0, "unit=°C": -2.5}),
        ("avg(pipewatcher_reading) by (unit)", {"unit=bar": 12.5, "unit=°C": -2.5}),
        ("count without (equipmentId, unit) (pipewatcher_reading)", {"": 3.0}),
        ("max(pipewatcher_reading)", {"": 20.0}),
        ("topk(1, pipewatcher_reading)", {"EQ-1": 20.0}),
        ("bottomk by (unit) (1, pipewatcher_reading)", {"EQ-2": 5.0, "EQ-3": -2.5}),
        ('scalar({equipmentId="EQ-2"}) + 1', {"": 6.0}),
        ("scalar(pipewatcher_reading > 10)", {"": 20.0}),
        ("scalar(pipewatcher_reading)", {}),
        ("scalar(up)", {}),
        ("topk(1.5, pipewatcher_reading)", {"EQ-1": 20.0}),
        ("round(vector(0.3), 0.1)", {"": 0.3}),
        ("sqrt(pipewatcher_reading - 5)", {"EQ-1": math.sqrt(15), "EQ-2": 0.0}),
        ("pipewatcher_reading == Inf", {}),
    ],
)  # fmt: skip
async def test_a_query_means_what_it_means_to_prometheus(query: str, expected: Any) -> None:
    assert await at(query) == expected


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "expected number"),
        ("pipewatcher_reading{", "expected"),
        ("pipewatcher_reading{unit}", "expected ="),
        ('pipewatcher_reading{unit=~"("}', "not a regular expression"),
        ('pipewatcher_reading{unit="\\q"}', "unknown escape"),
        ("pipewatcher_reading[5m]", "within a function"),
        ("pipewatcher_reading[5m] + 1", "within a function"),
        ("sum(pipewatcher_reading[5m])", "within a function"),
        ("avg_over_time(pipewatcher_reading)", "wants a range"),
        ("avg_over_time(pipewatcher_reading[0s])", "longer than zero"),
        ("avg_over_time(pipewatcher_reading[1h:5m])", "subqueries"),
        ("avg_over_time((pipewatcher_reading)[99y])", "ten years"),
        ("rate(pipewatcher_reading[5m])", "`rate` is not offered here; there are: abs, avg"),
        ("pipewatcher_reading and pipewatcher_reading", "`and` is not offered"),
        ("pipewatcher_reading @ 5", "@ is not offered"),
        ("1 < 2", "needs `bool`"),
        ("sum(1)", "wants series"),
        ("abs(1)", "wants series"),
        ("round(pipewatcher_reading, pipewatcher_reading)", "wants a number"),
        ("topk(pipewatcher_reading, pipewatcher_reading)", "wants a number"),
        ("time(1)", "takes 0 arguments"),
        ('"text"', "a text stands for nothing"),
        ("1 2", "expected end"),
        ("1 ~ 2", "unexpected character"),
        ("(" * 40 + "1" + ")" * 40, "30 deep"),
        ("-" * 4_000 + "1", "30 deep"),
        ("1+" * 5_000 + "1", "8192 characters"),
        ('{unit=~"' + "a" * 1_001 + '"}', "1000 characters"),
        ('{unit=~"a)|(?:b"}', "not a regular expression"),
        ('{unit=~"(?:[^a]{1000}){1000}"}', "not a regular expression"),
        ('{unit="\\ud800"}', "no character"),
        ('{unit=~"\\udfff"}', "no character"),
        ("+".join(["1"] * 102), "100 operators"),
        ("0x" + "f" * 400, "too large"),
        ("avg_over_time(pipewatcher_reading[" + "9" * 5_000 + "s])", "64 characters"),
        ("avg_over_time(pipewatcher_reading[1e999])", "not a duration"),
    ],
)
async def test_what_is_not_offered_is_refused_by_its_name(query: str, why: str) -> None:
    with pytest.raises(BadQuery) as caught:
        await at(query)
    assert why in str(caught.value)


PIECES = (
    *"abpiw_{}[]()\"'`\\=~!<>+-*/^%.,:@#0159smhdx \n",
    *("pipewatcher_reading", '{unit=~"', "avg_over_time(", "[5m]", " offset ", "sum by (", "0x"),
    *("\\ud83d", "9" * 400, "1+" * 60, "(" * 20),
)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
async def test_any_text_is_answered_or_refused(query: str) -> None:
    with contextlib.suppress(BadQuery, TooMuch):
        await at(query)


@pytest.mark.parametrize("text", ["", "5 m", "m", "5m!", "1e5s", "-5m", "1_000", "nan", "inf", "٣"])
def test_a_duration_is_read_whole_or_not_at_all(text: str) -> None:
    with pytest.raises(BadQuery, match="not a duration"):
        duration(text)


def test_what_is_read_has_its_shape() -> None:
    found = parse(
        'topk by (unit) (3, avg_over_time({equipmentId="a\\u00e9"}[1h30m] offset 1d)) > 2'
    )
    assert isinstance(found, Binary)
    assert isinstance(found.left, Aggregation)
    assert found.left.labels == ("unit",)
    assert found.left.parameter == Number(3.0)
    assert isinstance(found.left.of, Call)
    [selector] = found.left.of.arguments
    assert isinstance(selector, Selector)
    assert (selector.window, selector.offset) == (HOUR + 30 * MINUTE, DAY)
    assert selector.matchers[0].text == "aé"


async def test_a_value_stands_for_its_hold_limit_and_no_longer() -> None:
    source = Readings([("EQ-1", NOON, 1.0), ("EQ-2", NOON, 2.0)])
    source.holds = {"EQ-2": HOUR}
    for after, seen in ((0, {1, 2}), (5 * MINUTE, {1, 2}), (5 * MINUTE + 1, {2}), (HOUR + 1, ())):
        found = await at("pipewatcher_reading", NOON + after, source)
        assert set(found.values()) == set(seen), after
    ranged = await Asker(source).ask("pipewatcher_reading", Grid(NOON - 60, NOON + HOUR, MINUTE))
    assert [sum(v is not None for v in line) for line in values(ranged).values()] == [5, 60]


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["A", "B"]),
            st.integers(-500, 500).map(lambda n: NOON + n * SECOND),
            st.integers(-1_000, 1_000).map(float),
        ),
        unique_by=lambda row: row[:2],
        max_size=60,
    ),
    phase=st.sampled_from([0, 1, 7 * SECOND, 30 * SECOND]),
    step=st.sampled_from([1, 10, 60, 90]).map(lambda n: n * SECOND),
    window=st.sampled_from([1, 30, 60, 600]).map(lambda n: n * SECOND),
    offset=st.sampled_from([0, 30, -60]).map(lambda n: n * SECOND),
    by_reading=st.booleans(),
)
async def test_every_window_over_a_range_is_that_of_its_instant(
    rows: list[tuple[str, Micros, float]],
    phase: Micros,
    step: Micros,
    window: Micros,
    offset: Micros,
    by_reading: bool,
) -> None:
    """Whether from buckets or from readings; held against the sums of plain Python."""
    source = Readings(rows)
    asker = Asker(source)
    grid = Grid(NOON - 300 * SECOND + phase, NOON + 300 * SECOND, step)
    buckets_max = ask.BUCKETS_MAX
    ask.BUCKETS_MAX = 0 if by_reading else 10**12
    try:
        for each in EACH:
            shift = f" offset {offset // SECOND}s" if offset >= 0 else " offset -1m"
            query = f"{each}_over_time(pipewatcher_reading[{window // SECOND}s]{shift})"
            found = values(await asker.ask(query, grid))
            for name, line in found.items():
                assert line == [
                    by_hand(each, source.within(name, end - window, end))
                    for end in (grid.instants - offset).tolist()
                ]
    finally:
        ask.BUCKETS_MAX = buckets_max


def by_hand(each: str, window: list[tuple[Micros, float]]) -> float | None:
    found = [value for _, value in window]
    if not found:
        return None
    return {
        "avg": pytest.approx(sum(found) / len(found), abs=1e-9),
        "min": min(found),
        "max": max(found),
        "sum": pytest.approx(sum(found), abs=1e-9),
        "count": float(len(found)),
        "last": found[-1],
        "present": 1.0,
    }[each]


async def test_what_would_be_too_much_is_said_before_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = Readings([(f"EQ-{n}", NOON, 1.0) for n in range(101)])
    hour = Grid(NOON, NOON + HOUR, MINUTE)
    with pytest.raises(TooMuch, match="101 sensors over a range of time"):
        await Asker(many).ask("pipewatcher_reading", hour)
    assert len(await at("pipewatcher_reading", NOON, many)) == 101
    with pytest.raises(TooMuch, match="11000 points"):
        await Asker(many).ask("1", Grid(NOON, NOON + DAY, SECOND))
    with pytest.raises(TooMuch, match="selectors"):
        await at("+".join(f"a{n}" for n in range(11)))
    with pytest.raises(TooMuch, match="selectors"):
        await Asker(PLANT).series(["up"] * 11)
    monkeypatch.setattr(ask, "POINTS_MAX", 100)
    with pytest.raises(TooMuch, match="points in an answer"):
        await at("pipewatcher_reading", NOON, many)
    monkeypatch.undo()
    long = Readings([("EQ-1", NOON + n, 1.0) for n in range(ask.READINGS_MAX + 1)])
    with pytest.raises(TooMuch, match="avg_over_time"):
        await Asker(long).ask("pipewatcher_reading", hour)
    monkeypatch.setattr(grid_module, "SUMMED_MAX", 59)
    with pytest.raises(TooMuch, match="much longer than the step"):
        await Asker(many).ask('avg_over_time({equipmentId="EQ-1"}[1d])', hour)
    uneven = Grid(NOON + 1, NOON + HOUR, MINUTE)
    with pytest.raises(TooMuch, match="whole multiples"):
        await Asker(long).ask("avg_over_time(pipewatcher_reading[1m])", uneven)


async def test_who_waits_too_long_in_line_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ask, "WAITING_MAX", 0)
    with pytest.raises(Busy):
        await at("1")
    with pytest.raises(Busy):
        await Asker(PLANT).series([])


async def test_the_sensors_are_asked_for_once_in_a_query() -> None:
    class Counted(Readings):
        asked = 0

        async def sensors(self) -> list[Sensor]:
            self.asked += 1
            return await super().sensors()

    source = Counted(PLANT.rows)
    await at('pipewatcher_reading - avg_over_time({equipmentId="EQ-1"}[1m])', source=source)
    assert source.asked == 1
    await at("1+1", source=source)
    assert source.asked == 1
