"""What kind of CSV a file is, read off its first bytes and its header line.

The delimiter is the one of `,` `;` and tab that finds the most of our columns in the header.
Numbers of a `,` file have a decimal point. Those of a `;` or tab file have a point or a comma,
whichever the file's first number with either has; the other one is then an error, for it can only
be a thousands separator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipewatcher.errors import PipeWatcherError

EQUIPMENT_ID, TIMESTAMP, VALUE = COLUMNS = ("equipmentId", "timestamp", "value")
REASON = "reason"
"""The column that `rejected.csv` has at its end; a file that is sent again may still have it."""

LINE_BYTES_MAX = 64 * 1024
HEADER_COLUMNS_MAX = 1_000
_DELIMITERS = (b",", b";", b"\t")
_UTF_8_BOM = b"\xef\xbb\xbf"
_ZIP = "is a ZIP archive or an Excel workbook (.xlsx); save it as CSV"
_OTHER_FILES = (
    (b"PK\x03\x04", "zip", _ZIP),
    (b"PK\x05\x06", "zip", _ZIP),
    (b"\xd0\xcf\x11\xe0", "excel", "is an old Excel workbook (.xls); save it as CSV"),
    (b"%PDF", "pdf", "is a PDF, not CSV"),
    (b"\x1f\x8b", "compressed", "is compressed twice"),
    (b"BZh", "compressed", "is compressed with bzip2; send it plain or with gzip"),
    (b"\xfd7zXZ", "compressed", "is compressed with xz; send it plain or with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed", "is compressed with zstd; send it plain or with gzip"),
    (b"7z\xbc\xaf", "compressed", "is a 7z archive; send it plain or with gzip"),
    (b"PAR1", "parquet", "is a Parquet file, not CSV"),
)
_UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class CsvFault(PipeWatcherError):
    """The file as a whole cannot be read as CSV."""

    status = 422

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class LineFault(ValueError):
    """A line's quotes are wrong."""


@dataclass(slots=True, kw_only=True)
class Dialect:
    delimiter: bytes
    header: bytes
    """The header line as it stands in the file, without its line end."""
    fields: int
    places: tuple[int, int, int]
    """Where equipmentId, timestamp and value stand in a row."""
    ends_in_reason: bool
    """The last column is `reason`; rows may leave it out."""
    unknown_columns: list[str] = field(default_factory=list)
    decimal: bytes | None = None
    """`.` or `,`; None until a number has shown it."""


def line_end_of(start: bytes) -> bytes:
    """A file without any line feed ends its lines with carriage returns."""
    return b"\r" if b"\r" in start and b"\n" not in start else b"\n"


def without_bom(start: bytes) -> bytes:
    return start.removeprefix(_UTF_8_BOM)


def refuse_other_files(start: bytes) -> None:
    """Raises `CsvFault` when the file begins like something that is no UTF-8 CSV."""
    for magic, code, reason in _OTHER_FILES:
        if start.startswith(magic):
            raise CsvFault(code, f"The file {reason}.")
    head = start[:256]
    # Every second byte of Latin text in UTF-16 is NUL.
    if start.startswith(_UTF_16_BOMS) or head.count(0) * 3 > len(head) > 1:
        raise CsvFault("utf_16", "The file is UTF-16; save it as CSV UTF-8.")


def read_header(line: bytes) -> Dialect:
    """Raises `CsvFault` that names what is wrong with the header."""
    if len(line) > LINE_BYTES_MAX:
        raise CsvFault("header_too_long", f"The header has more than {LINE_BYTES_MAX} bytes.")
    if b"\0" in line:
        raise CsvFault("not_text", "The header has NUL bytes: this is no text file.")
    try:
        line.decode()
    except UnicodeDecodeError:
        raise CsvFault("not_utf_8", "The file is not UTF-8; save it as CSV UTF-8.") from None
    delimiter, names = _best_split(line)
    if len(names) > HEADER_COLUMNS_MAX:
        raise CsvFault("too_many_columns", f"There are more than {HEADER_COLUMNS_MAX} columns.")
    folded = [name.casefold() for name in names]
    wanted = tuple(column.casefold() for column in COLUMNS)
    missing = [column for column in COLUMNS if column.casefold() not in folded]
    if missing:
        raise CsvFault(
            "missing_column",
            f"The header has no column {', '.join(missing)}; "
            f"the first line must name {', '.join(COLUMNS)}.",
        )
    for column in COLUMNS:
        if folded.count(column.casefold()) > 1:
            raise CsvFault("duplicate_column", f"The header has the column {column} twice.")
    return Dialect(
        delimiter=delimiter,
        header=line,
        fields=len(names),
        places=(folded.index(wanted[0]), folded.index(wanted[1]), folded.index(wanted[2])),
        ends_in_reason=folded[-1] == REASON,
        unknown_columns=[
            name
            for name, key in zip(names, folded, strict=True)
            if key not in wanted and key not in {REASON, ""}
        ],
        decimal=b"." if delimiter == b"," else None,
    )


def _best_split(line: bytes) -> tuple[bytes, list[str]]:
    best: tuple[int, bytes, list[str]] | None = None
    wanted = {column.casefold() for column in COLUMNS}
    for delimiter in _DELIMITERS:
        try:
            names = [name.decode().strip() for name in split_line(line, delimiter)]
        except LineFault:
            continue
        found = len(wanted.intersection(name.casefold() for name in names))
        if best is None or found > best[0]:
            best = found, delimiter, names
    if best is None:
        raise CsvFault("bad_header", "The quotes in the header do not match.")
    return best[1], best[2]


_FIELD = {
    delimiter: re.compile(
        rb' *"([^"]*(?:""[^"]*)*)" *(?=%(d)s|\Z)|(?! *")([^%(d)s]*)' % {b"d": delimiter}
    )
    for delimiter in _DELIMITERS
}


def split_line(line: bytes, delimiter: bytes) -> list[bytes]:
    """The fields of one line, without quotes and without spaces around them.

    A field is either wholly in quotes, with `""` for a quote, or does not begin with one.
    Raises `LineFault`.
    """
    if b'"' not in line:
        return [text.strip(b" ") for text in line.split(delimiter)]
    fields: list[bytes] = []
    for match in _fields(line, delimiter):
        quoted, plain = match.groups()
        text = plain if quoted is None else quoted.replace(b'""', b'"')
        fields.append(text.strip(b" "))
    return fields


def field_starts(line: bytes, delimiter: bytes) -> list[int]:
    """Where in the line each of its fields begins. Raises `LineFault`."""
    return [match.start() for match in _fields(line, delimiter)]


def _fields(line: bytes, delimiter: bytes) -> Iterator[re.Match[bytes]]:
    at = 0
    while at <= len(line):
        match = _FIELD[delimiter].match(line, at)
        if match is None:
            raise LineFault("has a quote that is not closed, or text after one that is")
        yield match
        at = match.end() + 1
