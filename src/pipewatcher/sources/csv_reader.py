"""A CSV file → its good rows as columns and its bad rows with line and reason, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipewatcher.model.readings import Batch, ImportBlock, Rejection
from pipewatcher.sources.csv_columns import Columns, parse_block
from pipewatcher.sources.csv_dialect import CsvFault, Dialect, read_header
from pipewatcher.sources.csv_rows import RowRules, is_blank
from pipewatcher.sources.csv_stream import LineBlocks


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    line: int
    """Physical line of the file, from 1."""
    text: bytes
    """As it stands in the file, without its line end."""
    field: str
    reason: str
    code: str

    def rejection(self) -> Rejection:
        return Rejection(line=self.line, field=self.field, reason=self.reason, code=self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvBlock:
    """A part of a file, numbered 0, 1, 2, …; `received = accepted + len(bad_rows)`."""

    number: int
    columns: Columns
    bad_rows: list[BadRow]
    bytes_read: int
    """Of the file as it is stored, up to and including this block or a little more."""
    first_line: int
    """Physical line of the file at which `text` begins."""
    text: bytes

    @property
    def accepted(self) -> int:
        return len(self.columns.codes)

    def batch(self, origin: str, block: ImportBlock | None = None) -> Batch:
        """The good rows, at least one."""
        return Batch(
            equipment_ids=self.columns.equipment_ids,
            codes=self.columns.codes,
            event_times=self.columns.event_times,
            values=self.columns.values,
            origins=(origin,),
            block=block,
        )


class CsvReader:
    """Iterates over the blocks of a file, plain or gzip, in memory that does not grow with it.

    The same file and rules give the same blocks, whenever and on whichever machine. Raises
    `CsvFault` at the first block when the file cannot be read at all, and at the end when a
    compressed file is damaged or breaks off, or when there was not one row.
    """

    def __init__(self, file: BinaryIO, rules: RowRules) -> None:
        self._blocks = LineBlocks(file)
        self._rules = rules
        self.dialect: Dialect | None = None
        """Known from the first block on."""

    def __iter__(self) -> Iterator[CsvBlock]:
        number = rows = 0
        line = 1
        for block in self._blocks:
            if self.dialect is None:
                header, rest, line = _find_header(block, line)
                if header is None:
                    continue
                self.dialect = read_header(header)
            else:
                rest = block
            if not rest:
                continue
            parsed = self._parse(rest, number, line, self.dialect)
            line += parsed.columns.lines
            rows += parsed.accepted + len(parsed.bad_rows)
            number += 1
            yield parsed
        if self.dialect is None:
            raise CsvFault("empty_file", "The file has only blank lines.")
        if not rows:
            raise CsvFault("no_rows", "The file has a header, but no rows.")

    def _parse(self, block: bytes, number: int, line: int, dialect: Dialect) -> CsvBlock:
        columns = parse_block(block, dialect, self._rules)
        bad_rows = [
            BadRow(
                line=line + bad.line,
                text=bad.text,
                field=bad.field,
                reason=bad.reason,
                code=bad.code,
            )
            for bad in columns.bad
        ]
        return CsvBlock(
            number=number,
            columns=columns,
            bad_rows=bad_rows,
            bytes_read=self._blocks.bytes_read,
            first_line=line,
            text=block,
        )


def _find_header(block: bytes, line: int) -> tuple[bytes | None, bytes, int]:
    """The first line that is not blank, what is behind it, and the number of the line there."""
    at = 0
    while at < len(block):
        end = block.index(b"\n", at)
        text = block[at:end].removesuffix(b"\r")
        at = end + 1
        line += 1
        if not is_blank(text):
            return text, block[at:], line
    return None, b"", line
