"""What one reading must be."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipewatcher.validate import (
    CODE_IN_FUTURE,
    CODE_TOO_OLD,
    EVENT_TIME_MAX,
    EVENT_TIME_MIN,
    EventTimeBounds,
    ReadingFault,
    check_equipment_id,
    check_event_time,
    check_value,
    format_micros,
    is_equipment_id,
    parse_timestamp,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def exact_micros(moment: datetime) -> int:
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds


@pytest.mark.parametrize("text", ["a", "PUMP-01/α.β", "バルブ7", "x" * 64, "😀", "a\u0301"])
def test_visible_ids_of_up_to_64_characters_are_taken(text: str) -> None:
    assert check_equipment_id(text) == text


@pytest.mark.parametrize(
    "value",
    [
        *["", "x" * 65, "a b", "a\tb", "a\nb", " a", "a\x00", "a\x7f", "a\u00a0b", "a\u2028"],
        *["a\u200b", "\ud800", "\ufeff", "\ue000", "\u3000", 7, None, True, ["a"]],
    ],
)
def test_empty_long_invisible_or_non_text_ids_are_refused_by_field(value: object) -> None:
    with pytest.raises(ReadingFault) as caught:
        check_equipment_id(value)
    assert caught.value.field == "equipmentId"


@given(st.text(max_size=70))
def test_an_id_is_valid_exactly_when_the_check_returns_it(text: str) -> None:
    if is_equipment_id(text):
        assert check_equipment_id(text) == text
        assert not any(char.isspace() for char in text)
    else:
        with pytest.raises(ReadingFault):
            check_equipment_id(text)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64))
def test_every_finite_number_is_kept_as_its_double(number: float) -> None:
    assert check_value(number) == float(number)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, "1", True, None, [], {}])
def test_what_is_no_finite_number_is_refused_by_field(value: object) -> None:
    with pytest.raises(ReadingFault) as caught:
        check_value(value)
    assert caught.value.field == "value"


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00Z", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.9999999Z", 999_999),
        ("1969-12-31T23:59:59.999999999999Z", -1),
        ("1970-01-01T05:45:00+05:45", 0),
        ("1970-01-01T00:00:00+23:59", -86_340_000_000),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000_000),
        ("0001-01-01T00:00:00Z", EVENT_TIME_MIN),
        ("9999-12-31T23:59:59.999999Z", EVENT_TIME_MAX),
    ],
)
def test_rfc_3339_becomes_utc_microseconds_and_finer_digits_are_cut_off(
    text: str, micros: int
) -> None:
    assert parse_timestamp(text) == micros


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-01-01T00:00:00", "no offset"),
        ("2026-02-31T00:00:00Z", "no day 2026-02-31"),
        ("2025-02-29T00:00:00Z", "no day"),
        ("2026-13-01T00:00:00Z", "no day"),
        ("0000-01-01T00:00:00Z", "no day"),
        ("2026-01-01T00:00:60Z", "leap second"),
        ("2026-01-01T24:00:00Z", "time of day"),
        ("2026-01-01T00:60:00Z", "time of day"),
        ("2026-01-01T00:00:00+24:00", "offset"),
        ("2026-01-01T00:00:00+0100", "offset"),
        ("2026-01-01T00:00:00+01", "offset"),
        ("2026-01-01T00:00:00.Z", "offset"),
        ("2026-01-01T00:00:00Z ", "offset"),
        ("2026-01-01T00:00:00Z\n", "offset"),
        (" 2026-01-01T00:00:00Z", "RFC 3339"),
        ("2026-1-1T00:00:00Z", "RFC 3339"),
        ("2026-01-01T00:00Z", "RFC 3339"),
        ("2026-01-01_00:00:00Z", "RFC 3339"),
        ("20260101T000000Z", "RFC 3339"),
        ("2026-01-01T00:00:00,5Z", "offset"),
        ("２０２６-01-01T00:00:00Z", "RFC 3339"),
        ("", "RFC 3339"),
        ("1767225600", "RFC 3339"),
        ("0001-01-01T00:00:00+00:01", "outside the years"),
        ("9999-12-31T23:59:59-00:01", "outside the years"),
        (1_767_225_600, "string"),
        (None, "string"),
    ],
)
def test_other_timestamps_are_refused_with_the_reason(text: object, reason: str) -> None:
    with pytest.raises(ReadingFault, match=reason) as caught:
        parse_timestamp(text)
    assert caught.value.field == "timestamp"


offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(), offsets)
def test_every_instant_that_python_writes_is_read_back_exactly(
    moment: datetime, zone: timezone
) -> None:
    aware = moment.replace(tzinfo=zone)
    assume(1 < moment.year < 9999)
    assert parse_timestamp(aware.isoformat()) == exact_micros(aware)


def test_bounds_hold_at_the_microsecond() -> None:
    bounds = EventTimeBounds(latest=1_000, oldest=10)
    assert check_event_time(1_000, bounds) == 1_000
    assert check_event_time(10, bounds) == 10
    with pytest.raises(ReadingFault) as late:
        check_event_time(1_001, bounds)
    with pytest.raises(ReadingFault) as early:
        check_event_time(9, bounds)
    assert (late.value.code, early.value.code) == (CODE_IN_FUTURE, CODE_TOO_OLD)
    assert check_event_time(EVENT_TIME_MIN, EventTimeBounds(latest=0)) == EVENT_TIME_MIN


@given(st.integers(EVENT_TIME_MIN, EVENT_TIME_MAX))
def test_instants_in_messages_are_valid_timestamps_cut_to_the_second(instant: int) -> None:
    assert parse_timestamp(format_micros(instant)) == instant // 10**6 * 10**6
