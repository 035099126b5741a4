"""What every registry promises of retention."""

from __future__ import annotations

from pipewatcher.model.plant import Retention
from pipewatcher.ports import Registry


class RegistryRetentionSuite:
    async def test_readings_are_kept_for_ever_until_somebody_says_otherwise(
        self, registry: Registry
    ) -> None:
        assert await registry.retention() == Retention(days=None)
        for days in (400, None, 31):
            wanted = Retention(days=days, changed_by="ana", changed_at=2**53 + 1)
            await registry.set_retention(wanted)
            assert await registry.retention() == wanted
