"""The MQTT listener: PipeWatcher itself takes what publishers of MQTT 3.1.1 and 5 send.

It is no broker: a PUBACK means that the readings are durable here, and nobody can subscribe.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from pipewatcher.sources.mqtt_connection import MqttConnection
from pipewatcher.sources.mqtt_door import Counts, Door, Limits
from pipewatcher.sources.mqtt_ingest import Ingest

BACKLOG = 4_096
STOP_TIMEOUT_S = 10.0
TLS_HANDSHAKE_TIMEOUT_S = 20.0

_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""A peer that vanished is noticed within two minutes, whatever keep-alive it asked for."""


class MqttListener:
    """Used from one event loop; `open` once for each socket, `close` once."""

    def __init__(self, ingest: Ingest, limits: Limits | None = None) -> None:
        self._door = Door(ingest, limits or Limits())
        self._servers: list[asyncio.Server] = []

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._door.connections)

    @property
    def counts(self) -> Counts:
        return self._door.counts

    @property
    def accepting(self) -> bool:
        """Whether every socket that was opened still accepts."""
        return all(server.is_serving() for server in self._servers)

    async def open(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Takes over a bound socket."""
        loop = asyncio.get_running_loop()
        self._door.open(loop)
        _probe(listening)
        self._servers.append(
            await loop.create_server(
                lambda: MqttConnection(self._door),
                sock=listening,
                ssl=tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT_S if tls else None,
            )
        )

    async def close(self) -> None:
        """Accepts nothing more; what was read is answered first, then senders are told."""
        for server in self._servers:
            server.close()
        for connection in list(self._door.connections):
            connection.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._door.emptied()
        for connection in list(self._door.connections):
            connection.abort()
        await asyncio.gather(*(server.wait_closed() for server in self._servers))


def _probe(listening: socket.socket) -> None:
    """Connections inherit it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, number in _PROBES.items():
        option = getattr(socket, name, None)
        if option is not None:
            listening.setsockopt(socket.IPPROTO_TCP, option, number)
