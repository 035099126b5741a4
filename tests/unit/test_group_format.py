from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.commit_log.group_format import (
    batch_of_readings,
    decode_group,
    encode_batch,
    encode_group,
)
from pipewatcher.errors import CommitLogDamaged
from pipewatcher.model.readings import Batch, ImportBlock

TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=64)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
INSTANTS = st.integers(-(2**62), 2**62)
BLOCKS = st.none() | st.builds(
    ImportBlock,
    import_id=st.integers(0, 2**62),
    block=st.integers(0, 2**62),
    keep_stored=st.booleans(),
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    count = draw(st.integers(1, 40))
    names = draw(st.lists(TEXTS, min_size=1, max_size=5, unique=True))
    origins = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))

    def column(values: st.SearchStrategy[object], kind: type[np.generic]) -> object:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), kind)

    return Batch(
        equipment_ids=names,
        codes=column(st.integers(0, len(names) - 1), np.uint32),
        event_times=column(INSTANTS, np.int64),
        values=column(DOUBLES, np.float64),
        origins=origins,
        origin_codes=column(st.integers(0, len(origins) - 1), np.uint32)
        if len(origins) > 1
        else None,
        block=draw(BLOCKS),
    )


def encoded(group: Sequence[Batch]) -> bytes:
    return encode_group([encode_batch(batch) for batch in group], sum(map(len, group)))


def bits(batch: Batch) -> tuple[object, ...]:
    return (
        list(batch.equipment_ids),
        batch.codes.tolist(),
        batch.event_times.tobytes(),
        batch.values.tobytes(),
        list(batch.origins),
        None if batch.origin_codes is None else batch.origin_codes.tolist(),
        batch.block,
    )


@given(st.lists(batches(), max_size=4))
def test_a_group_comes_back_bit_by_bit(group: list[Batch]) -> None:
    assert [bits(batch) for batch in decode_group(encoded(group))] == [bits(b) for b in group]


@given(st.lists(batches(), min_size=1, max_size=2), st.data())
def test_one_garbled_byte_is_noticed(group: list[Batch], data: st.DataObject) -> None:
    body = bytearray(encoded(group))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CommitLogDamaged):
        decode_group(bytes(body))


@given(st.lists(batches(), min_size=1, max_size=2), st.data())
def test_a_cut_or_lengthened_group_is_noticed(group: list[Batch], data: st.DataObject) -> None:
    body = encoded(group)
    with pytest.raises(CommitLogDamaged):
        decode_group(body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.raises(CommitLogDamaged):
        decode_group(body + b"\0")


@pytest.mark.parametrize("names", [1, 256, 257, 65_536, 65_537])
def test_codes_keep_their_number_at_every_width(names: int) -> None:
    batch = Batch(
        equipment_ids=[f"E{n}" for n in range(names)],
        codes=np.arange(names, dtype=np.uint32),
        event_times=np.arange(names, dtype=np.int64),
        values=np.zeros(names),
        origins=["http:a"],
    )
    [decoded] = decode_group(encoded([batch]))
    assert bits(decoded) == bits(batch)
    assert decoded.codes.dtype == np.uint32


def test_a_thousand_readings_of_few_sensors_take_less_than_eighteen_bytes_each() -> None:
    batch = batch_of_readings(["EQ-1"] * 1_000, range(1_000), [1.5] * 1_000, ["http:a"] * 1_000)
    assert len(encoded([batch])) < 18 * 1_000


def test_readings_that_came_one_by_one_keep_their_order_and_origin() -> None:
    batch = batch_of_readings(["b", "a", "b"], [3, 1, 2], [-0.0, 5e-324, 1.0], ["x", "y", "x"])
    assert batch.origin_codes is not None
    assert [batch.equipment_ids[code] for code in batch.codes] == ["b", "a", "b"]
    assert [batch.origins[code] for code in batch.origin_codes] == ["x", "y", "x"]
    assert batch.event_times.tolist() == [3, 1, 2]
    assert np.signbit(batch.values[0])


def test_a_text_that_would_break_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match="line feed"):
        encode_batch(batch_of_readings(["a\nb"], [1], [1.0], ["x"]))
    with pytest.raises(ValueError, match="line feed"):
        encode_batch(batch_of_readings(["a"], [1], [1.0], ["x\ny"]))


def test_columns_of_different_lengths_are_refused() -> None:
    batch = batch_of_readings(["a", "b"], [1], [1.0], ["x", "x"])
    with pytest.raises(ValueError, match="one length"):
        encode_batch(batch)
