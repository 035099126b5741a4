"""The MQTT listener: PipeWatcher itself takes what publishers of MQTT 3.1.1 and 5 send.

It is no broker: a PUBACK means that the readings are durable here, and nobody can subscribe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl

from pipewatcher.sources.mqtt_connection import MqttConnection
from pipewatcher.sources.mqtt_door import Counts, Door, Limits
from pipewatcher.sources.mqtt_ingest import Ingest

log = logging.getLogger(__name__)

BACKLOG = 4_096
STOP_TIMEOUT_S = 10.0
TLS_HANDSHAKE_TIMEOUT_S = 20.0

_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""A peer that vanished is noticed within two minutes, whatever keep-alive it asked for."""


class MqttListener:
    """Used from one event loop."""

    def __init__(self, ingest: Ingest, limits: Limits | None = None) -> None:
        self._door = Door(ingest, limits or Limits())
        self._servers: list[asyncio.Server] = []
        self.port: int | None = None
        """None while it is not open, as `tls_port`."""
        self.tls_port: int | None = None

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._door.connections)

    @property
    def counts(self) -> Counts:
        return self._door.counts

    @property
    def accepting(self) -> bool:
        """Whether every port that was opened still accepts."""
        return all(server.is_serving() for server in self._servers)

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """A port that cannot be had is a warning: a broker of the plant may hold it."""
        loop = asyncio.get_running_loop()
        self._door.open(loop)
        try:
            listening = _bound(host, port)
        except OSError as error:
            log.warning(
                "MQTT: cannot listen on %s:%d: %s; PIPEWATCHER_MQTT_%sPORT may be another, or off",
                host,
                port,
                error.strerror,
                "TLS_" if tls else "",
            )
            return
        server = await loop.create_server(
            lambda: MqttConnection(self._door),
            sock=listening,
            ssl=tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT_S if tls else None,
        )
        self._servers.append(server)
        taken = listening.getsockname()[1]
        if tls is None:
            self.port = taken
        else:
            self.tls_port = taken
        log.info("MQTT: listening on %s:%d%s", host, taken, " with TLS" if tls else "")

    def stop(self) -> None:
        """Accepts and reads nothing more; what was read is answered first, then senders are
        told."""
        for server in self._servers:
            server.close()
        for connection in list(self._door.connections):
            connection.stop()

    async def close(self) -> None:
        """`stop`, and returns once all have gone."""
        self.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._door.emptied()
        for connection in list(self._door.connections):
            connection.abort()
        await asyncio.gather(*(server.wait_closed() for server in self._servers))


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _probe(listening)
        listening.bind((host, port))
        # Another program's socket that was bound without listening is only noticed here.
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _probe(listening: socket.socket) -> None:
    """Connections inherit it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, number in _PROBES.items():
        option = getattr(socket, name, None)
        if option is not None:
            listening.setsockopt(socket.IPPROTO_TCP, option, number)
