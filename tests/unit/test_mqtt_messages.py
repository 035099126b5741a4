"""Messages: what is stored, what is answered and when, at every QoS of both versions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop_harness import SCOPED_TOKEN, until
from mqtt_harness import NOON, Running, connect, publish, reading, running

PUBACK, PUBREC, PUBCOMP = 0x40, 0x50, 0x70


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("mqtt")) as listener:
        yield listener


def ids(packets: list[tuple[int, bytes]]) -> list[int]:
    return [int.from_bytes(body[:2]) for _, body in packets]


@pytest.mark.parametrize("level", [4, 5])
def test_a_message_of_qos_1_is_stored_and_acknowledged(listener: Running, level: int) -> None:
    raw = listener.connected(level)
    raw.send(publish(reading(f"ONE-{level}", 78.42), packet_id=7, level=level))
    assert raw.packet() == (PUBACK, b"\x00\x07")
    assert listener.stored_of(f"ONE-{level}", 1) == [
        (f"ONE-{level}", 1_769_860_800_000_000, 78.42, "mqtt:device")
    ]


@pytest.mark.parametrize("level", [4, 5])
def test_a_message_of_qos_2_is_taken_once_however_often_it_is_sent(
    listener: Running, level: int
) -> None:
    raw = listener.connected(level)
    name = f"TWO-{level}"
    message = publish(reading(name), qos=2, packet_id=9, level=level)
    raw.send(message)
    assert raw.packet() == (PUBREC, b"\x00\x09")
    raw.send(publish(reading(name), qos=2, packet_id=9, level=level, flags=8))
    assert raw.packet() == (PUBREC, b"\x00\x09")
    raw.send(b"\x62\x02\x00\x09")
    assert raw.packet() == (PUBCOMP, b"\x00\x09")
    raw.send(publish(reading(name, 2.0), qos=2, packet_id=9, level=level))
    assert raw.packet() == (PUBREC, b"\x00\x09")
    assert [row[2] for row in listener.stored_of(name, 2)] == [1.0, 2.0]


def test_a_release_of_nothing_is_answered(listener: Running) -> None:
    raw = listener.connected(4)
    raw.send(b"\x62\x02\x00\x09")
    assert raw.packet() == (PUBCOMP, b"\x00\x09")
    raw = listener.connected(5)
    raw.send(b"\x62\x02\x00\x09")
    kind, body = raw.packet()
    assert (kind, body[:3]) == (PUBCOMP, b"\x00\x09\x92")


def test_nothing_is_acknowledged_before_it_is_durable(listener: Running) -> None:
    blocker = sqlite3.connect(listener.folder / "commit.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    raw = listener.connected()
    raw.send(
        publish(reading("DURABLE"), packet_id=1), publish(reading("DURABLE", 2.0), packet_id=2)
    )
    raw.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        raw.socket.recv(1)
    blocker.execute("ROLLBACK")
    blocker.close()
    raw.socket.settimeout(20)
    assert ids([raw.packet(), raw.packet()]) == [1, 2]
    listener.stored_of("DURABLE", 2)


@pytest.mark.parametrize("level", [4, 5])
def test_acknowledgements_come_in_the_order_of_the_messages(listener: Running, level: int) -> None:
    raw = listener.connected(level)
    payloads = [reading(f"ORDER-{level}", float(i)) for i in range(1, 500)]
    for broken in (3, 100, 333):
        payloads[broken] = b"{"
    numbers = range(1, len(payloads) + 1)
    raw.send(
        *(
            publish(payload, packet_id=number, qos=1 + number % 2, level=level)
            for number, payload in zip(numbers, payloads, strict=True)
        )
    )
    assert ids([raw.packet() for _ in payloads]) == list(numbers)
    stored = [row[2] for row in listener.stored_of(f"ORDER-{level}", len(payloads) - 3)]
    assert stored == [float(i) for i in range(1, 500) if i - 1 not in {3, 100, 333}]


@pytest.mark.parametrize("level", [4, 5])
def test_at_qos_2_a_repeat_and_a_release_before_the_answer_confuse_nothing(
    listener: Running, level: int
) -> None:
    name = f"EARLY-{level}"
    blocker = sqlite3.connect(listener.folder / "commit.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    raw = listener.connected(level, client_id="early")
    message = publish(reading(name), qos=2, packet_id=4, level=level)
    raw.send(message, message, b"\x62\x02\x00\x04")
    assert raw.packet() == (PUBCOMP, b"\x00\x04")
    blocker.execute("ROLLBACK")
    blocker.close()
    assert raw.packet() == (PUBREC, b"\x00\x04")
    raw.send(publish(reading(name, 2.0), qos=2, packet_id=4, level=level))
    assert raw.packet() == (PUBREC, b"\x00\x04")
    assert [row[2] for row in listener.stored_of(name, 2)] == [1.0, 2.0]


def test_a_message_of_qos_0_is_stored_and_a_bad_one_becomes_a_dead_letter(
    listener: Running,
) -> None:
    raw = listener.connected(5, client_id="quiet")
    raw.send(publish(reading("ZERO"), qos=0), publish(b'{"value": 1}', qos=0, topic="a/b"))
    listener.stored_of("ZERO", 1)
    until(lambda: any(letter["client"] == "quiet" for letter in listener.letters.buried))
    [letter] = [one for one in listener.letters.buried if one["client"] == "quiet"]
    assert (letter["door"], letter["topic"], letter["payload"]) == ("mqtt", "a/b", b'{"value": 1}')
    assert letter["reason"] == "equipmentId: is missing"


BAD = {
    "no JSON": (b"{", "not JSON"),
    "an unknown time": (reading("BAD", timestamp="yesterday"), "timestamp: is not RFC 3339"),
    "no offset": (reading("BAD", timestamp="2026-01-31T12:00:00"), "timestamp: has no offset"),
    "the future": (reading("BAD", timestamp="2099-01-31T12:00:00Z"), "timestamp: lies in the fut"),
    "no number": (b'{"equipmentId":"BAD","value":"1","timestamp":"%s"}' % NOON.encode(), "value:"),
    "NaN": (b'{"equipmentId":"BAD","value":NaN,"timestamp":"%s"}' % NOON.encode(), "value: must"),
    "no id": (b'{"value":1,"timestamp":"%s"}' % NOON.encode(), "equipmentId: is missing"),
    "a broken id": (reading("BAD ID"), "equipmentId: has white space"),
    "nothing": (b"", "The payload is empty"),
    "bytes": (b"\xff\xfe\x00", "not UTF-8"),
    "an empty array": (b"[]", "no readings"),
    "all of an array": (b'[{"value":1},{"value":2}]', "equipmentId: is missing"),
}


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("case", BAD)
def test_version_5_is_told_what_is_wrong_with_a_payload(
    listener: Running, case: str, qos: int
) -> None:
    payload, why = BAD[case]
    raw = listener.connected(5, client_id="told")
    raw.send(publish(payload, qos=qos, packet_id=5), publish(reading("AFTER"), packet_id=6))
    kind, body = raw.packet()
    assert (kind, body[:3]) == (PUBACK if qos == 1 else PUBREC, b"\x00\x05\x99")
    assert why in body.decode("latin-1")
    assert raw.packet() == (PUBACK, b"\x00\x06")
    assert [one for one in listener.letters.buried if one["client"] == "told"] == []


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("case", BAD)
def test_version_3_1_1_gets_its_acknowledgement_and_the_payload_is_a_dead_letter(
    listener: Running, case: str, qos: int
) -> None:
    payload, why = BAD[case]
    client = f"untold-{case}-{qos}"
    raw = listener.connected(4, client_id=client)
    raw.send(publish(payload, qos=qos, packet_id=5, level=4))
    assert raw.packet() == (PUBACK if qos == 1 else PUBREC, b"\x00\x05")
    [letter] = [one for one in listener.letters.buried if one["client"] == client]
    assert letter["payload"] == payload
    assert why in letter["reason"]


def test_good_neighbours_are_kept_and_the_answer_says_so(listener: Running) -> None:
    items = [json.loads(reading("MIXED", float(i))) for i in range(5)]
    items[2]["value"] = None
    payload = json.dumps(items).encode()
    raw = listener.connected(5)
    raw.send(publish(payload))
    _, body = raw.packet()
    assert body[2] == 0x99
    assert body.endswith(b"item 2: value: must be a number; 4 of 5 readings are stored")
    assert [row[2] for row in listener.stored_of("MIXED", 4)] == [0.0, 1.0, 3.0, 4.0]
    raw = listener.connected(4, client_id="mixed")
    raw.send(publish(payload, level=4))
    assert raw.packet() == (PUBACK, b"\x00\x01")
    [letter] = [one for one in listener.letters.buried if one["client"] == "mixed"]
    assert [item["value"] for item in json.loads(letter["payload"])] == [None]


def test_arrays_lines_and_topics_that_name_the_sensor_are_taken(listener: Running) -> None:
    raw = listener.connected()
    one = reading("FORMS", 1.0, "2026-01-31T12:00:01Z")
    two = reading("FORMS", 2.0, "2026-01-31T12:00:02Z")
    by_topic = json.dumps({"value": 3, "timestamp": NOON}).encode()
    raw.send(
        publish(b"[" + one + b"," + two + b"]", packet_id=1),
        publish(one + b"\n" + two, packet_id=2),
        publish(by_topic, packet_id=3, topic="plant/FORMS/value"),
    )
    assert [raw.packet()[1] for _ in range(3)] == [b"\0\1", b"\0\2", b"\0\3"]
    assert [row[2] for row in listener.stored_of("FORMS", 5)] == [1.0, 2.0, 1.0, 2.0, 3.0]


def test_who_wants_no_reasons_gets_only_codes(listener: Running) -> None:
    raw = listener.connected(5, properties=b"\x17\x00")
    raw.send(publish(b"{", packet_id=3))
    assert raw.packet() == (PUBACK, b"\x00\x03\x99")


def test_a_reason_never_makes_a_packet_that_the_sender_does_not_take(listener: Running) -> None:
    raw = listener.connected(5, properties=b"\x27\x00\x00\x00\x14")
    raw.send(publish(b"{", packet_id=3))
    assert raw.packet() == (PUBACK, b"\x00\x03\x99")


def test_a_topic_alias_stands_for_its_topic(listener: Running) -> None:
    raw = listener.connected()
    value = json.dumps({"value": 1, "timestamp": NOON}).encode()
    alias = b"\x23\x00\x01"
    raw.send(
        publish(value, packet_id=1, topic="plant/ALIAS-A/value", properties=alias),
        publish(value, packet_id=2, topic="", properties=alias),
        publish(value, packet_id=3, topic="plant/ALIAS-B/value", properties=alias),
        publish(value, packet_id=4, topic="", properties=alias),
    )
    assert [raw.packet()[1] for _ in range(4)] == [b"\0\1", b"\0\2", b"\0\3", b"\0\4"]
    listener.stored_of("ALIAS-A", 2)
    listener.stored_of("ALIAS-B", 2)


def test_retained_messages_are_readings_like_any_other(listener: Running) -> None:
    raw = listener.connected()
    raw.send(publish(reading("RETAINED"), flags=1))
    assert raw.packet() == (PUBACK, b"\x00\x01")
    listener.stored_of("RETAINED", 1)


def test_a_will_is_accepted_and_never_published(listener: Running) -> None:
    raw = listener.connected(5, will=reading("WILL"), client_id="will")
    raw.close()
    other = listener.connected(5)
    other.send(publish(reading("AFTER-WILL")))
    listener.stored_of("AFTER-WILL", 1)
    assert [row for row in listener.stored if row[0] == "WILL"] == []


def test_when_nothing_can_be_taken_each_version_is_told_so_in_its_way(tmp_path: Path) -> None:
    with running(tmp_path) as listener:
        new, old = listener.connected(5), listener.connected(4, client_id="old")
        quiet = listener.connected(4, client_id="quiet")
        listener.intake._disk_full = True
        new.send(
            publish(reading("FULL"), packet_id=1), publish(reading("FULL"), qos=2, packet_id=2)
        )
        assert [body[:3] for _, body in (new.packet(), new.packet())] == [b"\0\1\x97", b"\0\2\x97"]
        old.send(publish(reading("FULL"), packet_id=1, level=4))
        assert old.rest() == []
        quiet.send(publish(reading("FULL"), qos=0, level=4))
        until(lambda: len(listener.letters.buried) == 1)
        assert listener.letters.buried[0]["client"] == "quiet"
        refused = listener.raw()
        refused.send(connect(5))
        assert refused.packet()[1][1] == 0x89
        refused = listener.raw()
        refused.send(connect(4))
        assert refused.packet() == (0x20, b"\x00\x03")
        listener.intake._disk_full = False
        new.send(
            publish(reading("FULL"), packet_id=1), publish(reading("FULL"), qos=2, packet_id=2)
        )
        assert [body for _, body in (new.packet(), new.packet())] == [b"\0\1", b"\0\2"]
        assert len(listener.stored_of("FULL", 2)) == 2


def test_an_append_that_fails_is_never_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path) as listener:
        new, old = listener.connected(5), listener.connected(4, client_id="old")
        blocker = sqlite3.connect(tmp_path / "commit.db", isolation_level=None)
        blocker.execute("DROP TABLE entries")
        blocker.close()
        new.send(publish(reading("FAIL"), packet_id=1))
        assert new.packet()[1][:3] == b"\0\1\x83"
        old.send(publish(reading("FAIL"), packet_id=1, level=4))
        assert old.rest() == []


def test_a_token_writes_the_sensors_that_it_may_and_no_faster_than_it_may(
    listener: Running,
) -> None:
    raw = listener.connected(5, token=SCOPED_TOKEN)
    raw.send(
        publish(reading("A-1"), packet_id=1),
        publish(reading("B-1"), packet_id=2),
        publish(b"[" + reading("A-2") + b"," + reading("B-2") + b"]", packet_id=3),
    )
    assert raw.packet() == (PUBACK, b"\0\1")
    assert raw.packet()[1][:3] == b"\0\2\x87"
    _, body = raw.packet()
    assert body[:3] == b"\0\3\x87"
    assert b"item 1: equipmentId: is not one that this token may write" in body
    assert [row[0] for row in listener.stored_of("A-2", 1)] == ["A-2"]
    raw.send(*(publish(reading("A-3"), packet_id=number) for number in range(1, 301)))
    codes = [raw.packet()[1][2:3] for _ in range(300)]
    assert codes.count(b"\x97") > 100
    assert [row for row in listener.stored if row[0].startswith("B-")] == []
