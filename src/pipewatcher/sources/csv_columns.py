"""Blocks of CSV lines → columns, by Arrow and numpy.

Takes only rows that `csv_rows.parse_row` takes, with the same outcome. Every other line, and every
line whose quotes or bytes are out of the ordinary, goes through `parse_row` one by one: that either
takes it too or says what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pipewatcher.model.time import HOUR, Micros
from pipewatcher.sources.csv_dialect import LINE_BYTES_MAX, Dialect
from pipewatcher.sources.csv_rows import RowRules, Taken, is_blank, parse_row, shows_decimal, to_utc
from pipewatcher.validate import ReadingFault
from pipewatcher.validate_columns import Int64s, Mask, encode_equipment_ids, parse_timestamps

Codes: TypeAlias = npt.NDArray[np.uint32]
Doubles: TypeAlias = npt.NDArray[np.float64]

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_NEWLINE, _RETURN, _QUOTE, _SPACE = b"\n"[0], b"\r"[0], b'"'[0], b" "[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    line: int
    """Counted from 0 within the block."""
    text: bytes
    field: str
    reason: str
    code: str


@dataclass(slots=True, kw_only=True)
class Columns:
    """The good rows of a block in their order; reading i is of `equipment_ids[codes[i]]`."""

    equipment_ids: list[str]
    codes: Codes
    event_times: Int64s
    values: Doubles
    bad: list[BadLine] = field(default_factory=list)
    lines: int = 0


class Lines:
    """Where each line of a block lies; `block` ends in a line feed."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self.bytes: npt.NDArray[np.uint8] = np.frombuffer(block, np.uint8)
        self._ends = np.flatnonzero(self.bytes == _NEWLINE)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, line: int) -> bytes:
        start = int(self._ends[line - 1]) + 1 if line else 0
        return self.block[start : int(self._ends[line])].removesuffix(b"\r")

    def of(self, places: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The line in which each place of the block lies."""
        return np.searchsorted(self._ends, places)

    def lengths(self) -> npt.NDArray[Any]:
        """Bytes of each line with its line feed."""
        return np.diff(self._ends, prepend=-1)


def parse_block(block: bytes, dialect: Dialect, rules: RowRules) -> Columns:
    """Block of whole lines. Sets the dialect's decimal mark if this block shows it."""
    lines = Lines(block)
    odd = _odd_lines(lines, dialect)
    rows, columns, ok = _parse_plain(lines, odd, dialect, rules)
    if len(rows) == len(lines) and ok.all():
        columns.lines = len(lines)
        return columns
    doubtful = np.ones(len(lines), np.bool_)
    doubtful[rows[ok]] = False
    return _examine(lines, np.flatnonzero(doubtful), rows, columns, ok, dialect, rules)


def _odd_lines(lines: Lines, dialect: Dialect) -> Mask:
    """Lines that Arrow would read otherwise than `parse_row`."""
    block = lines.block
    odd: Mask = lines.lengths() > LINE_BYTES_MAX
    if b"\0" in block:
        odd[lines.of(np.flatnonzero(lines.bytes == 0))] = True
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        returns = np.flatnonzero(lines.bytes == _RETURN)
        odd[lines.of(returns[lines.bytes[returns + 1] != _NEWLINE])] = True
    if b'"' in block:
        _mark_odd_quotes(lines, dialect, odd)
    if not block.isascii() and not _is_utf_8(block):
        foreign = np.unique(lines.of(np.flatnonzero(lines.bytes >= 0x80)))
        odd[[line for line in foreign.tolist() if not _is_utf_8(lines[line])]] = True
    return odd


def _mark_odd_quotes(lines: Lines, dialect: Dialect, odd: Mask) -> None:
    """In an ordinary line the quotes open and close in turn, right at the ends of fields."""
    quotes = np.flatnonzero(lines.bytes == _QUOTE)
    line_of = lines.of(quotes)
    counts = np.bincount(line_of, minlength=len(lines))
    odd |= counts % 2 == 1
    first_of_line = np.cumsum(counts) - counts
    closing = (np.arange(len(quotes)) - first_of_line[line_of]) % 2 == 1
    before = np.where(quotes > 0, lines.bytes[quotes - 1], _NEWLINE)
    behind = lines.bytes[quotes + 1]
    delimiter = dialect.delimiter[0]
    fine = np.where(
        closing,
        (behind == delimiter) | (behind == _NEWLINE) | (behind == _RETURN),
        (before == delimiter) | (before == _NEWLINE),
    )
    odd[line_of[~fine]] = True


def _parse_plain(
    lines: Lines, odd: Mask, dialect: Dialect, rules: RowRules
) -> tuple[npt.NDArray[Any], Columns, Mask]:
    """The rows of all lines but the odd ones: their line numbers, columns, and which are good."""
    if odd.any():
        kept = np.flatnonzero(~odd)
        text = lines.bytes[np.repeat(~odd, lines.lengths())].tobytes()
    else:
        kept = np.arange(len(lines))
        text = lines.block
    misshapen: list[int] = []
    texts = _split(text, dialect, misshapen) if text else [pa.array([], pa.string())] * 3
    if misshapen:
        kept = np.delete(kept, misshapen)
    ids, timestamps, numbers = texts
    if dialect.decimal is None:
        _look_for_decimal(lines, kept, numbers, dialect)
    encoded = encode_equipment_ids(ids)
    values, ok = _parse_numbers(numbers, dialect)
    event_times, times_ok = parse_timestamps(timestamps)
    if rules.zone is not None and not times_ok.all():
        _take_local_times(timestamps, event_times, times_ok, rules)
    ok &= encoded.ok & times_ok & (event_times <= rules.bounds.latest)
    if rules.bounds.oldest is not None:
        ok &= event_times >= rules.bounds.oldest
    columns = Columns(
        equipment_ids=encoded.texts, codes=encoded.codes, event_times=event_times, values=values
    )
    return kept, columns, ok


def _split(text: bytes, dialect: Dialect, misshapen: list[int]) -> list[pa.StringArray]:
    """Adds the numbers of the rows that have too few or too many fields, and leaves them out."""

    def leave_out(row: csv.InvalidRow) -> str:
        misshapen.append(row.number - 1)
        return "skip"

    names = [str(place) for place in range(dialect.fields)]
    wanted = [names[place] for place in dialect.places]
    table = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 1),
        csv.ParseOptions(
            delimiter=dialect.delimiter.decode(),
            quote_char='"' if b'"' in text else False,
            ignore_empty_lines=False,
            invalid_row_handler=leave_out,
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()),
            include_columns=wanted,
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    texts = [column.combine_chunks() for column in table.columns]
    if _has_outer_spaces(text, dialect):
        texts = [pc.utf8_trim(column, " ") for column in texts]
    return texts


