"""Line protocol: which sensor, which value, when, and one reason for each line that is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipewatcher.errors import BodyTooLarge
from pipewatcher.model.identity import WriteScope
from pipewatcher.payload import READINGS_MAX
from pipewatcher.sources.line_protocol import (
    LINE_BYTES_MAX,
    NANOS,
    RECEIVED_TIME,
    ParsedLines,
    parse_line_protocol,
)
from pipewatcher.validate import EventTimeBounds, is_equipment_id, parse_timestamp

NOON = parse_timestamp("2026-01-31T12:00:00Z")
STAMP = NOON * 1_000
BOUNDS = EventTimeBounds(latest=NOON + 300_000_000)


def parse(
    text: str | bytes, precision: str = "ns", bounds: EventTimeBounds = BOUNDS
) -> ParsedLines:
    body = text.encode() if isinstance(text, str) else text
    return parse_line_protocol(body, bounds, nanos=NANOS[precision], now=NOON)


def taken(lines: ParsedLines) -> list[tuple[str, int, float]]:
    parsed = lines.readings
    ids = [parsed.equipment_ids[code] for code in parsed.codes]
    return list(zip(ids, parsed.event_times.tolist(), parsed.values.tolist(), strict=True))


def refused(lines: ParsedLines) -> list[tuple[int | None, str, str]]:
    return [(r.line, r.field, r.code) for r in lines.readings.rejections]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("pump,equipmentId=P-1 value=1", ["P-1"]),
        ("pump,site=north,equipmentId=P-1 value=1,rpm=900i", ["P-1", "P-1:rpm"]),
        ("temperature value=1", ["temperature"]),
        ("boiler pressure=1,temperature=2", ["boiler:pressure", "boiler:temperature"]),
        ("cpu,host=b,cpu=0 idle=97.5", ["cpu:cpu=0:host=b:idle"]),
        ("disk,path=c:\\x used=1", ["disk:path=c\\:\\\\x:used"]),
        ("m,a=x\\=y value=1", ["m:a=x=y"]),
        ("m,a\\=b=x value=1", ["m:a\\=b=x"]),
        ("m\\,n value=1", ["m,n"]),
        ('m,q="a" value=1', ['m:q="a"']),
        ("válvula,área=ñ value=1", ["válvula:área=ñ"]),
    ],
)
def test_a_line_names_its_sensors(line: str, ids: list[str]) -> None:
    lines = parse(f"{line} {STAMP}")
    assert refused(lines) == []
    assert [reading[0] for reading in taken(lines)] == ids


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.25", -1.25),
        ("+.5e-3", 0.0005),
        ("1.", 1.0),
        ("42i", 42.0),
        ("-7i", -7.0),
        ("18446744073709551615u", 18446744073709551615.0),
    ],
)
def test_every_kind_of_number_is_a_value(text: str, value: float) -> None:
    assert taken(parse(f"m value={text} {STAMP}")) == [("m", NOON, value)]


@pytest.mark.parametrize("precision", NANOS)
def test_timestamps_count_what_the_request_says(precision: str) -> None:
    hour = 3_600_000_000_000
    stamp = STAMP // hour * hour // NANOS[precision]
    [(_, event_time, _)] = taken(parse(f"m value=1 {stamp}", precision))
    assert event_time == STAMP // hour * hour // 1_000


def test_a_timestamp_is_cut_to_the_microsecond_also_before_1970() -> None:
    assert taken(parse(f"m value=1 {STAMP + 999}"))[0][1] == NOON
    assert taken(parse("m value=1 -1"))[0][1] == -1


def test_a_line_without_a_timestamp_is_of_now_and_its_origin_says_so() -> None:
    lines = parse(f"m value=1\nm value=2 {STAMP - 1_000}\n")
    assert [reading[1] for reading in taken(lines)] == [NOON, NOON - 1]
    batch = lines.batch("line-protocol:x")
    assert batch.origin_codes is not None
    assert [batch.origins[code] for code in batch.origin_codes] == [
        f"line-protocol:x{RECEIVED_TIME}",
        "line-protocol:x",
    ]
    assert parse(f"m value=2 {STAMP}").batch("line-protocol:x").origins == ("line-protocol:x",)


def test_strings_and_booleans_beside_numbers_are_passed_over_and_counted() -> None:
    lines = parse(f'm state="a, b=\\"c\\" d",on=true,value=1.5,off=F {STAMP}')
    assert taken(lines) == [("m", NOON, 1.5)]
    assert lines.readings.unknown_fields == 3


def test_blank_lines_and_comments_are_passed_over_and_a_carriage_return_too() -> None:
    lines = parse(f"\n# value=1\r\n  \nm value=1 {STAMP}\r\n m value=2  {STAMP} \n#")
    assert [reading[2] for reading in taken(lines)] == [1.0, 2.0]
    assert refused(lines) == []


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        ("m", "", "malformed"),
        ("m ", "", "malformed"),
        (",a=b value=1", "", "malformed"),
        ("m,a value=1", "", "malformed"),
        ("m,a= value=1", "", "malformed"),
        ("m,=b value=1", "", "malformed"),
        ("m,a=b=c value=1", "", "malformed"),
        ("m, value=1", "", "malformed"),
        ("m value", "", "malformed"),
        ("m value=", "", "malformed"),
        ("m =1", "", "malformed"),
        ("m value=1,", "", "malformed"),
        ('m value=1,s="open', "", "malformed"),
        ('m s="a"b,value=1', "", "malformed"),
        ("m,a=1,a=2 value=1", "", "duplicate_member"),
        ("m value=1,value=2", "", "duplicate_member"),
        ("m value=NaN", "value", "invalid_reading"),
        ("m value=inf", "value", "invalid_reading"),
        ("m value=1e999", "value", "invalid_reading"),
        ("m value=1x", "value", "invalid_reading"),
        ("m value=-1u", "value", "invalid_reading"),
        ("m value=1.5i", "value", "invalid_reading"),
        ("m value=١", "value", "invalid_reading"),
        ("m value=true", "value", "invalid_reading"),
        ('m value="1"', "value", "invalid_reading"),
        ('m state="on"', "state", "invalid_reading"),
        ("m value=1 soon", "timestamp", "invalid_reading"),
        (f"m value=1 {STAMP} 1", "timestamp", "invalid_reading"),
        (f"m value=1 {STAMP}.5", "timestamp", "invalid_reading"),
        (f"m value=1 {STAMP // 1_000_000_000}", "timestamp", "invalid_reading"),
        (f"m value=1 {STAMP + 301 * 1_000_000_000}", "timestamp", "reading_in_future"),
        ("a\\ b value=1", "equipmentId", "invalid_reading"),
        (f"{'m' * 65} value=1", "equipmentId", "invalid_reading"),
        ("pump,equipmentId=a\\ b value=1", "equipmentId", "invalid_reading"),
        ("m" * LINE_BYTES_MAX + " value=1", "", "malformed"),
    ],
)
def test_a_line_that_is_refused_is_named_and_its_neighbours_are_taken(
    line: str, field: str, code: str
) -> None:
    lines = parse(f"good value=1 {STAMP}\n{line}\ngood value=2 {STAMP}\n")
    assert refused(lines) == [(2, field, code)]
    assert [reading[2] for reading in taken(lines)] == [1.0, 2.0]
    assert lines.readings.rejected_by_code == {code: 1}


def test_a_line_that_is_not_utf_8_is_refused_alone() -> None:
    lines = parse(b"m value=1 %d\n\xff value=1\nm value=2 %d" % (STAMP, STAMP))
    assert refused(lines) == [(2, "", "malformed")]
    assert len(taken(lines)) == 2


def test_of_a_line_only_the_field_is_refused_that_may_not_be_written() -> None:
    bounds = EventTimeBounds(
        latest=BOUNDS.latest, writes=WriteScope(equipment_ids=frozenset({"P-1"}))
    )
    lines = parse(f"p,equipmentId=P-1 value=1,rpm=2 {STAMP}", bounds=bounds)
    assert taken(lines) == [("P-1", NOON, 1.0)]
    assert refused(lines) == [(1, "equipmentId", "not_allowed")]


def test_retention_and_the_year_0_bound_what_is_taken() -> None:
    bounds = EventTimeBounds(latest=BOUNDS.latest, oldest=NOON)
    assert refused(parse(f"m value=1 {STAMP - 1_000}", bounds=bounds))[0][2] == "reading_too_old"
    assert refused(parse(f"m value=1 {10**18}", "h"))[0][1] == "timestamp"


def test_a_request_has_a_largest_number_of_readings() -> None:
    with pytest.raises(BodyTooLarge):
        parse("m a=1\n" * (READINGS_MAX + 1))
    with pytest.raises(BodyTooLarge):
        parse("x\n" * (READINGS_MAX + 1))


# ---- properties

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6).filter(
    # A name that ends in a backslash cannot be written in line protocol.
    lambda name: not name.endswith("\\") and not name.startswith("#")
)
tags = st.dictionaries(names.filter(lambda name: name != "equipmentId"), names, max_size=2)
numbers = st.floats(allow_nan=False, allow_infinity=False)
series = st.tuples(names, tags, names | st.just("value"))


def escaped(text: str, kept: str) -> str:
    return "".join(f"\\{char}" if char in kept else char for char in text)


def written(measurement: str, tag_set: dict[str, str], field: str, value: float) -> str:
    head = escaped(measurement, ", ")
    for key, tag in tag_set.items():
        head += f",{escaped(key, ',= ')}={escaped(tag, ',= ')}"
    return f"{head} {escaped(field, ',= ')}={value!r} {STAMP}"


@given(st.lists(st.tuples(series, numbers), min_size=1, max_size=8))
def test_what_is_written_as_a_client_writes_it_is_read_as_it_was(
    points: list[tuple[tuple[str, dict[str, str], str], float]],
) -> None:
    lines = parse("\n".join(written(*one, value) for one, value in points))
    assert all(field == "equipmentId" for _, field, _ in refused(lines)), "too long, no more"
    assert len(taken(lines)) + len(refused(lines)) == len(points)
    bad = {line for line, _, _ in refused(lines)}
    good = [value for number, (_, value) in enumerate(points, 1) if number not in bad]
    assert [reading[2] for reading in taken(lines)] == good


near = st.text(st.sampled_from("a:=\\"), min_size=1, max_size=3).filter(
    lambda name: not name.endswith("\\")
)
close = st.tuples(near, st.dictionaries(near, near, max_size=1), near | st.just("value"))
"""Of so few signs that one's tag may look like another's field."""


@given(series | close, series | close)
@example(("a", {}, "a=a"), ("a", {"a": "a"}, "value"))
def test_two_series_never_share_an_id(
    one: tuple[str, dict[str, str], str], other: tuple[str, dict[str, str], str]
) -> None:
    ids = taken(parse(f"{written(*one, 1.0)}\n{written(*other, 1.0)}"))
    if len(ids) == 2:
        assert (ids[0][0] == ids[1][0]) == (one == other)


@given(st.text(st.sampled_from('ma=, \\"1i.t\n#:é'), max_size=60) | st.text(max_size=60))
def test_whatever_is_sent_is_taken_by_the_rules_or_refused_by_name(text: str) -> None:
    lines = parse(text.encode("utf-8", "surrogatepass"))
    parsed = lines.readings
    assert all(map(is_equipment_id, parsed.equipment_ids))
    assert len(parsed.codes) == len(parsed.event_times) == len(parsed.values)
    assert len(lines.received_time) == parsed.accepted
    assert parsed.rejected == len(parsed.rejections)
    assert all(rejection.line and rejection.reason for rejection in parsed.rejections)
