"""What every readings store promises. An adapter's file gives `open_store` and its `Features`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from oracle import Oracle, Write
from pipewatcher.errors import NotPossible
from pipewatcher.model.figures import SensorAverage
from pipewatcher.model.gaps import EVENT_DRIVEN, Cadence, GapColumns, MendedColumns
from pipewatcher.model.imports import ImportCounts
from pipewatcher.model.readings import Batch, Features, ImportBlock
from pipewatcher.model.time import DAY, HOUR, MINUTE, NO_END, SECOND
from pipewatcher.ports import ReadingsStore
from pipewatcher.validate import EVENT_TIME_MAX, EVENT_TIME_MIN

NOON = 1_676_462_400_000_000  # 2023-02-15T12:00:00Z


def batches_of(writes: Sequence[Write], block: int = 0) -> list[Batch]:
    """Neighbours of one kind become one batch, as the commit log does it."""
    batches: list[Batch] = []
    run: list[Write] = []
    for write in [*writes, None]:
        if run and (
            write is None
            or (write.origin, write.keep_stored) != (run[0].origin, run[0].keep_stored)
        ):
            names = list(dict.fromkeys(w.equipment_id for w in run))
            imported = run[0].origin.startswith("import:")
            batches.append(
                Batch(
                    equipment_ids=names,
                    codes=np.array([names.index(w.equipment_id) for w in run], np.uint32),
                    event_times=np.array([w.event_time for w in run], np.int64),
                    values=np.array([w.value for w in run], np.float64),
                    origins=[run[0].origin],
                    block=ImportBlock(
                        import_id=int(run[0].origin.removeprefix("import:")),
                        block=block + len(batches),
                        keep_stored=run[0].keep_stored,
                    )
                    if imported
                    else None,
                )
            )
            run = []
        if write is not None:
            run.append(write)
    return batches


def near(mean: object) -> object:
    """Equal but for the rounding of a sum in another order."""
    return None if mean is None else pytest.approx(mean, rel=1e-12, abs=1e-9)


async def assert_answers_equal(
    store: ReadingsStore,
    oracle: Oracle,
    windows: Sequence[tuple[int, int]],
    widths: Sequence[int] = (MINUTE, 5 * MINUTE, HOUR, DAY),
) -> None:
    for start, end in windows:
        for now in (end, end + DAY):
            await _assert_averages_and_gaps_equal(store, oracle, start, end, now)
        for width in widths:
            for series in await store.series(oracle.sensors(), start, end, width):
                want_buckets = oracle.buckets(series.equipment_id, start, end, width)
                got_buckets = [
                    {name: getattr(bucket, name) for name in bucket.__struct_fields__}
                    for bucket in series.buckets
                ]
                assert got_buckets == [{**b, "mean": near(b["mean"])} for b in want_buckets]
        for sensor in oracle.sensors():
            got_readings = await store.readings(sensor, start, end, 10_000)
            assert [(r.event_time, r.value, r.origin) for r in got_readings] == oracle.readings(
                sensor, start, end
            )


async def _assert_averages_and_gaps_equal(
    store: ReadingsStore, oracle: Oracle, start: int, end: int, now: int
) -> None:
    """With the cadences that the store has learned or was told."""
    while True:
        cadences = await store.cadences()
        answered = {a.equipment_id: a for a in await store.averages(start, end, now)}
        columns, _ = await store.gaps(start, end, now)
        if cadences == await store.cadences():
            break
    steps = {name: cadence.effective for name, cadence in cadences.items()}
    expected = {s: oracle.average(s, start, end, now, steps.get(s)) for s in oracle.sensors()}
    assert set(answered) == {s for s, average in expected.items() if average is not None}
    for sensor, answer in answered.items():
        want = expected[sensor]
        assert want is not None
        assert msgspec.json.decode(msgspec.json.encode(answer), type=SensorAverage) == answer
        got = {name: getattr(answer, name) for name in want}
        weighted = near(want["time_weighted_mean"])
        if not store.features.cadences:
            absent = ("time_weighted_mean", "oldest_time", "cadence", "gap_time", "longest_gap")
            assert {got.pop(name) for name in absent} == {None}
            want = {name: value for name, value in want.items() if name in got}
            assert got == {**want, "mean": near(want["mean"])}
            continue
        assert got == {**want, "mean": near(want["mean"]), "time_weighted_mean": weighted}
    got_gaps = sorted(gap_rows(columns))
    assert got_gaps == sorted(
        (sensor, *gap)
        for sensor in oracle.sensors()
        for gap in oracle.gaps(sensor, start, end, now, steps.get(sensor))
    )


def gap_rows(columns: GapColumns | MendedColumns) -> list[tuple[str, int, int]]:
    return [
        (columns.equipment_ids[code], start, end)
        for code, start, end in zip(
            columns.codes.tolist(), columns.starts.tolist(), columns.ends.tolist(), strict=True
        )
    ]


def windows_around(instant: int) -> list[tuple[int, int]]:
    return [
        (instant - window, instant)
        for window in (5 * MINUTE, HOUR, 90 * MINUTE, DAY, 2 * DAY, 7 * DAY, 30 * DAY)
    ]


class ReadingsSuite:
    features: Features

    async def open_store(self, folder: Path) -> ReadingsStore:
        raise NotImplementedError

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[ReadingsStore]:
        store = await self.open_store(tmp_path)
        yield store
        await store.close()

    def live(self, *readings: tuple[str, int, float]) -> list[Write]:
        return [Write(*reading, origin="http:admin") for reading in readings]

    async def test_an_empty_store_answers_with_nothing(self, store: ReadingsStore) -> None:
        assert await store.sensors() == []
        assert await store.averages(NOON - DAY, NOON) == []
        assert await store.readings("EQ-1", NOON - DAY, NOON, 10) == []
        [series] = await store.series(["EQ-1"], NOON - DAY, NOON, HOUR)
        assert series.buckets == []
        assert await store.import_counts(1) == ImportCounts()

    async def test_appended_readings_are_seen_by_the_next_question(
        self, store: ReadingsStore
    ) -> None:
        oracle = Oracle()
        writes = self.live(("EQ-1", NOON - HOUR, 1.5), ("EQ-2", NOON - 1, 2.5))
        oracle.write(writes)
        await store.append(batches_of(writes), {0: 1})
        await assert_answers_equal(store, oracle, windows_around(NOON))
        assert sorted(await store.sensors()) == ["EQ-1", "EQ-2"]

    async def test_the_write_that_was_appended_last_stands_however_old_it_is(
        self, store: ReadingsStore
    ) -> None:
        oracle = Oracle()
        for position, value in enumerate([1.0, 2.0, 3.0], start=1):
            writes = self.live(("EQ-1", NOON - 2 * HOUR, value), ("EQ-1", NOON - 9 * DAY, -value))
            oracle.write(writes)
            await store.append(batches_of(writes), {0: position})
            await assert_answers_equal(store, oracle, windows_around(NOON))
            await store.settle()
            await assert_answers_equal(store, oracle, windows_around(NOON))

    async def test_windows_are_half_open(self, store: ReadingsStore) -> None:
        await store.append(
            batches_of(self.live(("EQ-1", NOON - HOUR, 1.0), ("EQ-1", NOON, 100.0))), {0: 1}
        )
        [average] = await store.averages(NOON - HOUR, NOON)
        assert (average.count, average.mean, average.last_value) == (1, 1.0, 1.0)

    async def test_a_sensor_silent_in_the_window_still_tells_its_newest_reading(
        self, store: ReadingsStore
    ) -> None:
        writes = self.live(("EQ-1", NOON - 3 * DAY, 7.0), ("EQ-1", NOON + DAY, 9.0))
        await store.append(batches_of(writes), {0: 1})
        for _ in range(2):
            [average] = await store.averages(NOON - DAY, NOON)
            assert (average.count, average.mean) == (0, None)
            assert (average.last_time, average.last_value) == (NOON - 3 * DAY, 7.0)
            await store.settle()

    @pytest.mark.parametrize("sensors", [31, 31 * 40], ids=["a few sensors", "many sensors"])
    async def test_the_first_and_last_reading_are_told_wherever_in_the_window_they_are(
        self, store: ReadingsStore, sensors: int
    ) -> None:
        start, end = NOON - 7 * DAY, NOON
        places = [start - DAY, start + MINUTE, start + 3 * DAY, end - MINUTE, end + DAY]
        times = {
            f"EQ-{n}": [time + n for bit, time in enumerate(places) if (n % 31 + 1) >> bit & 1]
            for n in range(sensors)
        }
        for position in range(len(places)):
            writes = self.live(
                *(
                    (name, some[position], some[position])
                    for name, some in times.items()
                    if position < len(some)
                )
            )
            await store.append(batches_of(writes), {0: position + 1})
        for _ in range(2):
            answered = {a.equipment_id: a for a in await store.averages(start, end)}
            assert answered.keys() == {name for name, some in times.items() if some[0] < end}
            for name, average in answered.items():
                seen = [time for time in times[name] if time < end]
                inside = [time for time in seen if time >= start]
                assert average.count == len(inside)
                assert average.first_time == (inside[0] if inside else None)
                assert average.last_in_window == (inside[-1] if inside else None)
                assert (average.last_time, average.last_value) == (seen[-1], seen[-1])
            await store.settle()

    async def test_values_come_back_bit_for_bit(self, store: ReadingsStore) -> None:
        values = [-0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1 + 0.2]
        writes = self.live(*(("EQ-1", NOON + i * SECOND, v) for i, v in enumerate(values)))
        await store.append(batches_of(writes), {0: 1})
        await store.settle()
        got = [r.value for r in await store.readings("EQ-1", NOON, NOON + HOUR, 10)]
        assert np.array(got).tobytes() == np.array(values).tobytes()

    async def test_the_mean_of_huge_values_stays_finite(self, store: ReadingsStore) -> None:
        huge = 1.7e308
        writes = self.live(*(("EQ-1", NOON + i, huge) for i in range(5)))
        await store.append(batches_of(writes), {0: 1})
        for _ in range(2):
            [average] = await store.averages(NOON, NOON + HOUR)
            assert average.mean == pytest.approx(huge)
            await store.settle()

    @pytest.mark.parametrize("start", [EVENT_TIME_MIN, EVENT_TIME_MAX - DAY])
    async def test_a_span_at_the_end_of_time_is_empty(
        self, store: ReadingsStore, start: int
    ) -> None:
        await store.append(batches_of(self.live(("EQ-1", NOON, 1.0))), {0: 1})
        assert await store.readings("EQ-1", start, start + DAY, 10) == []
        assert sum(average.count for average in await store.averages(start, start + DAY)) == 0

    async def test_readings_are_limited_from_the_oldest(self, store: ReadingsStore) -> None:
        writes = self.live(*(("EQ-1", NOON + i, float(i)) for i in range(10)))
        await store.append(batches_of(writes), {0: 1})
        assert [r.value for r in await store.readings("EQ-1", NOON + 2, NOON + 9, 3)] == [2, 3, 4]

    async def test_what_was_appended_is_there_after_a_restart(
        self, store: ReadingsStore, tmp_path: Path
    ) -> None:
        oracle = Oracle()
        for position in range(1, 4):
            writes = self.live((f"EQ-{position}", NOON - position * HOUR, float(position)))
            oracle.write(writes)
            await store.append(batches_of(writes), {0: position})
        await store.close()
        again = await self.open_store(tmp_path)
        try:
            await assert_answers_equal(again, oracle, windows_around(NOON))
            if self.features.stores_position:
                assert await again.position() == {0: 3}
        finally:
            await again.close()

    async def test_appending_the_same_delivery_twice_changes_no_answer(
        self, store: ReadingsStore
    ) -> None:
        oracle = Oracle()
        writes = [
            *self.live(("EQ-1", NOON - HOUR, 1.0)),
            Write("EQ-1", NOON - 2 * HOUR, 2.0, "import:1"),
        ]
        oracle.write(writes)
        for _ in range(2):
            await store.append(batches_of(writes), {0: 5})
            await store.settle()
        await assert_answers_equal(store, oracle, windows_around(NOON))
        if self.features.import_outcomes:
            assert (await store.import_counts(1)).accepted == 1

    async def test_an_import_is_split_into_what_its_rows_did(self, store: ReadingsStore) -> None:
        times = [NOON - i * MINUTE for i in range(4)]
        await store.append(
            batches_of(self.live(("EQ-1", times[0], 1.0), ("EQ-1", times[1], 1.0))), {0: 1}
        )
        rows = [
            Write("EQ-1", times[0], 1.0, "import:7"),
            Write("EQ-1", times[1], 2.0, "import:7"),
            Write("EQ-1", times[2], 3.0, "import:7"),
            Write("EQ-1", times[3], 3.0, "import:7"),
            Write("EQ-1", times[3], 4.0, "import:7"),
        ]
        await store.append(batches_of(rows), {0: 2})
        await store.settle()
        counts = await store.import_counts(7)
        if self.features.import_outcomes:
            assert counts == ImportCounts(
                accepted=5, new=2, identical=1, corrected=1, repeated=1, next_block=1
            )
        else:
            assert counts == ImportCounts()

    async def test_an_import_may_leave_stored_values_alone(self, store: ReadingsStore) -> None:
        await store.append(batches_of(self.live(("EQ-1", NOON, 1.0))), {0: 1})
        rows = [
            Write("EQ-1", NOON, 2.0, "import:3", keep_stored=True),
            Write("EQ-1", NOON + 1, 5.0, "import:3", keep_stored=True),
        ]
        await store.append(batches_of(rows), {0: 2})
        await store.settle()
        got = await store.readings("EQ-1", NOON, NOON + HOUR, 10)
        if not self.features.import_outcomes:
            assert await store.import_counts(3) == ImportCounts()
            return
        assert [(r.value, r.origin) for r in got] == [(1.0, "http:admin"), (5.0, "import:3")]
        counts = await store.import_counts(3)
        assert (counts.new, counts.skipped, counts.accepted) == (1, 1, 2)

    async def test_an_import_is_undone_and_a_readings_history_is_told(
        self, store: ReadingsStore
    ) -> None:
        if not self.features.versions:
            for asked in (store.undo(2), store.preview_undo(2), store.history("EQ-1", NOON)):
                with pytest.raises(NotPossible):
                    await asked
            return
        oracle = Oracle()
        steps = [
            self.live(("EQ-1", NOON, 1.0)),
            [Write("EQ-1", NOON + n, 2.0 + n, "import:1") for n in range(3)],
            [Write("EQ-1", NOON + n, 3.0 + n, "import:2") for n in range(2)],
            self.live(("EQ-1", NOON + 1, 9.0)),
        ]
        for position, step in enumerate(steps, start=1):
            oracle.write(step)
            await store.append(batches_of(step), {0: position})
        told = [(v.value, v.origin) for v in await store.history("EQ-1", NOON)]
        assert told == [(3.0, "import:2"), (2.0, "import:1"), (1.0, "http:admin")]
        assert [v.value for v in await store.history("EQ-1", NOON + 1)] == [9.0]
        assert await store.history("EQ-1", NOON + 3) == []
        assert await store.history("EQ-2", NOON) == []
        for import_id in (1, 2):
            preview = await store.preview_undo(import_id)
            undone = await store.undo(import_id)
            assert (undone.removed, undone.restored) == oracle.undo(import_id)
            assert (preview.removed, preview.restored) == (undone.removed, undone.restored)
            assert await store.undo(import_id) == undone
            await assert_answers_equal(store, oracle, windows_around(NOON + HOUR))
        assert [v.value for v in await store.history("EQ-1", NOON)] == [1.0]

    def every_minute(self, sensor: str, minutes: range, origin: str = "http:admin") -> list[Write]:
        return [Write(sensor, NOON + n * MINUTE, float(n), origin) for n in minutes]

    async def test_a_cadence_is_learned_from_20_steps_on(self, store: ReadingsStore) -> None:
        if not self.features.cadences:
            assert await store.cadences() == {}
            return
        await store.append(batches_of(self.every_minute("EQ-1", range(20))), {0: 1})
        await store.settle()
        assert await store.cadences() == {}
        await store.append(batches_of(self.every_minute("EQ-1", range(20, 21), "import:1")), {0: 2})
        await store.settle()
        assert await store.cadences() == {"EQ-1": Cadence(learned=MINUTE)}

    async def test_a_cadence_that_is_set_goes_before_what_is_learned_and_survives_a_restart(
        self, store: ReadingsStore, tmp_path: Path
    ) -> None:
        if not self.features.cadences:
            return
        oracle = Oracle()
        writes = self.every_minute("EQ-1", range(40)) + self.every_minute("EQ-2", range(2))
        oracle.write(writes)
        await store.append(batches_of(writes), {0: 1})
        await store.set_cadences({"EQ-1": 10 * SECOND, "EQ-2": MINUTE, "EQ-unknown": MINUTE})
        await assert_answers_equal(store, oracle, windows_around(NOON + HOUR))
        await store.settle()
        await assert_answers_equal(store, oracle, windows_around(NOON + HOUR))
        await store.close()
        again = await self.open_store(tmp_path)
        try:
            assert await again.cadences() == {
                "EQ-1": Cadence(learned=MINUTE, setting=10 * SECOND),
                "EQ-2": Cadence(setting=MINUTE),
            }
            await assert_answers_equal(again, oracle, windows_around(NOON + HOUR))
            await again.set_cadences({"EQ-1": None})
            await assert_answers_equal(again, oracle, windows_around(NOON + HOUR))
            columns, _ = await again.gaps(NOON, NOON + HOUR, NOON + 42 * MINUTE)
            assert gap_rows(columns) == [("EQ-2", NOON + MINUTE, NO_END)]
        finally:
            await again.close()

    async def test_an_event_driven_sensor_has_no_gaps(self, store: ReadingsStore) -> None:
        if not self.features.cadences:
            return
        writes = [w for w in self.every_minute("EQ-1", range(60)) if not 20 < w.value < 50]
        await store.append(batches_of(writes), {0: 1})
        await store.settle()
        columns, _ = await store.gaps(NOON, NOON + DAY, NOON + DAY)
        assert len(columns) == 2
        await store.set_cadences({"EQ-1": EVENT_DRIVEN})
        columns, _ = await store.gaps(NOON, NOON + DAY, NOON + DAY)
        assert len(columns) == 0
        [average] = await store.averages(NOON, NOON + DAY)
        assert (average.cadence, average.gap_time) == (None, None)

    async def test_what_came_into_a_gap_is_remembered_with_its_origin(
        self, store: ReadingsStore
    ) -> None:
        if not self.features.cadences:
            return
        writes = [w for w in self.every_minute("EQ-1", range(60)) if not 20 < w.value < 50]
        await store.append(batches_of(writes), {0: 1})
        await store.settle()
        whole = ("EQ-1", NOON + 20 * MINUTE, NOON + 50 * MINUTE)
        for position, minutes in enumerate([range(25, 30), range(30, 45)], start=2):
            rows = self.every_minute("EQ-1", minutes, "import:4")
            await store.append(batches_of(rows), {0: position})
            await store.settle()
            columns, mended = await store.gaps(NOON, NOON + HOUR, NOON + HOUR)
            assert gap_rows(mended) == [whole]
            assert mended.origins == ["import:4"]
        assert gap_rows(columns) == [
            ("EQ-1", NOON + 20 * MINUTE, NOON + 25 * MINUTE),
            ("EQ-1", NOON + 44 * MINUTE, NOON + 50 * MINUTE),
        ]

    async def test_what_comes_into_an_awaited_silence_in_order_is_remembered_too(
        self, store: ReadingsStore
    ) -> None:
        if not self.features.cadences:
            with pytest.raises(NotPossible):
                await store.await_filling([("EQ-1", NOON, NOON + HOUR)])
            return
        await store.append(batches_of(self.every_minute("EQ-1", range(30))), {0: 1})
        await store.settle()
        silence = ("EQ-1", NOON + 29 * MINUTE, NOON + 50 * MINUTE)
        await store.await_filling([("EQ-1", NOON + 29 * MINUTE, NOON + 40 * MINUTE)])
        await store.await_filling([silence, ("EQ-unknown", NOON, NOON + HOUR)])
        for position, minutes in enumerate([range(30, 45), range(45, 60), range(60, 70)], start=2):
            rows = self.every_minute("EQ-1", minutes, "import:4")
            await store.append(batches_of(rows), {0: position})
            await store.settle()
            _, mended = await store.gaps(NOON, NOON + HOUR, NOON + HOUR)
            assert gap_rows(mended) == [silence]
            assert mended.origins == ["import:4"]
