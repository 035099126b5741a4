"""Payloads of MQTT: every kind is read, and nothing that is wrong in one goes unsaid."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.errors import SettingsError
from pipewatcher.sources.mqtt_payload import Parsed, TopicRules, parse, parse_single
from pipewatcher.validate import EventTimeBounds, parse_timestamp

NOON = "2026-01-31T12:00:00Z"
AT = parse_timestamp(NOON)
BOUNDS = EventTimeBounds(latest=AT + 300_000_000, oldest=0)
GOOD = {"equipmentId": "PUMP-1", "value": 21.5, "timestamp": NOON}
TOPIC = "plant/PUMP-1/value"
RECEIVED = AT + 5


def read(payload: object, topic: str = "plant/readings", **rules: object) -> Parsed:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse(
        topic,
        body,
        origin="mqtt:gw",
        received_at=RECEIVED,
        bounds=BOUNDS,
        rules=TopicRules(**rules),  # type: ignore[arg-type]
    )


def triples(parsed: Parsed) -> list[tuple[str, int, float]]:
    batch = parsed.batch
    if batch is None:
        return []
    ids = [batch.equipment_ids[code] for code in batch.codes]
    return list(zip(ids, batch.event_times.tolist(), batch.values.tolist(), strict=True))


def lines(*items: object) -> bytes:
    return "\n".join(json.dumps(item) for item in items).encode()


@pytest.mark.parametrize(
    ("payload", "topic", "count"),
    [
        (GOOD, "any/topic", 1),
        (GOOD, TOPIC, 1),
        (json.dumps(GOOD, indent=2).encode(), "any/topic", 1),
        ([GOOD, {**GOOD, "equipmentId": "P2"}], "any/topic", 2),
        ([GOOD], TOPIC, 1),
        (lines(GOOD, GOOD), "any/topic", 2),
        (lines(GOOD, GOOD) + b"\n", TOPIC, 2),
        ({"value": 21.5, "timestamp": NOON}, TOPIC, 1),
    ],
)
def test_every_kind_of_payload_is_read(payload: object, topic: str, count: int) -> None:
    parsed = read(payload, topic)
    assert (parsed.received, parsed.rejected, parsed.rest) == (count, 0, b"")
    assert triples(parsed)[0] == ("PUMP-1", AT, 21.5)
    assert parsed.batch is not None
    assert parsed.batch.origins == ("mqtt:gw",)


@pytest.mark.parametrize("payload", [21.5, {"value": 21.5}, b" 21.5\n"])
def test_the_time_of_receipt_stands_in_only_where_that_is_set_and_marks_the_origin(
    payload: object,
) -> None:
    parsed = read(payload, TOPIC, received_time=True)
    assert triples(parsed) == [("PUMP-1", RECEIVED, 21.5)]
    assert parsed.batch is not None
    assert parsed.batch.origins == ("mqtt:gw+received-time",)
    refused = read(payload, TOPIC)
    assert (refused.batch, refused.rejections[0].field) == (None, "timestamp")
    assert "PIPEWATCHER_MQTT_RECEIVED_TIME" in refused.reason


def test_a_topic_s_template_may_have_other_levels_and_none_at_all() -> None:
    rules = {"sensor_topic": "site/+/{equipmentId}/v", "received_time": True}
    assert triples(read(1, "site/x/É-1/v", **rules)) == [("É-1", RECEIVED, 1.0)]
    assert read(1, "site/x/y/É-1/v", **rules).batch is None
    assert read(1, TOPIC, sensor_topic="", received_time=True).batch is None


@pytest.mark.parametrize(
    "template", ["plant/value", "{equipmentId}/{equipmentId}", "a/#", "p-{equipmentId}", "a+/b"]
)
def test_a_template_that_names_no_sensor_is_refused(template: str) -> None:
    with pytest.raises(SettingsError):
        TopicRules(sensor_topic=template)


NEST = 10**6


@pytest.mark.parametrize("topic", ["any/topic", TOPIC])
@pytest.mark.parametrize(
    ("payload", "field", "code"),
    [
        (b"", "", "malformed"),
        (b" \n", "", "malformed"),
        (b"\xff\xfe", "", "malformed"),
        (b'{"equipmentId": "\xff", "value": 1, "timestamp": "' + NOON.encode() + b'"}', "", None),
        (b"[" * NEST, "", "malformed"),
        (b"{" * NEST, "", "malformed"),
        (b'{"a":' * NEST, "", "malformed"),
        (b'{"equipmentId": "PUMP-1", "value": 1', "", "malformed"),
        (json.dumps(GOOD, indent=1).encode()[:-1], "", "malformed"),
        (json.dumps(GOOD).encode() + b"{}", "", "malformed"),
        ([], "", "malformed"),
        (b"\n\n", "", "malformed"),
        ({**GOOD, "value": float("nan")}, "value", "invalid_reading"),
        ({**GOOD, "value": float("inf")}, "value", "invalid_reading"),
        ({**GOOD, "value": "1"}, "value", "invalid_reading"),
        ({**GOOD, "value": None}, "value", "invalid_reading"),
        ({**GOOD, "value": True}, "value", "invalid_reading"),
        (json.dumps(GOOD).replace("21.5", "1e999").encode(), "value", "invalid_reading"),
        ({**GOOD, "timestamp": "2026-01-31T12:00:00"}, "timestamp", "invalid_reading"),
        ({**GOOD, "timestamp": "2026-02-30T12:00:00Z"}, "timestamp", "invalid_reading"),
        ({**GOOD, "timestamp": 5}, "timestamp", "invalid_reading"),
        ({**GOOD, "timestamp": "2026-01-31T13:00:00Z"}, "timestamp", "reading_in_future"),
        ({**GOOD, "timestamp": "1969-01-31T13:00:00Z"}, "timestamp", "reading_too_old"),
        (b'{"equipmentId":"PUMP-1","value":1,"value":2,"timestamp":"2026-01-31T12:00:00Z"}',
         "value", "duplicate_member"),
        ({**GOOD, "equipmentId": "a b"}, "equipmentId", "invalid_reading"),
        ({**GOOD, "equipmentId": ""}, "equipmentId", "invalid_reading"),
        ({**GOOD, "equipmentId": 7}, "equipmentId", "invalid_reading"),
        ({"equipmentId": "PUMP-1", "timestamp": NOON}, "value", "invalid_reading"),
    ],
)  # fmt: skip
def test_each_bad_payload_is_refused_whole_with_its_field_and_code(
    payload: object, field: str, code: str | None, topic: str
) -> None:
    parsed = read(payload, topic)
    assert (parsed.batch, parsed.received, parsed.rejected) == (None, 1, 1)
    assert parsed.rejections[0].field == field
    assert code is None or parsed.rejections[0].code == code
    assert parsed.rest == (payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    assert parsed.reason
    assert parse_single(topic, parsed.rest, bounds=BOUNDS, rules=TopicRules()) is None


@pytest.mark.parametrize("topic", ["plant/a b/value", "plant//value", f"plant/{'x' * 65}/value"])
def test_a_topic_whose_sensor_s_name_is_not_allowed_is_refused(topic: str) -> None:
    assert read({"value": 1, "timestamp": NOON}, topic).rejections[0].field == "equipmentId"


def test_an_object_that_names_another_sensor_than_its_topic_is_refused() -> None:
    body = json.dumps(GOOD).encode()
    assert read(body, "plant/PUMP-2/value").rejections[0].field == "equipmentId"
    one = {"bounds": BOUNDS, "rules": TopicRules()}
    assert parse_single("plant/PUMP-2/value", body, **one) is None  # type: ignore[arg-type]
    assert parse_single(TOPIC, body, **one) == ("PUMP-1", AT, 21.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_lines", [False, True])
def test_of_many_the_good_are_taken_and_the_rest_is_a_payload_of_its_own(as_lines: bool) -> None:
    items = [{**GOOD, "value": n if n % 3 else float("nan")} for n in range(9)]
    parsed = read(lines(*items) if as_lines else items)
    assert [value for _, _, value in triples(parsed)] == [1, 2, 4, 5, 7, 8]
    assert [one.index for one in parsed.rejections] == [0, 3, 6]
    again = read(parsed.rest)
    assert (again.received, again.rejected) == (3, 3)
    assert list(again.rejections) == parsed.rest_rejections
    mended = read(parsed.rest.replace(b"NaN", b"5"))
    assert (mended.received, mended.rejected) == (3, 0)


def test_members_that_we_do_not_know_are_counted() -> None:
    assert read({**GOOD, "unit": "C"}).unknown_fields == 1
    assert read({"value": 1, "timestamp": NOON, "unit": "C", "q": 1}, TOPIC).unknown_fields == 2


@given(st.binary(max_size=200), st.text(max_size=40), st.booleans())
def test_no_payload_and_no_topic_raises(payload: bytes, topic: str, received: bool) -> None:
    for at in (topic, TOPIC):
        parsed = read(payload, at, received_time=received)
        taken = len(parsed.batch) if parsed.batch is not None else 0
        assert parsed.received == taken + parsed.rejected > 0


pieces = st.sampled_from(
    [*'{}[],:"\n', "NaN", "-", "1e9", "null", '"value"', '"timestamp"', '"equipmentId"',
     f'"{NOON}"', '"P"', " ", json.dumps(GOOD)]
)  # fmt: skip


@given(st.lists(pieces, max_size=30).map("".join))
def test_broken_json_of_our_own_words_never_raises_and_adds_up(text: str) -> None:
    for topic in ("x", TOPIC):
        parsed = read(text.encode(), topic)
        taken = len(parsed.batch) if parsed.batch is not None else 0
        assert parsed.received == taken + parsed.rejected > 0
        assert not parsed.rest or parsed.rejected
        assert parsed.rest or not parsed.rejected or not text
