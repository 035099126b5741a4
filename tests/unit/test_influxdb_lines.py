from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.model.readings import Batch
from pipewatcher.readings.influxdb_lines import id_of, points_of

IDS = ("EQ-1", "EQ 2\\", 'say "é"', "a=b,c", "%41", "EQ-1\\")
ORIGINS = ("http:gateway", 'mqtt:"\\ é', "import:7")
LINE = re.compile(
    r"reading,equipmentId=(\S+),part=\d+ "
    r'value=(\S+),origin="((?:\\.|[^"\\])*)" (\S+)'
)

Reading = tuple[int, int, float, int]

readings = st.lists(
    st.tuples(
        st.integers(0, len(IDS) - 1),
        st.integers(-(2**53), 2**53) | st.integers(0, 3),
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, len(ORIGINS) - 1),
    ),
    max_size=30,
)


def _batch(some: Sequence[Reading]) -> Batch:
    ids, times, values, origins = zip(*some, strict=True)
    return Batch(
        equipment_ids=IDS,
        codes=np.array(ids, np.uint32),
        event_times=np.array(times, np.int64),
        values=np.array(values, np.float64),
        origins=ORIGINS,
        origin_codes=np.array(origins, np.uint32),
    )


@given(st.lists(readings, max_size=3))
def test_the_lines_of_deliveries_hold_the_last_write_of_each_reading_bit_by_bit(
    deliveries: list[list[Reading]],
) -> None:
    points = points_of([_batch(some) for some in deliveries if some])
    found = {}
    for start in range(0, len(points), 4):  # in chunks, as they are sent
        text = bytes(points.lines(start, start + 4)).decode()
        assert text.endswith("\n")
        for line in text[:-1].split("\n"):
            match = LINE.fullmatch(line)
            assert match is not None, line
            tag, value, origin, time = match.groups()
            key = (id_of(tag), int(time))
            assert key not in found
            found[key] = (float(value).hex(), re.sub(r"\\(.)", r"\1", origin))
    assert found == {
        (IDS[sensor], time): (value.hex(), ORIGINS[origin])
        for some in deliveries
        for sensor, time, value, origin in some
    }
