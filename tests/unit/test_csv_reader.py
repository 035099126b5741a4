"""The column reader against a row-by-row reference: the same rows, the same faults."""

from __future__ import annotations

import gzip
import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.sources.csv_dialect import CsvFault, read_header
from pipewatcher.sources.csv_reader import BadRow, CsvReader
from pipewatcher.sources.csv_rows import RowRules, is_blank, parse_row
from pipewatcher.validate import EventTimeBounds, ReadingFault, parse_timestamp

BOUNDS = EventTimeBounds(latest=parse_timestamp("2030-01-01T00:00:00Z"))
RULES = RowRules(bounds=BOUNDS)
HEADER = b"equipmentId,timestamp,value\n"
Good = tuple[str, int, float]


def read(data: bytes, rules: RowRules = RULES) -> tuple[list[Good], list[BadRow]]:
    good: list[Good] = []
    bad: list[BadRow] = []
    for block in CsvReader(io.BytesIO(data), rules):
        columns = block.columns
        good += [
            (columns.equipment_ids[code], int(time), float(value))
            for code, time, value in zip(
                columns.codes, columns.event_times, columns.values, strict=True
            )
        ]
        bad += block.bad_rows
    return good, bad


ids = st.sampled_from(["EQ-1", "EQ-2", '"EQ-3"', "", " ", "É", "a b", "x" * 65, '"EQ', "\x00"])
stamps = st.sampled_from(
    [
        "2023-02-15T01:30:00.000-05:00",
        "2023-02-15T01:30:00Z",
        '"2023-02-15T01:30:01Z"',
        "2023-02-31T00:00:00Z",
        "2023-02-15T01:30:60Z",
        "2023-02-15T01:30:00",
        "2031-01-01T00:00:00Z",
        "1",
        "",
    ]
)
numbers = st.sampled_from(["1", "-2.5", "1e3", '"7"', "nan", "1e999", "0x1", "1_0", "", "1,5", "x"])
rows = st.builds(lambda i, t, v: f"{i},{t},{v}", ids, stamps, numbers)
lines = st.one_of(rows, st.sampled_from(["", "a,b", "a,b,c,d", '"', "\x00\x00"]))


@given(st.lists(lines, min_size=1, max_size=30), st.sampled_from(["\n", "\r\n"]))
def test_good_rows_and_faults_equal_the_row_by_row_reference(
    texts: list[str], line_end: str
) -> None:
    data = HEADER + line_end.join(texts).encode() + line_end.encode()
    dialect = read_header(HEADER.strip())
    good: list[Good] = []
    faults: list[tuple[int, str]] = []
    for number, text in enumerate(texts, start=2):
        if is_blank(text.encode()):
            continue
        try:
            taken = parse_row(text.encode(), dialect, RULES)
        except ReadingFault as fault:
            faults.append((number, fault.field))
        else:
            good.append((taken.equipment_id, taken.event_time, taken.value))
    if not good and not faults:
        with pytest.raises(CsvFault):
            read(data)
        return
    got, bad = read(data)
    assert got == good
    assert [(row.line, row.field) for row in bad] == faults


def test_an_unterminated_quote_swallows_no_neighbour() -> None:
    rows = [f"EQ-1,2023-01-01T00:{n // 60:02}:{n % 60:02}Z,{n}" for n in range(1_000)]
    rows[500] = '"EQ-1,2023-01-01T00:00:00Z,5'
    good, bad = read(HEADER + "\n".join(rows).encode())
    assert len(good) == 999
    assert [row.line for row in bad] == [502]


def test_a_brazilian_spreadsheet_is_read() -> None:
    text = "\ufeffEquipmentID;Value;Timestamp;obs\r\nEQ-1;78,42;2023-02-15T01:30:00-03:00;x\r\n"
    good, bad = read(text.encode())
    assert not bad
    assert good == [("EQ-1", parse_timestamp("2023-02-15T04:30:00Z"), 78.42)]


def test_local_times_follow_the_zone_and_ambiguous_ones_are_faults() -> None:
    rules = RowRules(bounds=BOUNDS, zone=ZoneInfo("America/Sao_Paulo"))
    rows = b"EQ-1,2017-02-18T23:30:00,1\nEQ-1,2017-10-15T00:30:00,1\nEQ-1,2017-03-01T00:00:00,1\n"
    good, bad = read(HEADER + rows, rules)
    assert good == [("EQ-1", parse_timestamp("2017-03-01T03:00:00Z"), 1.0)]
    assert [(row.line, row.field) for row in bad] == [(2, "timestamp"), (3, "timestamp")]


def test_a_gzip_file_is_read_and_a_broken_one_keeps_its_good_rows() -> None:
    text = HEADER + b"".join(
        b"EQ-1,2023-01-01T%02d:%02d:%02dZ,%d\n" % (n // 3600 % 24, n // 60 % 60, n % 60, n)
        for n in range(80_000)
    )
    packed = gzip.compress(text)
    assert len(read(packed)[0]) == 80_000
    blocks = iter(CsvReader(io.BytesIO(packed[: len(packed) // 2]), RULES))
    assert next(blocks).accepted > 0
    with pytest.raises(CsvFault):
        list(blocks)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"%PDF-1.7 x",
        b"PK\x03\x04xx",
        "equipmentId,timestamp,value\n".encode("utf-16"),
        b"equipmentId,value\nEQ-1,1\n",
        b"equipmentId,timestamp,value,value\n",
        HEADER,
    ],
)
def test_a_file_that_is_no_such_csv_is_refused_with_its_reason(data: bytes) -> None:
    with pytest.raises(CsvFault) as fault:
        read(data)
    assert fault.value.code
    assert fault.value.detail


def test_the_same_file_gives_the_same_blocks() -> None:
    data = HEADER + b"".join(b"EQ-%d,2023-01-01T00:00:00Z,%d\n" % (n % 7, n) for n in range(60_000))
    first = [(b.number, b.accepted) for b in CsvReader(io.BytesIO(data), RULES)]
    assert len(first) > 1
    assert [(b.number, b.accepted) for b in CsvReader(io.BytesIO(data), RULES)] == first
    assert first[0][0] == 0