def _has_outer_spaces(text: bytes, dialect: Dialect) -> bool:
    """Whether a space stands beside an end of a field."""
    if b" " not in text:
        return False
    chars = np.frombuffer(text, np.uint8)
    spaces = np.flatnonzero(chars == _SPACE)
    outer = np.zeros(256, np.bool_)
    outer[[dialect.delimiter[0], _NEWLINE, _RETURN]] = True
    return bool(spaces[0] == 0 or outer[chars[spaces - 1]].any() or outer[chars[spaces + 1]].any())


def _look_for_decimal(
    lines: Lines, kept: npt.NDArray[Any], numbers: pa.StringArray, dialect: Dialect
) -> None:
    marked = pc.match_substring_regex(numbers, "[.,]").to_numpy(zero_copy_only=False)
    candidates = np.ones(len(lines), np.bool_)
    candidates[kept[~marked]] = False
    for line in np.flatnonzero(candidates).tolist():
        dialect.decimal = shows_decimal(lines[line], dialect)
        if dialect.decimal is not None:
            return


def _parse_numbers(texts: pa.StringArray, dialect: Dialect) -> tuple[Doubles, Mask]:
    ok = np.ones(len(texts), np.bool_)
    if dialect.decimal == b",":
        pointed = pc.match_substring(texts, ".")
        if pc.any(pointed).as_py():
            ok = ~pointed.to_numpy(zero_copy_only=False)
        texts = pc.replace_substring(texts, ",", ".")
    try:
        numbers = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        plausible = pc.match_substring_regex(texts, _NUMBER)
        ok &= plausible.to_numpy(zero_copy_only=False)
        numbers = pc.cast(pc.if_else(plausible, texts, "0"), pa.float64())
    values = numbers.to_numpy(zero_copy_only=False)
    return values, ok & np.isfinite(values)


