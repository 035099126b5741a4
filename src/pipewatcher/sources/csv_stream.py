"""Bytes of a file → blocks of whole lines. The same file always gives the same blocks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipewatcher.sources.csv_dialect import (
    LINE_BYTES_MAX,
    CsvFault,
    line_end_of,
    refuse_other_files,
    without_bom,
)

READ_BYTES = 256 * 1024
BLOCK_BYTES = 512 * 1024
GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31


class LineBlocks:
    """Iterates over blocks that end in a line feed and have at most `BLOCK_BYTES` bytes.

    A line that does not fit into a block is cut after its first `LINE_BYTES_MAX + 1` bytes, which
    makes it too long for any rule. The end of the file ends its last line, unless a compressed
    file breaks off: then that line is incomplete and left out. Raises `CsvFault` for a file that
    is no CSV, and once everything before it was given, when a compressed file is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes_read = 0
        """Of the file as it is stored, compressed or not."""

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._pieces()
        pending = bytearray()
        fault: CsvFault | None = None
        ended = cutting = False
        while not ended or pending:
            while len(pending) < BLOCK_BYTES and not ended:
                try:
                    pending += next(pieces)
                except StopIteration:
                    ended = True
                    if pending and not pending.endswith(b"\n"):
                        pending += b"\n"
                except CsvFault as caught:
                    fault = caught
                    ended = True
                    del pending[pending.rfind(b"\n") + 1 :]
                if cutting:
                    cutting = not _drop_line(pending)
            cut = pending.rfind(b"\n", 0, BLOCK_BYTES) + 1
            if cut:
                yield bytes(memoryview(pending)[:cut])
                del pending[:cut]
            elif pending:
                yield bytes(pending[: LINE_BYTES_MAX + 1]) + b"\n"
                cutting = not _drop_line(pending)
        if fault is not None:
            raise fault

    def _pieces(self) -> Iterator[bytes]:
        raw = self._raw()
        start, fault = _gather(raw)
        if not start:
            raise CsvFault("empty_file", "The file is empty.")
        if start.startswith(GZIP_MAGIC):
            raw = _gunzip(start, raw)
            start, fault = _gather(raw)
        refuse_other_files(start)
        start = without_bom(start)
        alone = line_end_of(start)
        yield start.replace(alone, b"\n")
        for piece in raw:
            yield piece.replace(alone, b"\n")
        if fault is not None:
            raise fault

    def _raw(self) -> Iterator[bytes]:
        while piece := self._file.read(READ_BYTES):
            self.bytes_read += len(piece)
            yield piece


def _gather(pieces: Iterator[bytes]) -> tuple[bytes, CsvFault | None]:
    """The first 64 KiB or more, so that a file is judged alike however it arrives."""
    start = bytearray()
    try:
        for piece in pieces:
            start += piece
            if len(start) >= LINE_BYTES_MAX:
                break
    except CsvFault as fault:
        return bytes(start), fault
    return bytes(start), None


def _drop_line(pending: bytearray) -> bool:
    """Drops up to and including the first line feed; says whether there was one."""
    end = pending.find(b"\n")
    if end < 0:
        pending.clear()
        return False
    del pending[: end + 1]
    return True


def _gunzip(start: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    """All members, at most `READ_BYTES` at a time; zeros between and behind them are padding."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    given = start
    while True:
        try:
            piece = member.decompress(given, READ_BYTES)
        except zlib.error:
            raise CsvFault(
                "damaged_gzip", "The gzip data are damaged; the rows before that count."
            ) from None
        if piece:
            yield piece
        if member.eof:
            given = member.unused_data.lstrip(b"\0")
            while not given:
                more = next(raw, None)
                if more is None:
                    return
                given = more.lstrip(b"\0")
            member = zlib.decompressobj(_GZIP_WINDOW)
        else:
            given = member.unconsumed_tail
            if not given:
                more = next(raw, None)
                if more is None and not piece:
                    raise CsvFault(
                        "truncated_gzip", "The gzip data break off; the rows before that count."
                    )
                given = more or b""
