"""Whatever bytes come: no crash, nothing kept, and the right end for that connection alone."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_harness import Raw, Running, connect, field_of, packed, publish, reading, running
from pipewatcher.sources.mqtt_packets import (
    Kind,
    check_disconnect,
    frame,
    kind_of,
    read_connect,
    read_filters,
    read_publish,
    read_release,
)
from pipewatcher.sources.mqtt_wire import MqttFault, Reason, topic_of, variable

LEVELS = st.sampled_from([4, 5])
SESSION = [
    publish(reading("FUZZ"), packet_id=1),
    publish(reading("FUZZ"), qos=2, packet_id=2, properties=b"\x23\x00\x01\x01\x01"),
    b"\x62\x02\x00\x02",
    publish(b'{"value": 1}', qos=0, topic="plant/FUZZ/value"),
    packed(0x82, b"\0\3\0", field_of("a/#"), b"\1"),
    packed(0xA2, b"\0\4\0", field_of("a/#")),
    b"\xc0\x00",
    publish(b"[" + reading("FUZZ") + b"]", packet_id=5, topic="", properties=b"\x23\x00\x01"),
    b"\xe0\x02\x00\x00",
]
"""Real packets of a well-behaved sender."""


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("fuzz")) as listener:
        yield listener


@given(st.binary(max_size=200), LEVELS, st.integers(0, 3))
def test_readers_raise_nothing_but_faults(body: bytes, level: int, qos: int) -> None:
    end = len(body)
    for read in (
        lambda: read_connect(body, 0, end),
        lambda: read_publish(body, 0, end, qos, level),
        lambda: read_release(body, 0, end, level),
        lambda: read_filters(body, 0, end, Kind.SUBSCRIBE, level),
        lambda: read_filters(body, 0, end, Kind.UNSUBSCRIBE, level),
        lambda: check_disconnect(body, 0, end, level),
        lambda: topic_of(body),
        lambda: frame(body, 0),
        lambda: kind_of(body[0] if body else 0),
    ):
        try:
            read()
        except MqttFault as error:
            fault = error
        else:
            continue
        assert fault.reason >= Reason.UNSPECIFIED
        assert fault.text


@given(st.integers(0, 2**28 - 1), st.integers(0, 6))
def test_a_length_is_read_from_as_many_bytes_as_it_needs(length: int, cut: int) -> None:
    head = b"\x30" + variable(length)
    assert frame(head, 0) == (len(head), len(head) + length)
    if cut < len(head):
        assert frame(head[:cut], 0) is None


@given(
    topic=st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1),
    packet_id=st.integers(1, 65_535),
    payload=st.binary(max_size=300),
    qos=st.integers(0, 2),
    level=LEVELS,
    alias=st.integers(1, 65_535) | st.none(),
)
def test_what_a_client_packs_is_what_is_read(
    topic: str, packet_id: int, payload: bytes, qos: int, level: int, alias: int | None
) -> None:
    properties = b"" if alias is None else b"\x23" + alias.to_bytes(2)
    packet = publish(
        payload,
        qos=qos,
        packet_id=packet_id,
        level=level,
        topic=topic,
        properties=properties if level == 5 else b"",
    )
    framed = frame(packet, 0)
    assert framed is not None
    assert framed[1] == len(packet)
    found = read_publish(packet, *framed, qos, level)
    assert topic_of(found.topic) == topic
    assert (found.packet_id, found.payload) == (packet_id if qos else 0, payload)
    assert found.alias == (alias if alias and level == 5 else 0)


def talk(listener: Running, data: bytes) -> list[tuple[int, bytes]]:
    """Says it on a connection of its own and reads to the end, which must come."""
    raw = Raw(socket.create_connection(("127.0.0.1", listener.port), timeout=20))
    try:
        raw.send(data)
        raw.socket.shutdown(socket.SHUT_WR)
        return raw.rest()
    except (BrokenPipeError, ConnectionResetError):
        return []
    finally:
        raw.close()


@given(st.binary(max_size=300))
def test_bytes_that_are_no_mqtt_end_the_connection(listener: Running, data: bytes) -> None:
    assert talk(listener, data) == []


@given(st.data())
def test_mutated_packets_end_at_most_their_own_connection(
    listener: Running, data: st.DataObject
) -> None:
    level = data.draw(LEVELS)
    packets = bytearray(connect(level, client_id="fuzz") + b"".join(SESSION))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(packets) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                packets[at] = data.draw(st.integers(0, 255))
            case 1:
                del packets[at : at + data.draw(st.integers(1, 20))]
            case 2:
                packets[at:at] = data.draw(st.binary(max_size=20))
            case _:
                packets[at:at] = packets[at : at + 40]
        if not packets:
            return
    for kind, body in talk(listener, bytes(packets)):
        assert kind in {0x20, 0x40, 0x50, 0x70, 0x90, 0xB0, 0xD0, 0xE0}
        if kind == 0xE0:
            assert level == 5 or packets[8] == 5
            assert body[0] in iter(Reason)
    after(listener)


@given(st.data())
def test_however_the_bytes_are_cut_the_answers_are_the_same(
    listener: Running, data: st.DataObject
) -> None:
    whole = connect(5, client_id="cut") + b"".join(SESSION).replace(b"\x62\x02\x00\x02", b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    raw = Raw(socket.create_connection(("127.0.0.1", listener.port), timeout=20))
    for low, high in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        raw.send(whole[low:high])
    found = raw.rest()
    raw.close()
    assert found[0][0] == 0x20
    durable = [packet for packet in found if packet[0] in {0x40, 0x50}]
    assert durable == [(0x40, b"\0\1"), (0x50, b"\0\2"), (0x40, b"\0\5")]
    assert [kind for kind, _ in found[1:] if kind not in {0x40, 0x50}] == [0x90, 0xB0, 0xD0]


def after(listener: Running) -> None:
    """The listener is as it was."""
    raw = Raw(socket.create_connection(("127.0.0.1", listener.port), timeout=20))
    raw.send(connect(5, client_id="after"), publish(reading("AFTER")))
    assert raw.packet()[1][:2] == b"\0\0"
    assert raw.packet() == (0x40, b"\0\1")
    raw.close()


@pytest.mark.slow
def test_a_million_random_bytes_leave_nothing_behind(listener: Running) -> None:
    rng = random.Random(20260101)
    for number in range(400):
        noise = rng.randbytes(rng.randrange(1, 2_500))
        if number % 2:
            noise = connect(rng.choice([4, 5]), client_id=f"noise-{number}") + noise
        talk(listener, noise)
    after(listener)
    assert listener.on_loop(lambda: listener.intake.inflight_bytes) == 0
