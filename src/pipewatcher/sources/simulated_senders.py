"""How a simulated gateway sends what it has: over HTTP, or over MQTT 5 at QoS 1."""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from pipewatcher.errors import SettingsError
from pipewatcher.sources.mqtt_answers import packet
from pipewatcher.sources.mqtt_packets import MQTT_5, Kind
from pipewatcher.sources.mqtt_wire import Fields, MqttFault, Property, Reason, sized

HTTP_PATH = "/api/v1/readings"
MQTT_TOPIC = b"plant/readings"
MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
TIMEOUT_S = 30.0

_STORED = re.compile(r"([\d,]+) of [\d,]+ readings are stored")
_NAMES = {reason.value: reason.name for reason in Reason}
_OF_ACKNOWLEDGEMENT = frozenset({Property.REASON_STRING, Property.USER_PROPERTY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request."""

    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Readings, by the code of the answer: the sender has to change something."""
    again: str | None = None
    """Why it has to be sent again; nothing else counts then."""
    wait_s: float | None = None
    """How long to wait before, when the answer said so."""


class Sender(Protocol):
    """One connection of a gateway; makes it anew when it broke."""

    async def send(self, body: bytes, readings: int) -> Outcome: ...

    async def close(self) -> None: ...


def make_sender(url: str, token: str) -> Sender:
    """By the scheme of the URL: http, https, mqtt or mqtts. Raises `SettingsError`."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:
        return HttpSender(url, token)
    if parts.scheme in MQTT_PORTS and parts.hostname:
        port = parts.port or MQTT_PORTS[parts.scheme]
        return MqttSender(parts.hostname, port, token, tls=parts.scheme == "mqtts")
    raise SettingsError(f"{url} is no http://, https://, mqtt:// or mqtts:// address.")


class HttpSender:
    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/") + HTTP_PATH
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def send(self, body: bytes, readings: int) -> Outcome:
        try:
            answer = await self._client.post(self._url, content=body)
        except httpx.TransportError as error:
            return Outcome(again=type(error).__name__)
        if answer.status_code in {429, 503}:
            after = answer.headers.get("retry-after", "")
            wait_s = float(after) if after.isdigit() else None
            return Outcome(again=_code(answer), wait_s=wait_s)
        if answer.status_code == 204:
            return Outcome(acknowledged=readings)
        if answer.status_code not in {200, 207, 422}:
            return Outcome(refused=Counter({_code(answer): readings}))
        receipt = answer.json()
        accepted = receipt.get("accepted", 0)
        listed = Counter(error.get("code", "invalid_reading") for error in receipt["errors"])
        # A receipt lists its first 100 errors only.
        listed["not listed"] = readings - accepted - listed.total()
        return Outcome(acknowledged=accepted, refused=+listed)

    async def close(self) -> None:
        await self._client.aclose()


class MqttSender:
    """One message on the way at a time."""

    def __init__(self, host: str, port: int, token: str, *, tls: bool) -> None:
        self._address = (host, port)
        self._token = token
        self._tls = ssl.create_default_context() if tls else None
        self._client_id = f"simulated-{secrets.token_hex(6)}"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._packet_id = 0

    async def send(self, body: bytes, readings: int) -> Outcome:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reason, text = await self._publish(body)
        except (OSError, EOFError, MqttFault) as error:  # TimeoutError is an OSError
            await self.close()
            return Outcome(again=type(error).__name__)
        if reason < Reason.UNSPECIFIED:
            return Outcome(acknowledged=readings)
        name = _NAMES.get(reason, f"0x{reason:02x}")
        if reason == Reason.PAYLOAD_INVALID:
            found = _STORED.search(text)
            stored = int(found[1].replace(",", "")) if found else 0
            return Outcome(acknowledged=stored, refused=Counter({name: readings - stored}))
        if reason in {Reason.BAD_CREDENTIALS, Reason.NOT_AUTHORIZED}:
            return Outcome(refused=Counter({name: readings}))
        return Outcome(again=name)

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()

    async def _publish(self, body: bytes) -> tuple[int, str]:
        if self._streams is None:
            refusal = await self._connect()
            if refusal is not None:
                await self.close()
                return refusal
        assert self._streams is not None
        reader, writer = self._streams
        self._packet_id = self._packet_id % 65_535 + 1
        identifier = self._packet_id.to_bytes(2)
        writer.write(packet(Kind.PUBLISH << 4 | 2, sized(MQTT_TOPIC) + identifier + b"\0" + body))
        kind, answer = await _read(reader)
        fields = Fields(answer, 0, len(answer))
        if kind is not Kind.PUBACK or fields.number(2) != self._packet_id:
            raise ConnectionResetError
        return _reason(fields)

    async def _connect(self) -> tuple[int, str] | None:
        """None when we may send, else what we were told."""
        self._streams = await asyncio.open_connection(*self._address, ssl=self._tls)
        reader, writer = self._streams
        head = sized(b"MQTT") + bytes([MQTT_5, 0xC2, 0, 0, 0])
        texts = (self._client_id, "simulator", self._token)
        writer.write(
            packet(Kind.CONNECT << 4, head + b"".join(sized(text.encode()) for text in texts))
        )
        kind, answer = await _read(reader)
        if kind is not Kind.CONNACK or len(answer) < 2:
            raise ConnectionResetError
        return (answer[1], "") if answer[1] else None


async def _read(reader: asyncio.StreamReader) -> tuple[Kind, bytes]:
    first = (await reader.readexactly(1))[0]
    head = bytearray()
    while not head or head[-1] & 0x80:
        head += await reader.readexactly(1)
    length = Fields(bytes(head), 0, len(head)).variable_number()
    return Kind(first >> 4), await reader.readexactly(length)


def _reason(fields: Fields) -> tuple[int, str]:
    if not fields.left:
        return Reason.SUCCESS, ""
    reason = fields.number(1)
    texts = fields.properties(_OF_ACKNOWLEDGEMENT).texts if fields.left else {}
    return reason, texts.get(Property.REASON_STRING, "")


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)
