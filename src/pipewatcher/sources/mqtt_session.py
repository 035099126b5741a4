"""What a publisher's packets mean once it is connected: QoS, acknowledgements, aliases.

A PUBACK or PUBREC is due once the readings are durable, in the order of the messages. The session
ends with its connection (session present is always 0). That is safe: a message that is sent
again after a reconnect holds the same readings, and those are stored once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from pipewatcher.errors import (
    Busy,
    CommitLogUnavailable,
    Forbidden,
    PipeWatcherError,
    Stopping,
    Unauthorized,
)
from pipewatcher.model.readings import Rejection
from pipewatcher.sources.mqtt_answers import PINGRESP, acknowledgement, negative, no_subscription
from pipewatcher.sources.mqtt_door import Door
from pipewatcher.sources.mqtt_ingest import Sender
from pipewatcher.sources.mqtt_packets import (
    MQTT_5,
    Connect,
    Kind,
    Publish,
    read_filters,
    read_publish,
    read_release,
)
from pipewatcher.sources.mqtt_payload import Parsed
from pipewatcher.sources.mqtt_wire import MqttFault, Reason
from pipewatcher.validate import CODE_NOT_ALLOWED

REFUSALS_TOLD_MAX = 5
NO_SUBSCRIPTIONS = "PipeWatcher takes readings; it publishes nothing."

_NOTHING: Final = b""
_AGAIN: Final = b"send it again"
"""In the place of an answer: 3.1.1 has none that says so but the end of the connection."""


class PacketIds:
    """A set of packet identifiers that takes no more room for many than for few."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(65_536 // 8)

    def __contains__(self, packet_id: int) -> bool:
        return bool(self._bits[packet_id >> 3] >> (packet_id & 7) & 1)

    def add(self, packet_id: int) -> None:
        self._bits[packet_id >> 3] |= 1 << (packet_id & 7)

    def discard(self, packet_id: int) -> None:
        self._bits[packet_id >> 3] &= ~(1 << (packet_id & 7))


class _Message:
    """A PUBLISH from when it is read until its answer is written."""

    __slots__ = (
        "_session",
        "answer",
        "held",
        "packet_id",
        "payload",
        "qos",
        "refused",
        "sender",
        "topic",
    )

    def __init__(self, session: Session, topic: str, payload: bytes, qos: int, packet_id: int):
        self._session = session
        self.sender = session.sender
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.packet_id = packet_id
        self.refused: Parsed | None = None
        self.held = False
        self.answer: bytes | None = None
        """None while it is not settled."""

    def settled(self, error: PipeWatcherError | None) -> None:
        self._session.settle(self, error)


