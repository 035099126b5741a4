"""What every registry promises of the marks that people put on gaps."""

from __future__ import annotations

import msgspec

from pipewatcher.model.gaps import GapMark
from pipewatcher.ports import Registry


def a_mark(equipment_id: str, start: int, **changes: object) -> GapMark:
    mark = GapMark(
        equipment_id=equipment_id,
        start=start,
        end=start + 10,
        state="requested",
        changed_by="ana",
        changed_at=7,
    )
    return msgspec.structs.replace(mark, **changes)


class RegistryGapsSuite:
    async def test_marks_of_gaps_come_back_as_they_were_saved_by_sensor_and_start(
        self, registry: Registry
    ) -> None:
        assert await registry.gap_marks() == []
        marks = [
            a_mark("EQ-2", -5, state="accepted", cause="gateway", note="é 'x'"),
            a_mark("EQ-1", 2**53 + 1),
            a_mark("EQ-1", 3),
        ]
        await registry.save_gap_marks(marks)
        assert await registry.gap_marks() == [marks[2], marks[1], marks[0]]

    async def test_a_later_mark_replaces_that_of_the_same_gap_only(
        self, registry: Registry
    ) -> None:
        await registry.save_gap_marks([a_mark("EQ-1", 1), a_mark("EQ-1", 2)])
        changed = a_mark("EQ-1", 2, state="open", end=99, changed_by="bo")
        await registry.save_gap_marks([changed])
        assert await registry.gap_marks() == [a_mark("EQ-1", 1), changed]
