"""The file in a multipart body."""

from __future__ import annotations

from collections.abc import AsyncIterator

from python_multipart.multipart import MultipartParser, parse_options_header

from pipewatcher.errors import InvalidRequest, MalformedRequest
from pipewatcher.model.readings import Rejection

PART_HEADERS_BYTES_MAX = 4_096


class FilePart:
    """The part named `file` of a multipart body as it arrives: nothing is held back in memory."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes) -> None:
        self._body = body
        self._ready: list[bytes] = []
        self._name = b""
        self._value = b""
        self._head_bytes = 0
        self._wanted = False
        self._found = False
        self._ended = False
        self.file_name: str | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    async def begin(self) -> AsyncIterator[bytes]:
        """Returns at the first byte of the file. Raises `MalformedRequest`, `InvalidRequest`."""
        async for chunk in self._body:
            self._feed(chunk)
            if self._found:
                return self._rest()
        raise self._missing()

    async def _rest(self) -> AsyncIterator[bytes]:
        for ready in self._take():
            yield ready
        async for chunk in self._body:
            self._feed(chunk)
            for ready in self._take():
                yield ready
        if not self._ended:
            raise MalformedRequest("The multipart body breaks off.")

    def _feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except ValueError as error:
            raise MalformedRequest("The multipart body cannot be read.") from error

    def _take(self) -> list[bytes]:
        ready, self._ready = self._ready, []
        return ready

    def _missing(self) -> InvalidRequest:
        reason = "is missing from the multipart body"
        return InvalidRequest(f"file {reason}", [Rejection(field="file", reason=reason)])

    def _part_begin(self) -> None:
        self._name = self._value = b""
        self._head_bytes = 0

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > PART_HEADERS_BYTES_MAX:
            raise MalformedRequest("A part of the multipart body has too long a head.")

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if options.get(b"name") == b"file" and not self._found:
                self._wanted = self._found = True
                name = options.get(b"filename", b"").decode("utf-8", "replace")
                self.file_name = name.rpartition("/")[2][:200] or None
        self._name = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._ready.append(data[start:end])

    def _part_end(self) -> None:
        self._wanted = False

    def _end(self) -> None:
        self._ended = True