class Session:
    """Used from one event loop; `wake` is called whenever answers may be due."""

    __slots__ = (
        "_aliases",
        "_door",
        "_inflight",
        "_level",
        "_out",
        "_packet_bytes_max",
        "_problem_information",
        "_unreleased",
        "_unsettled",
        "_unsettled_ids",
        "_wake",
        "broken",
        "over",
        "sender",
    )

    def __init__(
        self, door: Door, sender: Sender, connect: Connect, wake: Callable[[], None]
    ) -> None:
        self.sender = sender
        self.over = False
        """Set when the connection has ended: nothing is answered any more."""
        self.broken = False
        """Set by `due` when a message can only be asked for again by closing the connection."""
        self._door = door
        self._wake = wake
        self._level = connect.level
        self._packet_bytes_max = connect.packet_bytes_max
        self._problem_information = connect.problem_information
        self._unsettled: deque[_Message] = deque()
        self._unreleased: PacketIds | None = None
        self._unsettled_ids: set[int] = set()
        """Of QoS 2, to know those in `_unreleased` whose answer is still to come."""
        self._inflight = 0
        self._aliases: dict[int, str] | None = None
        self._out: list[bytes] = []

    @property
    def unsettled(self) -> int:
        """Messages whose answer is not written."""
        return len(self._unsettled)

    def due(self) -> bytes:
        """The answers that may be written now, in their order."""
        out, unsettled = self._out, self._unsettled
        while unsettled and (answer := unsettled[0].answer) is not None:
            if answer is _AGAIN:
                self.broken = True
                break
            if unsettled.popleft().qos == 1:
                self._inflight -= 1
            out.append(answer)
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)

    # ---- packets; each raises `MqttFault`

    def publish(self, first: int, data: bytes, begin: int, end: int) -> None:
        qos = first >> 1 & 0x03
        if qos == 3 or (first & 0x08 and not qos):
            raise MqttFault(Reason.MALFORMED, "PUBLISH has flags that contradict each other")
        publish = read_publish(data, begin, end, qos, self._level)
        topic = self._topic(publish)
        self._door.counts.messages[qos] += 1
        if qos:
            if qos == 2 and self._is_repeated(publish.packet_id):
                return
            self._inflight += 1
            if self._level == MQTT_5 and self._inflight > self._door.limits.receive_maximum:
                raise MqttFault(
                    Reason.RECEIVE_MAXIMUM_EXCEEDED, "more messages than the receive maximum"
                )
        message = _Message(self, topic, publish.payload, qos, publish.packet_id)
        self._unsettled.append(message)
        ingest = self._door.ingest
        try:
            ingest.intake.hold(len(publish.payload))
            message.held = True
            ingest.take(message)
        except (Unauthorized, Forbidden) as error:
            self._unsettled.pop()
            self._release(message)
            raise MqttFault(Reason.NOT_AUTHORIZED, error.detail) from None
        except Busy as error:
            self.settle(message, error)

    def release(self, data: bytes, begin: int, end: int) -> None:
        """PUBREL: the identifier may be used for another message."""
        packet_id = read_release(data, begin, end, self._level)
        known = self._unreleased
        if known is not None and packet_id in known:
            known.discard(packet_id)
            self._inflight -= 1
        elif self._level == MQTT_5:
            text = self._text("There is no message with this identifier.")
            most = self._packet_bytes_max
            self._say(negative(Kind.PUBCOMP, packet_id, Reason.PACKET_ID_NOT_FOUND, text, most))
            return
        self._say(acknowledgement(Kind.PUBCOMP, packet_id))

    def subscribe(self, kind: Kind, data: bytes, begin: int, end: int) -> None:
        """SUBSCRIBE or UNSUBSCRIBE."""
        packet_id, filters = read_filters(data, begin, end, kind, self._level)
        text = self._text(NO_SUBSCRIPTIONS)
        self._say(no_subscription(kind, self._level, packet_id, filters, text))

    def ping(self) -> None:
        self._say(PINGRESP)

    # ---- messages

    def settle(self, message: _Message, error: PipeWatcherError | None) -> None:
        self._release(message)
        if message.qos == 2:
            self._unsettled_ids.discard(message.packet_id)
        if error is None and message.refused is None:
            message.answer = _good(message)
        elif message.qos and self._level == MQTT_5:
            message.answer = self._bad(message, error)
        elif message.qos and error is not None:
            message.answer = _AGAIN
        else:
            self._door.ingest.bury(message, error)
            message.answer = _good(message)
        if not self.over:
            self._wake()

    def _bad(self, message: _Message, error: PipeWatcherError | None) -> bytes:
        reason, text = _why(message, error)
        kind = Kind.PUBACK
        if message.qos == 2:
            kind = Kind.PUBREC
            # There is no PUBREL after a PUBREC that says no; one may have come too early.
            known = self._unreleased
            if known is not None and message.packet_id in known:
                known.discard(message.packet_id)
                self._inflight -= 1
        return negative(kind, message.packet_id, reason, self._text(text), self._packet_bytes_max)

    def _topic(self, publish: Publish) -> str:
        if not publish.alias:
            if not publish.topic:
                raise MqttFault(Reason.PROTOCOL_ERROR, "PUBLISH has neither topic nor alias")
            return self._door.topic(publish.topic)
        if publish.alias > self._door.limits.topic_aliases_max:
            raise MqttFault(Reason.TOPIC_ALIAS_INVALID, "the alias is above the maximum")
        if self._aliases is None:
            self._aliases = {}
        if publish.topic:
            self._aliases[publish.alias] = self._door.topic(publish.topic)
        topic = self._aliases.get(publish.alias)
        if topic is None:
            raise MqttFault(Reason.PROTOCOL_ERROR, "the alias stands for no topic")
        return topic

    def _is_repeated(self, packet_id: int) -> bool:
        """Whether a message of QoS 2 was taken already; then its answer comes, or comes again."""
        known = self._unreleased
        if known is None:
            known = self._unreleased = PacketIds()
        if packet_id not in known:
            known.add(packet_id)
            self._unsettled_ids.add(packet_id)
            return False
        if packet_id not in self._unsettled_ids:
            self._say(acknowledgement(Kind.PUBREC, packet_id))
        return True

    def _release(self, message: _Message) -> None:
        if message.held:
            message.held = False
            self._door.ingest.intake.release(len(message.payload))

    def _say(self, answer: bytes) -> None:
        self._out.append(answer)
        self._wake()

    def _text(self, text: str) -> str:
        return text if self._problem_information else ""


def _good(message: _Message) -> bytes:
    if message.qos == 1:
        return acknowledgement(Kind.PUBACK, message.packet_id)
    if message.qos == 2:
        return acknowledgement(Kind.PUBREC, message.packet_id)
    return _NOTHING


def _why(message: _Message, error: PipeWatcherError | None) -> tuple[Reason, str]:
    if error is None:
        refused = message.refused
        assert refused is not None
        out_of_scope = refused.rejected_by_code.keys() == {CODE_NOT_ALLOWED}
        reason = Reason.NOT_AUTHORIZED if out_of_scope else Reason.PAYLOAD_INVALID
        return reason, _refusals(refused)
    if isinstance(error, Busy) and not isinstance(error, CommitLogUnavailable | Stopping):
        return Reason.QUOTA_EXCEEDED, error.detail
    return Reason.IMPLEMENTATION_SPECIFIC, error.detail


def _refusals(refused: Parsed) -> str:
    """What the sender has to mend, and where."""
    texts = [_refusal(rejection) for rejection in refused.rejections[:REFUSALS_TOLD_MAX]]
    unsaid = refused.rejected - len(texts)
    if unsaid > 0:
        texts.append(f"and {unsaid:,} more")
    if refused.batch is not None:
        texts.append(f"{len(refused.batch):,} of {refused.received:,} readings are stored")
    return "; ".join(texts)


def _refusal(rejection: Rejection) -> str:
    text = f"{rejection.field}: {rejection.reason}" if rejection.field else rejection.reason
    if rejection.line is not None:
        return f"line {rejection.line}: {text}"
    return text if rejection.index is None else f"item {rejection.index}: {text}"
