"""What every registry promises of what was rejected."""

from __future__ import annotations

from pipewatcher.ports import Registry


class RegistryRejectionsSuite:
    async def test_rejected_readings_are_kept_by_door(self, registry: Registry) -> None:
        assert await registry.rejected() == {}
        await registry.set_rejected({})
        assert await registry.rejected() == {}
        await registry.set_rejected({"http": 2**53 + 1, "mqtt-broker": 1})
        await registry.set_rejected({"mqtt-broker": 7})
        assert await registry.rejected() == {"http": 2**53 + 1, "mqtt-broker": 7}
