"""Connections: who may come, what is no MQTT, deadlines, limits, backpressure and the end."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from loop_harness import VIEWER_TOKEN, until
from mqtt_harness import (
    Running,
    connect,
    field_of,
    packed,
    publish,
    reading,
    running,
)
from pipewatcher.sources.mqtt_door import Limits

CONNACK, PUBACK, SUBACK, UNSUBACK, DISCONNECT = 0x20, 0x40, 0x90, 0xB0, 0xE0
HASTY = Limits(connect_s=0.3, packet_s=0.3, linger_s=0.3, write_stall_s=0.5, sweep_s=0.05)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("mqtt")) as listener:
        yield listener


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("hasty"), HASTY) as listener:
        yield listener


def answer(listener: Running, *packets: bytes) -> list[tuple[int, bytes]]:
    """All that comes back on a new connection, which must be ended from the other side."""
    raw = listener.raw()
    raw.send(*packets)
    return raw.rest()


def properties_of_connack(body: bytes) -> dict[int, bytes]:
    """By identifier; of those that we send."""
    sizes = {0x11: 4, 0x21: 2, 0x27: 4, 0x22: 2, 0x13: 2, 0x28: 1, 0x29: 1, 0x2A: 1}
    found, at = {}, 3
    while at < len(body):
        name = body[at]
        size = sizes.get(name, 2 + int.from_bytes(body[at + 1 : at + 3]))
        found[name] = body[at + 1 : at + 1 + size]
        at += 1 + size
    return found


@pytest.mark.parametrize(
    ("options", "old", "new"),
    [
        ({"token": None}, 4, 0x86),
        ({"token": ""}, 4, 0x86),
        ({"token": "pw_somebody-else"}, 4, 0x86),
        ({"token": "x" * 10_000}, 4, 0x86),
        ({"token": VIEWER_TOKEN}, 5, 0x87),
        ({"client_id": "", "clean": False, "token": "pw_x"}, 2, 0x86),
        ({"client_id": "x" * 300}, 2, 0x85),
    ],
)
def test_who_may_not_send_is_told_so_and_that_is_the_end(
    listener: Running, options: dict[str, object], old: int, new: int
) -> None:
    assert answer(listener, connect(4, **options)) == [(CONNACK, bytes([0, old]))]  # type: ignore[arg-type]
    [(kind, body)] = answer(listener, connect(5, **options))  # type: ignore[arg-type]
    assert (kind, body[:2]) == (CONNACK, bytes([0, new]))


def test_the_connack_of_version_5_names_our_limits(listener: Running) -> None:
    raw = listener.raw()
    raw.send(connect(5, client_id="", keep_alive=0, properties=b"\x11\x00\x00\x0e\x10"))
    _, body = raw.packet()
    assert body[:2] == b"\0\0"
    found = properties_of_connack(body)
    assert found[0x12][2:].startswith(b"pw-")
    assert {name: int.from_bytes(raw) for name, raw in found.items() if name != 0x12} == {
        0x11: 0,  # session expiry: the session ends with the connection
        0x21: 1_024,
        0x27: 256 * 1_024,
        0x22: 32,
        0x13: 1_200,
        0x28: 0,
        0x29: 0,
        0x2A: 0,
    }


def test_a_session_is_never_present(listener: Running) -> None:
    for level in (4, 5):
        listener.connected(level, clean=False, client_id="again").close()
        raw = listener.raw()
        raw.send(connect(level, clean=False, client_id="again"))
        assert raw.packet()[1][:2] == b"\0\0"


@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        (connect(3, name="MQIsdp"), [(CONNACK, b"\0\1")]),
        (connect(3), [(CONNACK, b"\0\1")]),
        (connect(6), [(CONNACK, b"\0\x84")]),
        (connect(4, name="MQTX"), []),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", []),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), []),
        (publish(reading("FIRST")), []),
        (b"\xc0\x00", []),
        (b"\x10\xff\xff\xff\xff\x7f", []),
        (b"\x10\xff\xff\x7f", []),
        (b"\x10\x00", []),
    ],
)
def test_other_versions_and_other_protocols_are_turned_away(
    listener: Running, packet: bytes, wanted: list[tuple[int, bytes]]
) -> None:
    assert [(kind, body[:2]) for kind, body in answer(listener, packet)] == wanted


FAULTS = {
    "a second CONNECT": (connect(5), 0x82),
    "type 0": (b"\x00\x00", 0x81),
    "AUTH": (b"\xf0\x00", 0x82),
    "CONNACK": (b"\x20\x02\x00\x00", 0x82),
    "PUBACK for nothing": (b"\x40\x02\x00\x01", 0x82),
    "flags of PINGREQ": (b"\xc1\x00", 0x81),
    "PINGREQ with a body": (b"\xc0\x01x", 0x81),
    "flags of SUBSCRIBE": (b"\x80\x05\x00\x01\x00\x00\x00", 0x81),
    "flags of PUBREL": (b"\x60\x02\x00\x01", 0x81),
    "QoS 3": (b"\x36\x05\x00\x01a\x00\x01", 0x81),
    "DUP at QoS 0": (publish(b"{}", qos=0, flags=8), 0x81),
    "identifier 0": (publish(b"{}", packet_id=0), 0x82),
    "an empty PUBLISH": (b"\x32\x00", 0x81),
    "a topic past the end": (b"\x32\x04\x00\x09ab", 0x81),
    "an identifier past the end": (b"\x32\x04\x00\x01a\x00", 0x81),
    "properties past the end": (b"\x32\x06\x00\x01a\x00\x01\x7f", 0x81),
    "no topic": (publish(b"{}", topic=""), 0x82),
    "a wildcard": (publish(b"{}", topic="plant/+/value"), 0x90),
    "a long topic": (publish(b"{}", topic="t" * 2_000), 0x90),
    "a topic with U+0000": (publish(b"{}", topic="a\0b"), 0x81),
    "a topic that is no UTF-8": (b"\x32\x07\x00\x02\xc3\x28\x00\x01\x00", 0x81),
    "a surrogate": (b"\x32\x08\x00\x03\xed\xa0\x80\x00\x01\x00", 0x81),
    "alias 0": (publish(b"{}", properties=b"\x23\x00\x00"), 0x94),
    "an alias above the maximum": (publish(b"{}", properties=b"\x23\x00\x21"), 0x94),
    "an alias that is not set": (publish(b"{}", topic="", properties=b"\x23\x00\x09"), 0x82),
    "an unknown property": (publish(b"{}", properties=b"\x7f\x00"), 0x81),
    "a property of others": (publish(b"{}", properties=b"\x21\x00\x01"), 0x82),
    "a property twice": (publish(b"{}", properties=b"\x01\x01\x01\x01"), 0x82),
    "a flag that is 2": (publish(b"{}", properties=b"\x01\x02"), 0x82),
    "many properties": (
        packed(0x32, field_of("t"), b"\0\1", b"\xff\x7f", bytes(16_383)),
        0x95,
    ),
    "a large packet": (publish(b" " * 300_000), 0x95),
    "a large SUBSCRIBE": (packed(0x82, bytes(20_000)), 0x95),
    "SUBSCRIBE to nothing": (b"\x82\x03\x00\x01\x00", 0x82),
    "SUBSCRIBE at QoS 3": (packed(0x82, b"\0\1\0", field_of("a"), b"\3"), 0x81),
    "SUBSCRIBE with identifier 0": (packed(0x82, b"\0\0\0", field_of("a"), b"\0"), 0x82),
    "DISCONNECT with a long body": (b"\xe0\x05\x00\x00xyz", 0x81),
    "a length of five bytes": (b"\x30\x80\x80\x80\x80\x01", 0x81),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_ends_its_connection_with_the_right_code_and_no_other(
    listener: Running, case: str
) -> None:
    packet, code = FAULTS[case]
    other = listener.connected(5, client_id="other")
    raw = listener.connected(5, client_id="faulty")
    raw.send(publish(reading("BEFORE-FAULT")))
    assert raw.packet() == (PUBACK, b"\0\1")
    raw.send(packet)
    [(kind, body)] = raw.rest()
    assert (kind, body[0]) == (DISCONNECT, code)
    old = listener.connected(4, client_id="old")
    if case not in {"no topic", "many properties", "SUBSCRIBE to nothing"} and "prop" not in case:
        old.send(packet)
        with suppress(TimeoutError):
            old.socket.settimeout(0.2)
            assert [kind for kind, _ in old.rest() if kind not in {PUBACK, SUBACK}] == []
    other.send(publish(reading("OTHER")))
    assert other.packet() == (PUBACK, b"\0\1")


def test_an_authentication_method_is_refused(listener: Running) -> None:
    [(_, body)] = answer(listener, connect(5, properties=b"\x15" + field_of("SCRAM")))
    assert body[1] == 0x8C


@pytest.mark.parametrize("level", [4, 5])
def test_subscriptions_are_refused_and_the_connection_goes_on(
    listener: Running, level: int
) -> None:
    raw = listener.connected(level)
    empty = b"\0" if level == 5 else b""
    raw.send(
        packed(0x82, b"\0\7", empty, field_of("a/#"), b"\1", field_of("b"), b"\0"),
        packed(0xA2, b"\0\x08", empty, field_of("a/#")),
        b"\xc0\x00",
        publish(reading("SUBSCRIBER"), packet_id=9, level=level),
    )
    kind, body = raw.packet()
    assert (kind, body[:2], body[-2:]) == (
        SUBACK,
        b"\0\7",
        b"\x83\x83" if level == 5 else b"\x80\x80",
    )
    kind, body = raw.packet()
    assert (kind, body[:2]) == (UNSUBACK, b"\0\x08")
    assert body[-1] == (0x11 if level == 5 else 0x08)
    assert raw.packet() == (0xD0, b"")
    assert raw.packet() == (PUBACK, b"\0\x09")


def test_of_two_connections_with_one_client_id_the_older_ends(listener: Running) -> None:
    older = listener.connected(5, client_id="twin")
    younger = listener.connected(5, client_id="twin")
    [(kind, body)] = older.rest()
    assert (kind, body[0]) == (DISCONNECT, 0x8E)
    younger.send(publish(reading("TWIN")))
    assert younger.packet() == (PUBACK, b"\0\1")


def test_a_token_that_is_revoked_ends_its_connections(tmp_path: Path) -> None:
    with running(tmp_path, HASTY) as listener:
        idle, busy = listener.connected(5, client_id="idle"), listener.connected(5)
        known = dict(listener.tokens.known)
        listener.on_loop(listener.tokens.known.clear)
        busy.send(publish(reading("REVOKED")))
        for raw in (busy, idle):
            [(kind, body)] = raw.rest()
            assert (kind, body[0]) == (DISCONNECT, 0x87)
        listener.tokens.known.update(known)
        assert [row for row in listener.stored if row[0] == "REVOKED"] == []


def test_a_goodbye_is_answered_with_the_end(listener: Running) -> None:
    for level in (4, 5):
        raw = listener.connected(level)
        raw.send(publish(reading("BYE"), level=level))
        assert raw.packet() == (PUBACK, b"\0\1")
        raw.send(b"\xe0\x00")
        assert raw.rest() == []


def test_silence_beyond_the_keep_alive_is_the_end(hasty: Running) -> None:
    began = time.monotonic()
    silent = hasty.connected(5, keep_alive=1, client_id="silent")
    old = hasty.connected(4, keep_alive=1, client_id="old")
    pinging = hasty.connected(4, keep_alive=1, client_id="pinging")
    never = hasty.connected(4, keep_alive=0, client_id="never")
    for _ in range(10):
        pinging.send(b"\xc0\x00")
        assert pinging.packet() == (0xD0, b"")
        time.sleep(0.25)
    [(kind, body)] = silent.rest()
    assert (kind, body[0]) == (DISCONNECT, 0x8D)
    assert old.rest() == []
    assert time.monotonic() - began > 1.5
    never.send(b"\xc0\x00")
    assert never.packet() == (0xD0, b"")


SLOW = {
    "nothing": b"",
    "half of a CONNECT": connect(5)[:9],
    "a first byte": b"\x10",
}


@pytest.mark.parametrize("case", SLOW)
@pytest.mark.parametrize("trickle", [True, False])
def test_a_connect_that_does_not_come_in_time_is_the_end(
    hasty: Running, case: str, trickle: bool
) -> None:
    raw = hasty.raw()
    raw.send(SLOW[case])
    if trickle:
        with suppress(BrokenPipeError, ConnectionResetError):
            for byte in connect(5)[len(SLOW[case]) : -1]:
                raw.send(bytes([byte]))
                time.sleep(0.02)
    assert raw.rest() in ([], [(CONNACK, b"\x00\x82\x1b\x1f\x00\x18no CONNECT came in time")])


def test_a_packet_that_never_ends_is_the_end(hasty: Running) -> None:
    raw = hasty.connected()
    raw.send(publish(b" " * 1_000)[:-10])
    [(kind, body)] = raw.rest()
    assert (kind, body[0]) == (DISCONNECT, 0x8D)


def test_connections_over_the_limit_are_told_so_and_the_others_go_on(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections_max=3, sweep_s=0.05, linger_s=0.2)) as listener:
        there = [listener.connected(5, client_id=f"c{n}") for n in range(3)]
        [(_, body)] = answer(listener, connect(5, client_id="over"))
        assert body[1] == 0x89
        assert answer(listener, connect(4, client_id="over")) == [(CONNACK, b"\0\3")]
        there[0].send(publish(reading("MANY")))
        assert there[0].packet() == (PUBACK, b"\0\1")
        there[1].close()
        until(lambda: listener.listener.connections < 3)
        listener.connected(5, client_id="fourth")


def test_connections_that_come_too_fast_wait_for_their_turn(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connects_per_s_max=100)) as listener:
        began = time.monotonic()
        raws = [listener.raw() for _ in range(60)]
        for number, raw in enumerate(raws):
            raw.send(connect(5, client_id=f"c{number}"))
        assert [raw.packet()[1][:2] for raw in raws] == [b"\0\0"] * 60
        assert time.monotonic() - began > 0.4
        # One that gave up while it waited takes nobody's turn.
        listener.raw().close()
        listener.connected(5, client_id="last")


def test_more_messages_than_the_receive_maximum_end_the_connection(tmp_path: Path) -> None:
    with running(tmp_path, Limits(receive_maximum=10)) as listener:
        raw = listener.connected()
        raw.send(*(publish(reading("MUCH"), qos=2, packet_id=n) for n in range(1, 11)))
        assert [raw.packet()[0] for _ in range(10)] == [0x50] * 10
        raw.send(b"\x62\x02\x00\x01")
        assert raw.packet() == (0x70, b"\0\1")
        raw.send(publish(reading("MUCH"), qos=2, packet_id=1))
        assert raw.packet() == (0x50, b"\0\1")
        raw.send(publish(reading("MUCH"), qos=2, packet_id=11))
        [(kind, body)] = raw.rest()
        assert (kind, body[0]) == (DISCONNECT, 0x93)


@pytest.mark.parametrize("qos", [0, 1])
def test_a_flood_is_read_no_faster_than_it_is_committed_and_others_have_their_turn(
    tmp_path: Path, qos: int
) -> None:
    with running(tmp_path, Limits(unsettled_max=500, packets_per_turn=16)) as listener:
        blocker = sqlite3.connect(tmp_path / "commit.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        flood, other = listener.connected(4, client_id="flood"), listener.connected(5)
        count = 8_000
        data = b"".join(
            publish(reading("FLOOD", float(n)), qos=qos, packet_id=n, level=4)
            for n in range(1, count + 1)
        )
        sending = threading.Thread(target=flood.socket.sendall, args=(data,))
        sending.start()
        until(lambda: listener.intake.accepted >= 500)
        time.sleep(0.1)
        assert listener.intake.accepted == 500
        # What was read and not handled is accounted for.
        assert 0 < listener.on_loop(lambda: listener.intake.inflight_bytes) < 2**20
        blocker.execute("ROLLBACK")
        blocker.close()
        other.send(publish(reading("OTHER")))
        assert other.packet() == (PUBACK, b"\0\1")
        if qos:
            assert [int.from_bytes(flood.packet()[1]) for _ in range(count)] == [
                *range(1, count + 1)
            ]
        assert [row[2] for row in listener.stored_of("FLOOD", count)] == [
            float(n) for n in range(1, count + 1)
        ]
        sending.join()


def test_a_sender_that_reads_no_answers_is_ended_and_keeps_little(hasty: Running) -> None:
    raw = hasty.connected(5)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.socket.settimeout(1.0)
    bad = b"\x62\x02\x00\x01" * 10_000  # each is answered with a longer "there is no such message"
    sent = 0
    with suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
        while sent < 100 * 2**20:
            sent += raw.socket.send(bad)
    assert sent < 20 * 2**20
    until(lambda: hasty.on_loop(lambda: hasty.intake.inflight_bytes) == 0)


def test_bodies_beyond_what_may_be_in_memory_are_refused(tmp_path: Path) -> None:
    with running(tmp_path, inflight_bytes_max=1_000) as listener:
        raw = listener.connected(5)
        raw.send(publish(b" " * 2_000))
        kind, body = raw.packet()
        assert body[0 if kind == DISCONNECT else 2] == 0x97
        raw = listener.connected(5)
        raw.send(publish(reading("SMALL")))
        assert raw.packet() == (PUBACK, b"\0\1")


def test_at_the_end_what_was_read_is_answered_and_senders_are_told(tmp_path: Path) -> None:
    with running(tmp_path) as listener:
        blocker = sqlite3.connect(tmp_path / "commit.db", isolation_level=None)
        idle, busy = listener.connected(5, client_id="idle"), listener.connected(5)
        old, mute = listener.connected(4, client_id="old"), listener.raw()
        blocker.execute("BEGIN IMMEDIATE")
        for raw, level in ((busy, 5), (old, 4)):
            raw.send(publish(reading("END"), level=level))
        until(lambda: listener.intake.accepted == 2)
        listener.on_loop(listener.stopping.set)
        [(kind, body)] = idle.rest()
        assert (kind, body[0]) == (DISCONNECT, 0x8B)
        assert mute.rest() == []
        blocker.execute("ROLLBACK")
        blocker.close()
        (acknowledged, said) = busy.rest()
        assert acknowledged == (PUBACK, b"\0\1")
        assert (said[0], said[1][0]) == (DISCONNECT, 0x8B)
        assert old.rest() == [(PUBACK, b"\0\1")]
        for raw in (idle, busy, old, mute):
            raw.close()


def test_a_connection_that_breaks_off_leaves_nothing_held(listener: Running) -> None:
    for text in (publish(reading("GONE"))[:-3], publish(b" " * 100_000)[:-100], b"\x32"):
        raw = listener.connected()
        raw.send(text)
        time.sleep(0.05)
        raw.close()
    until(lambda: listener.on_loop(lambda: listener.intake.inflight_bytes) == 0)
