"""MQTT 3.1.1 and 5 as publishers send it: bytes → packets. Pure; the caller bounds the sizes.

`frame` finds where a packet ends before the packet is there whole; the readers take a whole one.
What breaks a rule of the protocol raises `MqttFault`: the connection ends, and a sender of
version 5 is told the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import msgspec

from pipewatcher.sources.mqtt_wire import Fields, MqttFault, Properties, Property, Reason, text_of

MQTT_3_1_1 = 4
MQTT_5 = 5
_REMAINING_LENGTH_BYTES_MAX = 4


class Kind(IntEnum):
    """The upper half of a packet's first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


_FLAGS = {Kind.PUBREL: 2, Kind.SUBSCRIBE: 2, Kind.UNSUBSCRIBE: 2}
"""The lower half of the first byte where it is not 0; a PUBLISH has its own."""


def frame(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Where the body of the packet at `at` begins and where it ends, perhaps past the data.

    None while its length is not there whole. Raises `MqttFault`.
    """
    length = shift = 0
    here = at + 1
    for byte in data[here : here + _REMAINING_LENGTH_BYTES_MAX]:
        here += 1
        if byte < 0x80:
            return here, here + (length | byte << shift)
        length |= (byte & 0x7F) << shift
        shift += 7
    if shift == 7 * _REMAINING_LENGTH_BYTES_MAX:
        raise MqttFault(Reason.MALFORMED, "a packet's length has more than 4 bytes")
    return None


def kind_of(first: int) -> Kind:
    """Of any packet but a PUBLISH. Raises `MqttFault`."""
    if first < 0x10:
        raise MqttFault(Reason.MALFORMED, "there is no packet of type 0")
    kind = Kind(first >> 4)
    if first & 0x0F != _FLAGS.get(kind, 0):
        raise MqttFault(Reason.MALFORMED, f"{kind.name} has other flags")
    return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """A will is checked and forgotten: nothing is published here."""

    level: int
    client_id: str
    clean: bool
    keep_alive_s: int
    password: bytes | None
    session_expiry_s: int
    packet_bytes_max: int | None
    """The largest packet that the sender takes."""
    problem_information: bool
    """Whether it wants reason strings beside the codes."""
    authentication_method: str | None


def read_connect(data: bytes, begin: int, end: int) -> Connect:
    """Raises `MqttFault`: `UNSUPPORTED_PROTOCOL` for a version of MQTT that is not spoken here."""
    fields = Fields(data, begin, end)
    name, level = fields.binary(), fields.number(1)
    if name not in {b"MQTT", b"MQIsdp"}:
        raise MqttFault(Reason.PROTOCOL_ERROR, "this is not MQTT")
    if name != b"MQTT" or level not in {MQTT_3_1_1, MQTT_5}:
        raise MqttFault(Reason.UNSUPPORTED_PROTOCOL, "MQTT 3.1.1 and 5 are spoken here")
    flags, keep_alive_s = fields.number(1), fields.number(2)
    _check_connect_flags(flags, level)
    properties = fields.properties(_OF_CONNECT) if level == MQTT_5 else Properties()
    client_id = fields.text()
    if flags & 0x04:
        if level == MQTT_5:
            fields.properties(_OF_WILL)
        fields.text()
        fields.binary()
    if flags & 0x80:
        fields.text()
    password = fields.binary() if flags & 0x40 else None
    fields.end()
    numbers = properties.numbers
    return Connect(
        level=level,
        client_id=client_id,
        clean=bool(flags & 0x02),
        keep_alive_s=keep_alive_s,
        password=password,
        session_expiry_s=numbers.get(Property.SESSION_EXPIRY, 0),
        packet_bytes_max=numbers.get(Property.PACKET_BYTES_MAX),
        problem_information=numbers.get(Property.REQUEST_PROBLEM_INFORMATION, 1) == 1,
        authentication_method=properties.texts.get(Property.AUTHENTICATION_METHOD),
    )


def level_of(data: bytes, begin: int, end: int) -> int:
    """The version that a CONNECT names, however broken the rest is; 3.1.1 where it names none."""
    name_ends = begin + 2 + int.from_bytes(data[begin : begin + 2])
    return data[name_ends] if name_ends < min(end, len(data)) else MQTT_3_1_1


def _check_connect_flags(flags: int, level: int) -> None:
    will, will_qos, will_retain = flags & 0x04, flags >> 3 & 0x03, flags & 0x20
    if flags & 0x01:
        raise MqttFault(Reason.MALFORMED, "the reserved flag of CONNECT is set")
    if will_qos == 3 or (not will and (will_qos or will_retain)):
        raise MqttFault(Reason.MALFORMED, "the will's flags contradict each other")
    if level == MQTT_3_1_1 and flags & 0xC0 == 0x40:
        raise MqttFault(Reason.MALFORMED, "a password without a user name")


class Publish(msgspec.Struct, frozen=True, gc=False):
    topic: bytes
    packet_id: int
    """0 at QoS 0."""
    alias: int
    """0 for none."""
    payload: bytes


def read_publish(data: bytes, begin: int, end: int, qos: int, level: int) -> Publish:
    """The topic as it stands there: `topic_of` checks it. Raises `MqttFault`."""
    at = begin + 2 + (data[begin] << 8 | data[begin + 1] if end - begin >= 2 else end)
    topic = data[begin + 2 : at]
    packet_id = alias = 0
    if qos:
        packet_id = int.from_bytes(data[at : at + 2])
        at += 2
    if at > end:
        raise MqttFault(Reason.MALFORMED, "a field is longer than its packet")
    if qos and not packet_id:
        raise MqttFault(Reason.PROTOCOL_ERROR, "packet identifier 0")
    if level == MQTT_5:
        if at < end and not data[at]:
            at += 1
        else:
            fields = Fields(data, at, end)
            numbers = fields.properties(_OF_PUBLISH).numbers
            at = end - fields.left
            alias = numbers.get(Property.TOPIC_ALIAS, 0)
            if not alias and Property.TOPIC_ALIAS in numbers:
                raise MqttFault(Reason.TOPIC_ALIAS_INVALID, "topic alias 0")
    return Publish(topic, packet_id, alias, data[at:end])


def read_release(data: bytes, begin: int, end: int, level: int) -> int:
    """The packet identifier of a PUBREL."""
    fields = Fields(data, begin, end)
    packet_id = fields.packet_id()
    if level == MQTT_5 and fields.left:
        fields.number(1)
        if fields.left:
            fields.properties(_OF_ACKNOWLEDGEMENT)
    fields.end()
    return packet_id


def read_filters(data: bytes, begin: int, end: int, kind: Kind, level: int) -> tuple[int, int]:
    """The packet identifier of a SUBSCRIBE or UNSUBSCRIBE, and how many filters it names."""
    fields = Fields(data, begin, end)
    packet_id = fields.packet_id()
    subscribes = kind is Kind.SUBSCRIBE
    if level == MQTT_5:
        fields.properties(_OF_SUBSCRIBE if subscribes else _OF_UNSUBSCRIBE)
    filters = 0
    while fields.left:
        text_of(fields.binary())
        filters += 1
        if subscribes:
            _check_options(fields.number(1), level)
    if not filters:
        raise MqttFault(Reason.PROTOCOL_ERROR, f"{kind.name} without a topic filter")
    return packet_id, filters


def _check_options(options: int, level: int) -> None:
    if options & 0x03 == 3 or options >> 6 or (level == MQTT_3_1_1 and options >> 2):
        raise MqttFault(Reason.MALFORMED, "a subscription has options that do not exist")
    if options >> 4 & 0x03 == 3:
        raise MqttFault(Reason.PROTOCOL_ERROR, "retain handling 3 does not exist")


def check_disconnect(data: bytes, begin: int, end: int, level: int) -> None:
    """Raises `MqttFault` when it is none."""
    fields = Fields(data, begin, end)
    if level == MQTT_5 and fields.left:
        fields.number(1)
        if fields.left:
            fields.properties(_OF_DISCONNECT)
    fields.end()


_OF_CONNECT = frozenset(
    {
        Property.SESSION_EXPIRY,
        Property.AUTHENTICATION_METHOD,
        Property.AUTHENTICATION_DATA,
        Property.REQUEST_PROBLEM_INFORMATION,
        Property.REQUEST_RESPONSE_INFORMATION,
        Property.RECEIVE_MAXIMUM,
        Property.TOPIC_ALIAS_MAXIMUM,
        Property.USER_PROPERTY,
        Property.PACKET_BYTES_MAX,
    }
)
_OF_MESSAGE = frozenset(
    {
        Property.PAYLOAD_FORMAT,
        Property.MESSAGE_EXPIRY,
        Property.CONTENT_TYPE,
        Property.RESPONSE_TOPIC,
        Property.CORRELATION_DATA,
        Property.USER_PROPERTY,
    }
)
_OF_WILL = _OF_MESSAGE | {Property.WILL_DELAY}
_OF_PUBLISH = _OF_MESSAGE | {Property.TOPIC_ALIAS}
_OF_ACKNOWLEDGEMENT = frozenset({Property.REASON_STRING, Property.USER_PROPERTY})
_OF_SUBSCRIBE = frozenset({Property.SUBSCRIPTION_ID, Property.USER_PROPERTY})
_OF_UNSUBSCRIBE = frozenset({Property.USER_PROPERTY})
_OF_DISCONNECT = _OF_ACKNOWLEDGEMENT | {Property.SESSION_EXPIRY}
