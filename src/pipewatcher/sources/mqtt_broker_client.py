"""One connection to a broker, by gmqtt: a message is acknowledged when its handler has ended.

gmqtt acknowledges first by default and reconnects on its own; both are turned off here. A lost
connection is never used again: what an old one would still acknowledge has other packet ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import gmqtt
from gmqtt.mqtt.constants import MQTTv50
from gmqtt.mqtt.handler import MQTTConnectError

from pipewatcher.errors import Busy, PipeWatcherError, SettingsError
from pipewatcher.sources.mqtt_broker_url import SETTING, BrokerTarget

CONNECT_TIMEOUT_S = 10.0
HANG_UP_S = 0.2
KEEPALIVE_S = 20
"""A broker that says nothing for twice as long is gone."""
SESSION_EXPIRY_S = 30 * 86_400
"""How long the broker keeps messages for a gateway that is away."""
PACKET_BYTES_MAX = 16 * 2**20 + 65_536

OnMessage: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Topic and payload. When it returns the message is acknowledged; it raises nothing."""

_NEVER_RETRY = -2
"""More failures than this were always made, so gmqtt never reconnects; 0 would, after a loss."""
_SIGN_IN = frozenset({4, 5, 134, 135})
_VERSION = frozenset({1, 132})
_REFUSED = 0x80

logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # it writes payloads and tracebacks


class BrokerAway(Busy):
    """The MQTT broker cannot be reached at the moment."""

    code = "mqtt_broker_away"
    retry_after_s = 5


class BrokerConnection:
    """`lost` is set when it has ended, whoever ended it."""

    def __init__(
        self,
        target: BrokerTarget,
        client_id: str,
        on_message: OnMessage,
        *,
        inflight_max: int,
        keep_session: bool = True,
    ) -> None:
        self.lost = asyncio.Event()
        self._target = target
        self._subscribed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._client = gmqtt.Client(
            client_id,
            clean_session=not keep_session,
            optimistic_acknowledgement=False,
            session_expiry_interval=SESSION_EXPIRY_S if keep_session else 0,
            receive_maximum=inflight_max,
            maximum_packet_size=PACKET_BYTES_MAX,
        )
        self._client.set_config({"reconnect_retries": _NEVER_RETRY})
        if target.user is not None:
            self._client.set_auth_credentials(target.user, target.password)

        async def message(
            _client: object, topic: str | bytes, payload: bytes, _qos: int, _properties: object
        ) -> int:
            text = topic.decode("utf-8", "replace") if isinstance(topic, bytes) else topic
            await on_message(text, bytes(payload))
            return 0

        self._client.on_message = message
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe

    async def open(self, subscription: str) -> None:
        """Connected and subscribed when it returns: messages may have come already.

        Raises `SettingsError` for what only a person can mend, else `BrokerAway`.
        """
        target = self._target
        tls: ssl.SSLContext | None = target.tls_context()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._connect(tls)
                # At QoS 1 nothing is lost, and at QoS 2 nothing would be gained: a reading that
                # comes twice is stored once. Retained messages are old: they are not sent again.
                asked = gmqtt.Subscription(subscription, qos=1, retain_handling_options=2)
                self._client.subscribe([asked])
                granted = await self._subscribed
        except (TimeoutError, OSError, MQTTConnectError, ssl.SSLError) as error:
            await self.close()
            raise _why(target, error) from error
        except BaseException:
            await self.close()
            raise
        if granted >= _REFUSED:
            await self.close()
            raise SettingsError(
                f"{SETTING}: {target.name}: the broker does not let this user subscribe to "
                f"{subscription}.",
                hint="Give the user the right to read these topics in the broker's ACL."
                if granted == 135
                else "The broker may not know shared subscriptions, or forbids this filter.",
            )

    async def _connect(self, tls: ssl.SSLContext | None) -> None:
        """gmqtt alone would wait for ever for a broker that hangs up instead of answering."""
        connecting = asyncio.ensure_future(
            self._client.connect(
                self._target.host,
                self._target.port,
                ssl=tls or False,
                keepalive=KEEPALIVE_S,
                version=MQTTv50,
            )
        )
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait({connecting, lost}, return_when=asyncio.FIRST_COMPLETED)
            # A refusal is told just before the broker hangs up.
            await asyncio.wait({connecting}, timeout=HANG_UP_S)
            if not connecting.done():
                raise ConnectionResetError("The broker hung up.")
            await connecting
        finally:
            connecting.cancel()
            lost.cancel()
            await asyncio.gather(connecting, lost, return_exceptions=True)

    async def close(self) -> None:
        """After it nothing is acknowledged any more: the broker sends it again. Harmless twice."""
        self.lost.set()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await self._client.disconnect()

    def _on_disconnect(self, _client: object, *_: Any) -> None:
        self.lost.set()
        if not self._subscribed.done():
            self._subscribed.set_exception(ConnectionResetError("closed by the broker"))
            self._subscribed.exception()  # looked at, even where nobody waits for it yet

    def _on_subscribe(self, _client: object, _mid: int, granted: tuple[int, ...], _: Any) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(granted[0] if granted else _REFUSED)


def _why(target: BrokerTarget, error: BaseException) -> PipeWatcherError:
    """Never quotes what may hold the password."""
    where = f"{SETTING}: {target.name}"
    if isinstance(error, MQTTConnectError):
        code = error._code  # noqa: SLF001 - gmqtt tells it nowhere else
        if code in _SIGN_IN:
            return SettingsError(
                f"{where}: the broker does not let this user in.", hint="Check user and password."
            )
        if code in _VERSION:
            return SettingsError(f"{where}: the broker does not speak MQTT 5.")
        return BrokerAway(f"{where}: the broker refuses the connection (code {code}).")
    if isinstance(error, ssl.SSLCertVerificationError):
        return SettingsError(
            f"{where}: the broker's certificate is not trusted, or is not for this host.",
            hint="Name the authority that signed it with ?ca=/path/ca.pem, and the host as the "
            "certificate does.",
        )
    if isinstance(error, ssl.SSLError):
        return SettingsError(
            f"{where}: the broker speaks no TLS on this port.", hint="Use mqtt://, or its TLS port."
        )
    if isinstance(error, ConnectionResetError):
        hint = "Use mqtt://, or its TLS port." if target.tls else "It may want mqtts://."
        return BrokerAway(f"{where}: what listens there hangs up at once.", hint=hint)
    return BrokerAway(f"{where}: no MQTT broker answers there.")


async def check_broker(target: BrokerTarget, *, shared: bool) -> None:
    """Connects and subscribes as a gateway would, with a session that ends with it, and takes no
    message. Raises what `BrokerConnection.open` does."""

    async def nothing(_topic: str, _payload: bytes) -> None:
        await asyncio.sleep(CONNECT_TIMEOUT_S)  # never acknowledged: the broker keeps it

    subscription = target.subscription(shared=shared)
    if subscription.startswith("$share/"):
        # A group of its own: it must not take messages from the gateways.
        subscription = f"$share/pipewatcher-doctor/{subscription.split('/', 2)[2]}"
    connection = BrokerConnection(
        target, "pipewatcher-doctor", nothing, inflight_max=2, keep_session=False
    )
    await connection.open(subscription)
    await connection.close()
