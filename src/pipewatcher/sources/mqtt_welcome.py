"""Who may connect to the MQTT listener, and what it is told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pipewatcher.errors import Busy, Forbidden, Unauthorized
from pipewatcher.sources.mqtt_answers import connack
from pipewatcher.sources.mqtt_door import Door
from pipewatcher.sources.mqtt_ingest import Sender
from pipewatcher.sources.mqtt_packets import MQTT_3_1_1, MQTT_5, Connect, level_of
from pipewatcher.sources.mqtt_wire import MqttFault, Property, Reason

CLIENT_ID_CHARS_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    sender: Sender
    connect: Connect
    keep_alive_s: int
    """0 for none."""
    answer: bytes


def answer_level(data: bytes, begin: int, end: int) -> int:
    """In which version a CONNECT is answered, whether it can be read or not."""
    return MQTT_5 if level_of(data, begin, end) >= MQTT_5 else MQTT_3_1_1


def refusal(level: int, reason: Reason, text: str) -> bytes:
    """The CONNACK that says no; nothing where the level is 0 or has no code for the reason."""
    answer = connack(level, reason, texts={Property.REASON_STRING: text}) if level else None
    return answer or b""


def welcome(door: Door, connect: Connect, *, over_limit: bool) -> Opened:
    """Raises `MqttFault` with what the CONNACK says."""
    if connect.authentication_method is not None:
        raise MqttFault(Reason.BAD_AUTHENTICATION_METHOD, "a token as password is the only method")
    client_id, assigned = connect.client_id, False
    if not client_id and (connect.level == MQTT_5 or connect.clean):
        client_id, assigned = f"pw-{secrets.token_hex(8)}", True
    if not 0 < len(client_id) <= CLIENT_ID_CHARS_MAX:
        raise MqttFault(
            Reason.CLIENT_ID_NOT_VALID, f"a client id has 1 to {CLIENT_ID_CHARS_MAX} characters"
        )
    try:
        sender = door.ingest.sign_in(connect.password, client_id)
        if over_limit:
            raise Busy("Too many connections are open at the moment.")
        door.ingest.intake.admit()
    except Unauthorized:
        raise MqttFault(Reason.BAD_CREDENTIALS, "a valid token is required as password") from None
    except Forbidden as error:
        raise MqttFault(Reason.NOT_AUTHORIZED, error.detail) from None
    except Busy as error:
        raise MqttFault(Reason.SERVER_BUSY, error.detail) from None
    return _opened(door, connect, sender, assigned=assigned)


def _opened(door: Door, connect: Connect, sender: Sender, *, assigned: bool) -> Opened:
    limits = door.limits
    keep_alive_s = connect.keep_alive_s
    numbers = {
        Property.RECEIVE_MAXIMUM: limits.receive_maximum,
        Property.PACKET_BYTES_MAX: limits.packet_bytes_max,
        Property.TOPIC_ALIAS_MAXIMUM: limits.topic_aliases_max,
        Property.WILDCARDS_AVAILABLE: 0,
        Property.SUBSCRIPTION_IDS_AVAILABLE: 0,
        Property.SHARED_SUBSCRIPTIONS_AVAILABLE: 0,
    }
    if connect.session_expiry_s:
        numbers[Property.SESSION_EXPIRY] = 0
    if connect.level == MQTT_5 and not 0 < keep_alive_s <= limits.keep_alive_max_s:
        keep_alive_s = numbers[Property.SERVER_KEEP_ALIVE] = limits.keep_alive_max_s
    texts = {Property.ASSIGNED_CLIENT_ID: sender.client_id} if assigned else {}
    answer = connack(connect.level, Reason.SUCCESS, numbers, texts)
    assert answer is not None
    return Opened(sender=sender, connect=connect, keep_alive_s=keep_alive_s, answer=answer)
