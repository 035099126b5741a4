"""Whole files in every dialect against a parser of a few lines that knows nothing of ours."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipewatcher.sources import csv_stream
from pipewatcher.sources.csv_dialect import LINE_BYTES_MAX, CsvFault
from pipewatcher.sources.csv_reader import BadRow, CsvReader
from pipewatcher.sources.csv_rows import RowRules
from pipewatcher.validate import EventTimeBounds, ReadingFault, is_equipment_id, parse_timestamp

LATEST = parse_timestamp("2030-01-01T00:00:00Z")
ZONE = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[str, int, float]


def read(data: bytes, zone: ZoneInfo | None = None) -> tuple[list[Row], list[BadRow]]:
    rules = RowRules(bounds=EventTimeBounds(latest=LATEST), zone=zone)
    good: list[Row] = []
    bad: list[BadRow] = []
    for block in CsvReader(io.BytesIO(data), rules):
        batch = block.batch("import:1")
        assert len(set(batch.codes.tolist())) == len(batch.equipment_ids)
        good += [
            (batch.equipment_ids[code], time, value)
            for code, time, value in zip(
                batch.codes, batch.event_times.tolist(), batch.values.tolist(), strict=True
            )
        ]
        bad += block.bad_rows
    return good, bad


def plain_fields(line: str, delimiter: str) -> list[str] | None:
    """Character by character; None when the quotes are wrong."""
    fields: list[str] = []
    at = 0
    while True:
        begin = at
        while line[at : at + 1] == " ":
            at += 1
        if line[at : at + 1] == '"':
            text = ""
            at += 1
            while line[at : at + 1] != '"' or line[at : at + 2] == '""':
                if at >= len(line):
                    return None
                text += line[at]
                at += 2 if line[at] == '"' else 1
            at += 1
            while line[at : at + 1] == " ":
                at += 1
        else:
            at = begin
            while at < len(line) and line[at] != delimiter:
                at += 1
            text = line[begin:at]
        fields.append(text.strip(" "))
        if at == len(line):
            return fields
        if line[at] != delimiter:
            return None
        at += 1


def plain_time(text: str, zone: ZoneInfo | None) -> int | None:
    try:
        return parse_timestamp(text)
    except ReadingFault:
        pass
    try:
        local = EPOCH + timedelta(microseconds=parse_timestamp(text + "Z"))
    except ReadingFault:
        return None
    if zone is None:
        return None
    candidates = {
        (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
        for fold in (0, 1)
    }
    there_and_back = {
        (EPOCH + timedelta(microseconds=c)).astimezone(zone).replace(tzinfo=UTC) for c in candidates
    }
    unique = len(candidates) == 1 and there_and_back == {local}
    return candidates.pop() if unique else None


def plain_value(text: str, mark: str) -> float | None:
    if not re.fullmatch(r"[0-9eE+\-" + re.escape(mark) + "]+", text):
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def decimal_mark(rows: list[list[str] | None]) -> str:
    for fields in rows:
        for mark in ".,":
            if fields and len(fields) > 2 and mark in fields[2]:
                pattern = rf"[+-]?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?".replace(".", r"\.")
                if re.fullmatch(pattern, fields[2], re.ASCII):
                    return mark
    return "."


def plain(
    lines: list[str], delimiter: str, zone: ZoneInfo | None
) -> Iterator[tuple[int, Row | None]]:
    """Physical line and the reading, None for a bad row; blank lines are left out."""
    split = [plain_fields(line, delimiter) for line in lines]
    mark = "." if delimiter == "," else decimal_mark(split)
    for number, (line, fields) in enumerate(zip(lines, split, strict=True), start=2):
        if not line.strip(" \r"):
            continue
        if fields is None or len(fields) != 3 or "\0" in line or "\r" in line:
            yield number, None
            continue
        time, value = plain_time(fields[1], zone), plain_value(fields[2], mark)
        fine = is_equipment_id(fields[0]) and time is not None and time <= LATEST
        yield number, (fields[0], time, value) if fine and value is not None else None  # type: ignore[misc]


ids = st.sampled_from(
    ["EQ-1", "EQ-2", "É", "a b", "", 'a"b', '12"', "x" * 64, "x" * 65, "a\u00a0b"]
)
days = st.sampled_from(["2023-03-12", "2023-11-05", "2023-07-01", "2023-02-31", "2031-01-01"])
clocks = st.sampled_from(["00:59:59", "01:30:00", "02:30:00", "03:00:00.5", "24:00:00", "01:30"])
offsets = st.sampled_from(["", "", "Z", "z", "-03:00", "+24:00", "-0300"])
times = st.builds(lambda d, s, c, o: d + s + c + o, days, st.sampled_from("T t"), clocks, offsets)
NUMBERS = (
    "1", "-2.5", "+3", ".5", "5.", "1e3", "1E-2", "1e999", "1e-999", "nan", "inf", "0x1", "1_0",
    "1,5", "1.234,5", "1,234.5", "1d5", "٣", "-", "007", ",5", "5,", "", "9" * 400,
    "0." + "1" * 300,
)  # fmt: skip
values = st.sampled_from(NUMBERS)
wrappings = st.sampled_from(
    ["{}"] * 8 + ['"{}"'] * 4 + [" {} ", '" {}"', ' "{}" ', '"{}', '{}"', '"{}"x']
)
field_counts = st.sampled_from([3] * 12 + [2, 4, 0])


@st.composite
def rows_of(draw: st.DrawFn, delimiter: str) -> str:
    texts = [draw(ids), draw(times), draw(values), "extra"][: draw(field_counts)]
    line = delimiter.join(draw(wrappings).format(text) for text in texts)
    damage = draw(st.sampled_from([""] * 20 + ["\0", "\r", '"', delimiter]))
    place = draw(st.integers(0, len(line)))
    return line[:place] + damage + line[place:]


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str], str]:
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    good = st.builds(
        lambda i, o, v: delimiter.join([i, f"2023-07-01T00:00:00{o}", v]),
        st.sampled_from(["EQ-1", "EQ-3"]), st.sampled_from(["Z", ".25Z", "-03:00"]), values,
    )  # fmt: skip
    lines = draw(st.lists(st.one_of(good, rows_of(delimiter), st.just("")), max_size=25))
    return delimiter, lines, draw(st.sampled_from(["\n", "\r\n"]))


@pytest.mark.parametrize("zone", [None, ZONE], ids=["offsets", "local"])
@given(files())
@example((";", ['"EQ-1";"2023-07-01T00:00:00Z";"1,5"', "EQ-1;2023-07-01T00:00:00Z;1.5"], "\n"))
@example((",", ["EQ-1,2023-11-05T01:30:00,1", "EQ-1,2023-03-12T02:30:00,1"], "\n"))
def test_every_dialect_is_read_as_the_plain_parser_reads_it(
    zone: ZoneInfo | None, file: tuple[str, list[str], str]
) -> None:
    delimiter, lines, line_end = file
    # One carriage return before the line feed belongs to the line end.
    seen = [line.removesuffix("\r") if line_end == "\n" else line for line in lines]
    expected = list(plain(seen, delimiter, zone))
    data = line_end.join([delimiter.join(["equipmentId", "timestamp", "value"]), *lines, ""])
    if not expected:
        with pytest.raises(CsvFault) as fault:
            read(data.encode(), zone)
        assert fault.value.code == "no_rows"
        return
    good, bad = read(data.encode(), zone)
    assert good == [row for _, row in expected if row is not None]
    assert [row.line for row in bad] == [line for line, row in expected if row is None]
    assert [row.text.decode() for row in bad] == [seen[row.line - 2] for row in bad]
    assert all(row.field and row.reason and row.code for row in bad)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=30), st.integers(1, 50))
def test_blocks_and_line_numbers_do_not_depend_on_how_the_bytes_arrive(
    lengths: list[int], piece: int
) -> None:
    """With blocks of 128 bytes and lines of at most 64, so that lines do not fit into blocks."""
    lines = [b"x" * length for length in lengths]
    data = b"\n".join(lines) + b"\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_stream, "BLOCK_BYTES", 128)
        patch.setattr(csv_stream, "LINE_BYTES_MAX", 64)
        whole = list(csv_stream.LineBlocks(io.BytesIO(data)))
        patch.setattr(csv_stream, "READ_BYTES", piece)
        assert list(csv_stream.LineBlocks(io.BytesIO(data))) == whole
    assert all(block.endswith(b"\n") and len(block) <= 128 for block in whole)
    got = b"".join(whole).split(b"\n")[:-1]
    assert len(got) == len(lines)
    assert all(a == b or (len(a) == 65 and len(b) > 64) for a, b in zip(got, lines, strict=True))


def test_a_line_of_megabytes_is_one_bad_row_between_good_ones() -> None:
    good = b"EQ-1,2023-01-01T00:00:00Z,1\n"
    data = b"equipmentId,timestamp,value\n" + good + b"x" * 3_000_000 + b"\n" + good
    rows, bad = read(data)
    assert len(rows) == 2
    assert [(row.line, row.field, len(row.text)) for row in bad] == [(3, "row", LINE_BYTES_MAX + 1)]


def test_carriage_returns_alone_end_lines_too() -> None:
    rows, bad = read(b"equipmentId,timestamp,value\rEQ-1,2023-01-01T00:00:00Z,1\rx\r")
    assert [row[0] for row in rows] == ["EQ-1"]
    assert [row.line for row in bad] == [3]


def test_bytes_that_are_no_utf_8_spoil_only_their_row() -> None:
    good = b"\xc3\x89Q,2023-01-01T00:00:00Z,1\n"
    rows, bad = read(
        b"equipmentId,timestamp,value\n" + good + good.replace(b"\xc3", b"\xff") + good
    )
    assert [row[0] for row in rows] == ["ÉQ", "ÉQ"]
    assert [(row.line, row.reason) for row in bad] == [(3, "is not UTF-8")]
