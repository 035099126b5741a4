"""The column rules accept and refuse exactly what the scalar rules do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.validate import ReadingFault, is_equipment_id, parse_timestamp
from pipewatcher.validate_columns import (
    check_equipment_ids,
    encode_equipment_ids,
    parse_timestamps,
)

ids = st.text(max_size=70) | st.sampled_from(["", "P-1", "a b", "x" * 64, "x" * 65, "é", "\u00a0"])


def written(moment: datetime, minutes: int, fraction: str, style: int) -> str:
    text = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)), microsecond=0).isoformat()
    head, zone = text[:19], text[19:]
    if style & 1 and minutes == 0:
        zone = "z" if style & 2 else "Z"
    if style & 4:
        head = head.replace("T", " " if style & 8 else "t")
    return head + fraction + zone


good = st.builds(
    written,
    st.datetimes(),
    st.sampled_from([0, 0, 0, 60, -180, 345, 1439, -1439]),
    st.sampled_from(["", "", ".5", ".123456", ".999999999", "." + "9" * 30]),
    st.integers(0, 15),
)


def spoiled(text: str, position: int, char: str) -> str:
    at = position % len(text)
    return text[:at] + char + text[at + 1 :]


chars = st.sampled_from(list("0123456789:-+.TtZz /;\x00é")) | st.characters(
    exclude_categories=["Cs"]
)
bad = st.builds(spoiled, good, st.integers(0, 60), chars)
fields = st.builds(
    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format,
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.sampled_from(["Z", "", "+00:00", "-24:00", "+23:60", "+0000", ".Z", ".1", "+00:00Z"]),
)
timestamps = good | bad | fields | st.text(st.characters(exclude_categories=["Cs"]), max_size=45)


def by_scalar_rule(text: str | None) -> int | None:
    try:
        return parse_timestamp(text)
    except ReadingFault:
        return None


def check_timestamps(column: pa.Array) -> None:
    micros, ok = parse_timestamps(column)
    found = [m if fine else None for m, fine in zip(micros.tolist(), ok.tolist(), strict=True)]
    assert found == [by_scalar_rule(text) for text in column.to_pylist()]
    assert micros.dtype == np.int64


@given(st.lists(timestamps | st.none(), max_size=20))
def test_timestamps_agree_with_the_scalar_rule(texts: list[str | None]) -> None:
    check_timestamps(pa.array(texts, pa.string()))
    check_timestamps(pa.array(texts, pa.large_string()))
    check_timestamps(pa.array(["x", *texts, None], pa.string())[1 : len(texts) + 1])


@given(good, st.integers(1, 5))
def test_columns_of_equal_length_agree_with_the_scalar_rule(text: str, rows: int) -> None:
    check_timestamps(pa.array([text] * rows, pa.string()))


@given(good | fields, st.lists(st.tuples(st.integers(0, 60), chars), max_size=8))
def test_equally_long_rows_with_faults_agree_with_the_scalar_rule(
    text: str, faults: list[tuple[int, str]]
) -> None:
    rows = [text, *(spoiled(text, at, char) for at, char in faults)]
    check_timestamps(pa.array(rows, pa.string()))


@given(st.lists(ids | st.none(), max_size=20))
def test_ids_agree_with_the_scalar_rule(texts: list[str | None]) -> None:
    texts = [text if text is None else text.encode(errors="replace").decode() for text in texts]
    expected = [text is not None and is_equipment_id(text) for text in texts]
    column = pa.array(texts, pa.string())
    assert check_equipment_ids(column).tolist() == expected
    assert check_equipment_ids(pa.array(["x", *texts])[1:]).tolist() == expected
    encoded = encode_equipment_ids(column)
    for row, text in enumerate(texts):
        if text is not None:
            assert encoded.texts[encoded.codes[row]] == text
