"""The rules of `validate`, applied to whole Arrow columns at tens of millions of rows a second.

Accepts and refuses exactly what the scalar rules do; for the reason why a row is bad the caller
asks the scalar rule. A null is bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipewatcher.model.time import SECOND
from pipewatcher.validate import (
    EVENT_TIME_MAX,
    EVENT_TIME_MIN,
    ReadingFault,
    is_equipment_id,
    parse_timestamp,
)

Mask: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Layout: TypeAlias = tuple[Int64s, Int64s, Bytes]
"""Where each text starts and how many bytes it has, in one array of bytes."""

_CHARS_MIN = len("2026-01-31T08:00:00Z")
_CHARS_VECTORISED_MAX = 40
"""Longer texts are valid only with absurdly many digits: the scalar rule looks at them."""

_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] + [0] * 87, np.uint8)
_DAYS_0000_03_01 = 719_468
_GATHER_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class EquipmentIds:
    """A column of ids, dictionary-coded: row i is `texts[codes[i]]`, and fine if `ok[i]`.

    `texts` holds bad ids too (`text_ok` tells); where the row was null, `codes[i]` is 0.
    """

    texts: list[str]
    text_ok: Mask
    codes: npt.NDArray[np.uint32]
    ok: Mask


def encode_equipment_ids(column: pa.StringArray) -> EquipmentIds:
    """Dictionary-codes the ids and checks each distinct one once."""
    encoded = column.dictionary_encode()
    texts: list[str] = encoded.dictionary.to_pylist()
    text_ok = np.fromiter(map(is_equipment_id, texts), np.bool_, len(texts))
    codes = encoded.indices
    present = np.ones(len(column), np.bool_)
    if codes.null_count:
        present = codes.is_valid().to_numpy(zero_copy_only=False)
        codes = codes.fill_null(0)
    plain = codes.to_numpy(zero_copy_only=False).astype(np.uint32, copy=False)
    ok = present if not len(texts) or text_ok.all() else present & text_ok[plain]
    return EquipmentIds(texts, text_ok, plain, ok)


def check_equipment_ids(column: pa.StringArray) -> Mask:
    """Which rows hold a valid equipmentId."""
    return encode_equipment_ids(column).ok


def parse_timestamps(column: pa.StringArray) -> tuple[Int64s, Mask]:
    """UTC microseconds of every row, and which rows hold a valid timestamp (others are 0)."""
    rows = len(column)
    micros = np.zeros(rows, np.int64)
    ok = np.zeros(rows, np.bool_)
    if not rows:
        return micros, ok
    starts, lengths, data = _string_layout(column)
    first = int(lengths[0])
    if _CHARS_MIN <= first <= _CHARS_VECTORISED_MAX and (lengths == first).all():
        # The usual file: every row equally long, so the bytes already are a table.
        begin = int(starts[0])
        table = data[begin : begin + rows * first].reshape(rows, first)
        for low in range(0, rows, _GATHER_ROWS):
            part = slice(low, low + _GATHER_ROWS)
            micros[part], ok[part] = _parse_table(np.ascontiguousarray(table[part].T))
    else:
        _parse_mixed(column, (starts, lengths, data), micros, ok)
    if column.null_count:
        ok &= column.is_valid().to_numpy(zero_copy_only=False)
    micros[~ok] = 0
    return micros, ok


def _string_layout(column: pa.StringArray) -> Layout:
    wide = pa.types.is_large_string(column.type)
    _, offset_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
    bounds: Int64s = offsets[column.offset : column.offset + len(column) + 1].astype(np.int64)
    data: Bytes = np.frombuffer(data_buffer or b"", np.uint8)
    return bounds[:-1], np.diff(bounds), data


def _parse_mixed(
    column: pa.StringArray,
    layout: Layout,
    micros: Int64s,
    ok: Mask,
) -> None:
    starts, lengths, data = layout
    fitting = np.minimum(lengths, _CHARS_VECTORISED_MAX + 1)
    for length in np.flatnonzero(np.bincount(fitting)):
        if length < _CHARS_MIN:
            continue
        members = np.flatnonzero(fitting == length)
        if length > _CHARS_VECTORISED_MAX:
            _parse_long(column, members, micros, ok)
            continue
        columns = np.arange(length)[:, None]
        for low in range(0, len(members), _GATHER_ROWS):
            part = members[low : low + _GATHER_ROWS]
            micros[part], ok[part] = _parse_table(data[columns + starts[part]])


def _parse_long(
    column: pa.StringArray, members: npt.NDArray[Any], micros: Int64s, ok: Mask
) -> None:
    for row in members.tolist():
        try:
            micros[row] = parse_timestamp(column[row].as_py())
        except ReadingFault:
            continue
        ok[row] = True


def _parse_table(chars: Bytes) -> tuple[Int64s, Mask]:
    """`chars[c, r]` is byte c of row r; all rows are equally long."""
    zulu = (chars[-1] | 0x20) == ord("z")
    if zulu.all():
        return _parse_layout(chars, zone_chars=1)
    micros, ok = _parse_layout(chars, zone_chars=6)
    if zulu.any():
        micros[zulu], ok[zulu] = _parse_layout(chars[:, zulu], zone_chars=1)
    return micros, ok


def _parse_layout(chars: Bytes, zone_chars: int) -> tuple[Int64s, Mask]:
    length, rows = chars.shape
    fraction_chars = length - 19 - zone_chars
    if fraction_chars < 0 or fraction_chars == 1:
        return np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    digits = chars[:19] - np.uint8(ord("0"))
    ok = (digits[_DIGITS] <= 9).all(axis=0)
    ok &= (chars[4] == ord("-")) & (chars[7] == ord("-"))
    ok &= (chars[13] == ord(":")) & (chars[16] == ord(":"))
    ok &= ((chars[10] | 0x20) == ord("t")) | (chars[10] == ord(" "))
    seconds = _seconds(digits, ok)
    if zone_chars == 6:
        seconds -= _offset_seconds(chars[-6:], ok)
    micros = seconds * SECOND
    if fraction_chars:
        ok &= chars[19] == ord(".")
        micros += _fraction_micros(chars[20 : 19 + fraction_chars], ok)
    if zone_chars == 6:
        ok &= (micros >= EVENT_TIME_MIN) & (micros <= EVENT_TIME_MAX)
    return micros, ok


def _seconds(digits: Bytes, ok: Mask) -> Int64s:
    """Seconds since 1970 of a valid `YYYY-MM-DDThh:mm:ss`; clears `ok` where it is not one."""
    month = digits[5] * np.uint8(10) + digits[6]
    day = digits[8] * np.uint8(10) + digits[9]
    hour = digits[11] * np.uint8(10) + digits[12]
    minute = digits[14] * np.uint8(10) + digits[15]
    second = digits[17] * np.uint8(10) + digits[18]
    year = digits[0].astype(np.int32) * 1000 + digits[1].astype(np.int32) * 100
    year += digits[2] * np.uint8(10) + digits[3]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last_day = _MONTH_DAYS[np.minimum(month, 99)] + ((month == 2) & leap)
    ok &= (year >= 1) & (day >= 1) & (day <= last_day)
    ok &= (hour <= 23) & (minute <= 59) & (second <= 59)
    # Days by counting years from March, so that the leap day is a year's last.
    shifted = year - (month <= 2)
    march = (month.astype(np.int32) + 9) % 12
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400
    days += (153 * march + 2) // 5 + day - 1 - _DAYS_0000_03_01
    of_day = hour.astype(np.int32) * 3600 + minute.astype(np.int32) * 60 + second
    seconds: Int64s = days.astype(np.int64) * 86_400 + of_day
    return seconds


def _offset_seconds(zone: Bytes, ok: Mask) -> Int64s:
    digits = zone - np.uint8(ord("0"))
    hour = digits[1] * np.uint8(10) + digits[2]
    minute = digits[4] * np.uint8(10) + digits[5]
    minus = zone[0] == ord("-")
    ok &= (minus | (zone[0] == ord("+"))) & (zone[3] == ord(":"))
    ok &= (digits[[1, 2, 4, 5]] <= 9).all(axis=0) & (hour <= 23) & (minute <= 59)
    shift: Int64s = hour.astype(np.int64) * 3600 + minute.astype(np.int64) * 60
    return np.where(minus, -shift, shift)


def _fraction_micros(chars: Bytes, ok: Mask) -> Int64s:
    digits = chars - np.uint8(ord("0"))
    ok &= (digits <= 9).all(axis=0)
    micros = np.zeros(chars.shape[1], np.int32)
    for place, digit in enumerate(digits[:6]):
        micros += digit * np.int32(10 ** (5 - place))
    wide: Int64s = micros.astype(np.int64)
    return wide
