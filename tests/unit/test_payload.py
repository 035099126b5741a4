"""Bodies become columns and rejections, the same on the fast path and item by item."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.errors import BodyTooLarge, InvalidRequest, MalformedRequest
from pipewatcher.payload import (
    READINGS_MAX,
    Parsed,
    is_array,
    parse_array,
    parse_lines,
    parse_object,
)
from pipewatcher.validate import (
    EventTimeBounds,
    ReadingFault,
    check_equipment_id,
    check_event_time,
    check_value,
    parse_timestamp,
)

NOON = "2026-01-31T12:00:00Z"
BOUNDS = EventTimeBounds(latest=parse_timestamp(NOON) + 300_000_000, oldest=0)
GOOD = {"equipmentId": "PUMP-1", "value": 21.5, "timestamp": NOON}


def triples(parsed: Parsed) -> list[tuple[str, int, float]]:
    ids = [parsed.equipment_ids[code] for code in parsed.codes]
    return list(zip(ids, parsed.event_times.tolist(), parsed.values.tolist(), strict=True))


def expected(item: Any) -> tuple[str, int, float] | None:
    """The rule of one reading, written without regard to speed."""
    try:
        return (
            check_equipment_id(item["equipmentId"]),
            check_event_time(parse_timestamp(item["timestamp"]), BOUNDS),
            check_value(item["value"]),
        )
    except (ReadingFault, KeyError, TypeError):
        return None


stamps = st.sampled_from(
    [
        *[NOON, "2026-01-31T09:00:00.1234567-03:00", "1970-01-01t00:00:00z"],
        *["2026-01-31 12:00:00Z", "2026-01-31T13:00:00Z", "1969-12-31T23:59:59Z"],
        *["2026-02-31T00:00:00Z", "2026-01-01", ""],
    ]
)
good_stamps = st.sampled_from([NOON, "2026-01-31T09:00:00.1234567-03:00", "1970-01-01t00:00:00z"])
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
names = st.sampled_from(["P-1", "P-2", "バルブ", 'a"b', "back\\slash", "value"])
readings = st.fixed_dictionaries(
    {"equipmentId": names, "value": numbers, "timestamp": good_stamps},
    optional={"unit": st.sampled_from(["C", "°C", '"', None, 1, {"value": 1}, ["timestamp"]])},
)
odd = st.fixed_dictionaries(
    {},
    optional={
        "equipmentId": names | st.sampled_from(["", "a b", 7, None]),
        "value": numbers | st.sampled_from(["1", True, None, float("inf"), float("nan")]),
        "timestamp": stamps | st.sampled_from([0, None]),
    },
) | st.sampled_from([None, 1, "x", [], True])


@given(st.lists(readings, min_size=1, max_size=80), st.booleans())
def test_good_readings_are_all_taken_in_order(items: list[Any], escaped: bool) -> None:
    body = json.dumps(items, ensure_ascii=escaped).encode()
    lines = "\n".join(json.dumps(item, ensure_ascii=escaped) for item in items).encode()
    for parsed in (parse_array(body, BOUNDS), parse_lines(lines, BOUNDS)):
        assert triples(parsed) == [expected(item) for item in items]
        assert parsed.rejected == 0
        assert parsed.unknown_fields == sum(len(item) - 3 for item in items)


@given(st.lists(readings | odd, max_size=80))
def test_bad_readings_are_named_and_good_neighbours_kept(items: list[Any]) -> None:
    body = json.dumps(items).encode()
    lines = "\r\n".join(json.dumps(item) for item in items).encode()
    wanted = [expected(item) for item in items]
    bad = [index for index, found in enumerate(wanted) if found is None]
    for parsed in (parse_array(body, BOUNDS), parse_lines(lines, BOUNDS)):
        assert triples(parsed) == [found for found in wanted if found is not None]
        assert [rejection.index for rejection in parsed.rejections] == bad[:100]
        assert parsed.rejected == len(bad) == sum(parsed.rejected_by_code.values())
        assert parsed.receipt().received == len(items)


@given(readings | odd)
def test_one_object_is_judged_as_an_array_of_it_is(item: Any) -> None:
    body = json.dumps(item).encode()
    if not isinstance(item, dict) or expected(item) is None:
        with pytest.raises(InvalidRequest) as caught:
            parse_object(body, BOUNDS)
        batch = parse_array(b"[" + body + b"]", BOUNDS)
        assert caught.value.errors[0].field == batch.rejections[0].field
        assert caught.value.errors[0].reason == batch.rejections[0].reason
    else:
        assert parse_object(body, BOUNDS) == (expected(item), len(item) - 3)


@given(st.text(max_size=30) | st.text('{}[]",:0123.eE-+ \\nulltrfas', max_size=40))
def test_no_text_makes_the_parsers_fail_otherwise_than_by_a_refusal(text: str) -> None:
    body = text.encode(errors="surrogatepass")
    for parse in (parse_object, parse_array, parse_lines):
        try:
            parse(body, BOUNDS)
        except (MalformedRequest, InvalidRequest):
            continue


@given(st.lists(readings, min_size=1, max_size=4), st.data())
def test_a_body_cut_anywhere_is_never_taken_as_more_than_its_whole_lines(
    items: list[Any], data: st.DataObject
) -> None:
    lines = [json.dumps(item).encode() for item in items]
    text = b"\n".join(lines)
    end = data.draw(st.integers(0, len(text) - 1))
    whole = text[:end].count(b"\n")
    parsed = parse_lines(text[:end], BOUNDS)
    complete = whole + (text[:end].split(b"\n")[-1] in lines)
    assert parsed.accepted == complete
    array = json.dumps(items).encode()
    end = data.draw(st.integers(1, len(array) - 1))
    with pytest.raises(MalformedRequest):
        parse_array(array[:end], BOUNDS)


def written(**members: str) -> bytes:
    return json.dumps({**GOOD, **members}).encode()


REPEATED = [
    b'{"equipmentId":"a","value":1,"value":2,"timestamp":"%s"}',
    b'{"equipmentId":"a","equipmentId":"b","value":1,"timestamp":"%s"}',
    b'{"equipmentId":"a","value":1,"timestamp":"x","timestamp":"%s"}',
    b'{"equipmentId":"a","value":1,"v\\u0061lue":2,"timestamp":"%s"}',
    b'{"unit":"C","equipmentId":"a","value":1,"value":1,"timestamp":"%s"}',
]


@pytest.mark.parametrize("template", REPEATED)
@pytest.mark.parametrize("neighbours", [0, 1, 100])
def test_a_repeated_member_is_refused_by_name_in_every_payload(
    template: bytes, neighbours: int
) -> None:
    body = template % NOON.encode()
    name = ("equipmentId", "timestamp", "value")[
        0 if body.count(b'"equipmentId"') > 1 else 1 if body.count(b'"timestamp"') > 1 else 2
    ]
    with pytest.raises(InvalidRequest) as caught:
        parse_object(body, BOUNDS)
    assert (caught.value.errors[0].field, caught.value.errors[0].code) == (name, "duplicate_member")
    items = [written()] * neighbours + [body]
    for parsed in (
        parse_array(b"[" + b",".join(items) + b"]", BOUNDS),
        parse_lines(b"\n".join(items), BOUNDS),
    ):
        assert parsed.accepted == neighbours
        assert [(bad.index, bad.field) for bad in parsed.rejections] == [(neighbours, name)]


def test_repeated_members_that_nobody_reads_do_no_harm() -> None:
    body = b'{"equipmentId":"a","value":1,"timestamp":"%s","u":1,"u":2}' % NOON.encode()
    assert parse_object(body, BOUNDS)[0][0] == "a"


@pytest.mark.parametrize(
    "lines",
    [
        b"%s %s",
        b"%s,%s",
        b"%s,\n%s",
        b"[%s]\n%s",
        b"%s,%s\n\n",
        b"{\n%s\n%s",
    ],
)
def test_only_one_object_to_a_line_is_newline_delimited_json(lines: bytes) -> None:
    parsed = parse_lines(lines % (written(), written()), BOUNDS)
    assert parsed.rejected >= 1


def test_a_line_break_inside_of_a_string_makes_two_bad_lines() -> None:
    parsed = parse_lines(written().replace(b"PUMP-1", b"PUMP\n-1") + b"\n" + written(), BOUNDS)
    assert (parsed.accepted, [bad.line for bad in parsed.rejections]) == (1, [1, 2])


def test_blank_lines_are_passed_over_but_counted_as_lines() -> None:
    parsed = parse_lines(b"\n" + written() + b"\n\r\n  \n{}\n\n", BOUNDS)
    assert parsed.accepted == 1
    assert [(bad.index, bad.line) for bad in parsed.rejections] == [(1, 5)]


def test_bad_utf_8_costs_only_its_own_line() -> None:
    parsed = parse_lines(b"\n".join([written(), b'{"equipmentId":"\xff"}', written()]), BOUNDS)
    assert (parsed.accepted, parsed.rejections[0].line) == (2, 2)


@pytest.mark.parametrize(
    "body",
    [
        *[b"", b" ", b"nul", b"{", b'{"equipmentId":', b"[", b"[1", b"[1,", b"[,]", b"[1,]"],
        *[b"{}x", b"[]x", b"[1 2]", b"\xff", b"[\xff]", b'{"a":"\xff"}', b"\xef\xbb\xbf{}"],
        *[b"[" * 1_000_000, b'{"a":' * 1_000_000, b"%PDF-1.7", b"\x00", b"{}\x00", b"[01]"],
        *['[{"a":1}]'.encode("utf-16"), b"{'a':1}", b'{"a":1,}', b"//\n{}"],
    ],
)
def test_what_is_no_json_is_malformed_as_a_whole(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        (parse_array if is_array(body) else parse_object)(body, BOUNDS)


def test_deep_nesting_in_a_member_nobody_reads_is_malformed_and_costs_one_line() -> None:
    deep = written()[:-1] + b',"u":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    with pytest.raises(MalformedRequest, match="nested"):
        parse_object(deep, BOUNDS)
    parsed = parse_lines(written() + b"\n" + deep, BOUNDS)
    assert (parsed.accepted, parsed.rejections[0].line) == (1, 2)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000])
def test_numbers_that_are_none_cost_only_their_own_reading(number: str) -> None:
    body = b"[%s,%s]" % (written(), re.sub(rb"21\.5", number.encode(), written()))
    parsed = parse_array(body, BOUNDS)
    assert parsed.accepted == 1
    assert [(bad.index, bad.field) for bad in parsed.rejections] == [(1, "value")]


def test_more_readings_than_a_full_body_can_hold_are_refused() -> None:
    with pytest.raises(BodyTooLarge):
        parse_array(b"[" + b"0," * READINGS_MAX + b"0]", BOUNDS)
