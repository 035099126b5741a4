"""What is answered to an MQTT publisher, as bytes."""

from __future__ import annotations

import struct

from pipewatcher.sources.mqtt_packets import MQTT_5, Kind
from pipewatcher.sources.mqtt_wire import Property, Reason, properties_bytes, variable

REASON_STRING_CHARS_MAX = 1_024

PINGRESP = bytes([Kind.PINGRESP << 4, 0])

_CONNACK_3_1_1 = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_PROTOCOL: 1,
    Reason.CLIENT_ID_NOT_VALID: 2,
    Reason.SERVER_UNAVAILABLE: 3,
    Reason.SERVER_BUSY: 3,
    Reason.QUOTA_EXCEEDED: 3,
    Reason.BAD_CREDENTIALS: 4,
    Reason.NOT_AUTHORIZED: 5,
}

_acknowledgement = struct.Struct(">BBH").pack


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + variable(len(body)) + body


def connack(
    level: int,
    reason: Reason,
    numbers: dict[Property, int] | None = None,
    texts: dict[Property, str] | None = None,
) -> bytes | None:
    """Never with a session present. None for a refusal that 3.1.1 has no code for."""
    if level == MQTT_5:
        properties = properties_bytes(numbers or {}, texts or {})
        return packet(Kind.CONNACK << 4, bytes([0, reason]) + properties)
    code = _CONNACK_3_1_1.get(reason)
    return None if code is None else bytes([Kind.CONNACK << 4, 2, 0, code])


def acknowledgement(kind: Kind, packet_id: int) -> bytes:
    """PUBACK, PUBREC or PUBCOMP: it went well."""
    return _acknowledgement(kind << 4, 2, packet_id)


def negative(
    kind: Kind, packet_id: int, reason: Reason, text: str, packet_bytes_max: int | None
) -> bytes:
    """The same when it did not go well, as only MQTT 5 can say it; without its text where the
    sender takes no packet of that size, or no text at all (`text` empty)."""
    head = packet_id.to_bytes(2) + bytes([reason])
    bare = packet(kind << 4, head)
    if not text:
        return bare
    properties = properties_bytes({}, {Property.REASON_STRING: text[:REASON_STRING_CHARS_MAX]})
    whole = packet(kind << 4, head + properties)
    return whole if packet_bytes_max is None or len(whole) <= packet_bytes_max else bare


def no_subscription(kind: Kind, level: int, packet_id: int, filters: int, text: str) -> bytes:
    """To a SUBSCRIBE: no to each filter; to an UNSUBSCRIBE: there was no subscription."""
    body = packet_id.to_bytes(2)
    if level == MQTT_5:
        refused = Reason.IMPLEMENTATION_SPECIFIC
        if kind is Kind.UNSUBSCRIBE:
            refused = Reason.NO_SUBSCRIPTION_EXISTED
        body += properties_bytes({}, {Property.REASON_STRING: text} if text else {})
        body += bytes([refused]) * filters
    elif kind is Kind.SUBSCRIBE:
        body += b"\x80" * filters
    answer = Kind.SUBACK if kind is Kind.SUBSCRIBE else Kind.UNSUBACK
    return packet(answer << 4, body)


def disconnect(reason: Reason, text: str, packet_bytes_max: int | None) -> bytes:
    """As MQTT 5 has it; 3.1.1 knows no such packet from a server."""
    bare = packet(Kind.DISCONNECT << 4, bytes([reason]))
    if not text:
        return bare
    properties = properties_bytes({}, {Property.REASON_STRING: text[:REASON_STRING_CHARS_MAX]})
    whole = packet(Kind.DISCONNECT << 4, bytes([reason]) + properties)
    return whole if packet_bytes_max is None or len(whole) <= packet_bytes_max else bare
