"""A TCP proxy that delays, cuts, half-closes, swallows, or answers as an ailing server."""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum

CHUNK_BYTES = 65_536
ERROR_500 = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n"
    b'content-length: 18\r\nconnection: close\r\n\r\n{"error":"broken"}'
)


class Mode(Enum):
    PASS = "pass"
    DELAY = "delay"
    REFUSE = "refuse"
    """Nobody listens; what was open is reset."""
    BLACK_HOLE = "black hole"
    """Open, and silent both ways; what was swallowed never comes."""
    MUTE = "mute"
    """What is asked arrives, the answers do not."""
    ERROR_500 = "error 500"


class Proxy:
    """Before `127.0.0.1:target`. Of a mode that swallowed bytes nothing is left open after it."""

    def __init__(self, target: int, port: int) -> None:
        self.target = target
        self.port = port
        self.mode = Mode.PASS
        self.delay_s = 0.0
        self.struck = 0
        """Connections and pieces that a mode has met."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def set(self, mode: Mode) -> None:
        before, self.mode = self.mode, mode
        if mode is Mode.REFUSE:
            await self.stop()
        elif self._server is None:
            await self.start()
        if before in {Mode.BLACK_HOLE, Mode.MUTE} or mode is Mode.ERROR_500:
            self.cut()

    def cut(self) -> None:
        """Resets every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    def half_close(self) -> None:
        """Whoever connected is told that no more will come, and may go on to send."""
        for writer in list(self._open):
            if writer.can_write_eof() and not writer.is_closing():
                with contextlib.suppress(OSError):
                    writer.write_eof()
                    self.struck += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        back: asyncio.StreamWriter | None = None
        try:
            if self.mode is Mode.ERROR_500:
                await reader.read(CHUNK_BYTES)
                self.struck += 1
                writer.write(ERROR_500)
                await writer.drain()
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._open.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, back, asks=True))
                both.create_task(self._pass_on(there, writer, asks=False))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, back):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asks: bool
    ) -> None:
        while piece := await reader.read(CHUNK_BYTES):
            if self.mode is not Mode.PASS:
                self.struck += 1
            if self.mode is Mode.DELAY:
                await asyncio.sleep(self.delay_s)
            if self.mode is Mode.BLACK_HOLE or (self.mode is Mode.MUTE and not asks):
                continue
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
