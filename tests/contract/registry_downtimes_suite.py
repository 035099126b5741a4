"""What every registry promises of its own downtimes."""

from __future__ import annotations

from pipewatcher.model.gaps import Downtime
from pipewatcher.ports import Registry


class RegistryDowntimesSuite:
    async def test_downtimes_are_kept_oldest_first_and_each_start_once(
        self, registry: Registry
    ) -> None:
        assert await registry.downtimes() == []
        late = Downtime(start=2**53 + 1, end=2**53 + 9)
        for one in (late, Downtime(start=5, end=7), Downtime(start=5, end=8)):
            await registry.add_downtime(one)
        assert await registry.downtimes() == [Downtime(start=5, end=8), late]
