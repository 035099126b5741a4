"""What MQTT packets are made of: reason codes, numbers, texts and the properties of version 5."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

PROPERTIES_BYTES_MAX = 8_192
"""Of one packet. We read few of them, and each costs time."""


class Reason(IntEnum):
    """Reason codes of MQTT 5, by the names of its section 2.4."""

    SUCCESS = 0x00
    NO_SUBSCRIPTION_EXISTED = 0x11
    UNSPECIFIED = 0x80
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC = 0x83
    UNSUPPORTED_PROTOCOL = 0x84
    CLIENT_ID_NOT_VALID = 0x85
    BAD_CREDENTIALS = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    TAKEN_OVER = 0x8E
    TOPIC_NAME_INVALID = 0x90
    PACKET_ID_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_INVALID = 0x99


class MqttFault(Exception):
    """After this packet the connection cannot go on."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Property(IntEnum):
    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_ID = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    PACKET_BYTES_MAX = 0x27
    WILDCARDS_AVAILABLE = 0x28
    SUBSCRIPTION_IDS_AVAILABLE = 0x29
    SHARED_SUBSCRIPTIONS_AVAILABLE = 0x2A


@dataclass(slots=True)
class Properties:
    """Those of one packet; user properties and binary data are read over."""

    numbers: dict[Property, int] = field(default_factory=dict)
    texts: dict[Property, str] = field(default_factory=dict)


class Fields:
    """Takes a packet's fields one after the other; `MqttFault` where one does not fit in it."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self._data = data
        self._at = begin
        self._end = end

    @property
    def left(self) -> int:
        return self._end - self._at

    def take(self, size: int) -> bytes:
        at = self._at
        if size > self._end - at:
            raise MqttFault(Reason.MALFORMED, "a field is longer than its packet")
        self._at = at + size
        return self._data[at : at + size]

    def number(self, size: int) -> int:
        """Of `size` bytes."""
        return int.from_bytes(self.take(size))

    def variable_number(self) -> int:
        number = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise MqttFault(Reason.MALFORMED, "a variable number has more than 4 bytes")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        return text_of(self.binary())

    def packet_id(self) -> int:
        number = self.number(2)
        if not number:
            raise MqttFault(Reason.PROTOCOL_ERROR, "packet identifier 0")
        return number

    def rest(self) -> bytes:
        return self.take(self.left)

    def properties(self, allowed: frozenset[Property]) -> Properties:
        size = self.variable_number()
        if size > PROPERTIES_BYTES_MAX:
            raise MqttFault(
                Reason.PACKET_TOO_LARGE, f"more than {PROPERTIES_BYTES_MAX} bytes of properties"
            )
        found = Properties()
        if size:
            at = self._at
            self.take(size)
            _read(Fields(self._data, at, at + size), allowed, found)
        return found

    def end(self) -> None:
        """Says that no field is left."""
        if self.left:
            raise MqttFault(Reason.MALFORMED, "something follows the packet's last field")


def text_of(raw: bytes) -> str:
    """Raises `MqttFault` for what MQTT takes for no text."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise MqttFault(Reason.MALFORMED, "a text is not UTF-8") from None
    if "\0" in text:
        raise MqttFault(Reason.MALFORMED, "a text holds U+0000")
    return text


def topic_of(raw: bytes) -> str:
    """The name of a topic that is published to. Raises `MqttFault`."""
    topic = text_of(raw)
    if _WILDCARD.search(topic):
        raise MqttFault(Reason.TOPIC_NAME_INVALID, "a topic to publish to has no + and #")
    return topic


def variable(number: int) -> bytes:
    """A number as `variable_number` reads it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def sized(raw: bytes) -> bytes:
    """A text or binary field as `binary` reads it."""
    return len(raw).to_bytes(2) + raw


def properties_bytes(numbers: dict[Property, int], texts: dict[Property, str]) -> bytes:
    """With their length in front, as `properties` reads them."""
    parts = [
        bytes([name]) + (variable(number) if name in _VARIABLE else number.to_bytes(_NUMBERS[name]))
        for name, number in numbers.items()
    ]
    parts += [bytes([name]) + sized(text.encode()) for name, text in texts.items()]
    body = b"".join(parts)
    return variable(len(body)) + body


_WILDCARD = re.compile(r"[+#]")

_NUMBERS = {
    Property.PAYLOAD_FORMAT: 1,
    Property.MESSAGE_EXPIRY: 4,
    Property.SESSION_EXPIRY: 4,
    Property.SERVER_KEEP_ALIVE: 2,
    Property.REQUEST_PROBLEM_INFORMATION: 1,
    Property.WILL_DELAY: 4,
    Property.REQUEST_RESPONSE_INFORMATION: 1,
    Property.RECEIVE_MAXIMUM: 2,
    Property.TOPIC_ALIAS_MAXIMUM: 2,
    Property.TOPIC_ALIAS: 2,
    Property.MAXIMUM_QOS: 1,
    Property.RETAIN_AVAILABLE: 1,
    Property.PACKET_BYTES_MAX: 4,
    Property.WILDCARDS_AVAILABLE: 1,
    Property.SUBSCRIPTION_IDS_AVAILABLE: 1,
    Property.SHARED_SUBSCRIPTIONS_AVAILABLE: 1,
}
"""Bytes of each."""
_VARIABLE = {Property.SUBSCRIPTION_ID}
_FLAGS = {number for number, size in _NUMBERS.items() if size == 1}
_NEVER_ZERO = {Property.SUBSCRIPTION_ID, Property.RECEIVE_MAXIMUM, Property.PACKET_BYTES_MAX}
_BINARY = {Property.CORRELATION_DATA, Property.AUTHENTICATION_DATA}


def _read(fields: Fields, allowed: frozenset[Property], found: Properties) -> None:
    seen: set[Property] = set()
    while fields.left:
        try:
            name = Property(fields.variable_number())
        except ValueError:
            raise MqttFault(Reason.MALFORMED, "there is no such property") from None
        if name not in allowed:
            raise MqttFault(Reason.PROTOCOL_ERROR, f"{name.name} does not belong here")
        if name is Property.USER_PROPERTY:
            fields.text()
            fields.text()
            continue
        if name in seen:
            raise MqttFault(Reason.PROTOCOL_ERROR, f"{name.name} is given more than once")
        seen.add(name)
        if name in _BINARY:
            fields.binary()
        elif name in _NUMBERS or name in _VARIABLE:
            number = fields.variable_number() if name in _VARIABLE else _number(fields, name)
            if not number and name in _NEVER_ZERO:
                raise MqttFault(Reason.PROTOCOL_ERROR, f"{name.name} must not be 0")
            found.numbers[name] = number
        else:
            found.texts[name] = fields.text()


def _number(fields: Fields, name: Property) -> int:
    number = fields.number(_NUMBERS[name])
    if number > 1 and name in _FLAGS:
        raise MqttFault(Reason.PROTOCOL_ERROR, f"{name.name} must be 0 or 1")
    return number
