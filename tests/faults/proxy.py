"""A TCP proxy that delays, cuts, half-closes, swallows, or answers as an ailing server."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import re
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
    HALF_WRITTEN = "half written"
    """InfluxDB gets the first half of each write's lines, and we its error."""


AS_SERVER = frozenset({Mode.ERROR_500, Mode.HALF_WRITTEN})


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
        if before in {Mode.BLACK_HOLE, Mode.MUTE} or mode in AS_SERVER:
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
            if self.mode in AS_SERVER:
                await self._answer_500(reader, writer)
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._open.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, back, asks=True))
                both.create_task(self._pass_on(there, writer, asks=False))
        except (OSError, EOFError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, back):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _answer_500(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request is read, as a whole."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if self.mode is Mode.HALF_WRITTEN:
            if not head.startswith(b"POST /write?"):
                await self._passed_on_once(head + body, writer)
                return
            await self._half_written(head, body)
        self.struck += 1
        writer.write(ERROR_500)
        await writer.drain()

    async def _half_written(self, head: bytes, body: bytes) -> None:
        """What is not packed is one line, of which half is nothing."""
        if b"content-encoding: gzip" not in head.lower():
            return
        lines = gzip.decompress(body).splitlines()
        half = gzip.compress(b"\n".join(lines[: len(lines) // 2]), 1)
        head = re.sub(rb"(?i)(content-length: )\d+", rb"\g<1>%d" % len(half), head)
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        back.write(head + half)
        await there.readline()
        back.close()

    async def _passed_on_once(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        """The connection ends with its answer."""
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        back.write(
            re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", request, count=1).replace(
                b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1
            )
        )
        while piece := await there.read(CHUNK_BYTES):
            writer.write(piece)
            await writer.drain()
        back.close()

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
