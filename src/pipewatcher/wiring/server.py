"""uvicorn with a second door: one socket speaks plainly, another TLS with our certificate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass

import uvicorn

from pipewatcher.tls import Certificate

HANDSHAKE_S = 10.0
GOODBYE_S = 5.0


@dataclass(frozen=True, slots=True)
class TlsDoor:
    socket: socket.socket
    certificate: Certificate


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tls: TlsDoor | None) -> None:
        super().__init__(config)
        self._tls = tls

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Signals are ours: uvicorn would raise them once more after its shutdown."""
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._tls is None:
            return
        server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=self._tls.socket,
            ssl=self._tls.certificate.context,
            backlog=self.config.backlog,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=GOODBYE_S,
        )
        self.servers.append(server)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