def _take_local_times(
    timestamps: pa.StringArray, event_times: Int64s, ok: Mask, rules: RowRules
) -> None:
    """Fills in the rows without an offset, an hour of the wall clock at a time."""
    zone = rules.zone
    assert zone is not None
    rows = np.flatnonzero(~ok)
    local, local_ok = parse_timestamps(
        pc.binary_join_element_wise(timestamps.take(pa.array(rows)), "Z", "")
    )
    rows, local = rows[local_ok], local[local_ok]
    hours, hour_of = np.unique(local // HOUR, return_inverse=True)
    offsets = np.zeros(len(hours), np.int64)
    steady = np.zeros(len(hours), np.bool_)
    for place, hour in enumerate(hours.tolist()):
        offset = _steady_offset(hour * HOUR, zone)
        if offset is not None:
            offsets[place], steady[place] = offset, True
    rows, local, hour_of = rows[steady[hour_of]], local[steady[hour_of]], hour_of[steady[hour_of]]
    event_times[rows] = local - offsets[hour_of]
    ok[rows] = True


def _steady_offset(hour: Micros, zone: Any) -> Micros | None:
    """The zone's offset if it is the same throughout the hour that begins at `hour`."""
    try:
        first = hour - to_utc(hour, zone)
        last = hour + HOUR - 1 - to_utc(hour + HOUR - 1, zone)
    except ReadingFault:
        return None
    return first if first == last else None


def _examine(
    lines: Lines,
    doubtful: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    columns: Columns,
    ok: Mask,
    dialect: Dialect,
    rules: RowRules,
) -> Columns:
    """Judges the doubtful lines one by one and puts those that are good into their places."""
    taken: list[Taken] = []
    taken_lines: list[int] = []
    bad: list[BadLine] = []
    blank = 0
    for line in doubtful.tolist():
        text = lines[line]
        if is_blank(text):
            blank += 1
            continue
        try:
            taken.append(parse_row(text, dialect, rules))
            taken_lines.append(line)
        except ReadingFault as fault:
            # Not the fault itself: its traceback would keep the whole block alive.
            bad.append(
                BadLine(
                    line=line, text=text, field=fault.field, reason=fault.reason, code=fault.code
                )
            )
    ids, codes = _only_used(columns.equipment_ids, columns.codes[ok])
    event_times, values = columns.event_times[ok], columns.values[ok]
    if taken:
        known = {text: code for code, text in enumerate(ids)}
        late = [known.setdefault(one.equipment_id, len(known)) for one in taken]
        order = np.argsort(np.concatenate([rows[ok], taken_lines]), kind="stable")
        ids = list(known)
        codes = np.concatenate([codes, np.array(late, np.uint32)])[order]
        times = np.array([one.event_time for one in taken], np.int64)
        event_times = np.concatenate([event_times, times])[order]
        values = np.concatenate([values, np.array([one.value for one in taken])])[order]
    return Columns(
        equipment_ids=ids,
        codes=codes,
        event_times=event_times,
        values=values,
        bad=bad,
        lines=len(lines),
    )


def _only_used(texts: list[str], codes: Codes) -> tuple[list[str], Codes]:
    """Without the ids that only bad rows had: a sensor is known by its first good reading."""
    used = np.zeros(len(texts), np.bool_)
    used[codes] = True
    if used.all():
        return texts, codes
    renumbered = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
    return [text for text, one in zip(texts, used.tolist(), strict=True) if one], renumbered[codes]


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
