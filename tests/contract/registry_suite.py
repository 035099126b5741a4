"""What every registry promises. An adapter's file gives `open_registry`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from contract.registry_audit_suite import RegistryAuditSuite
from contract.registry_dead_letters_suite import RegistryDeadLettersSuite
from contract.registry_downtimes_suite import RegistryDowntimesSuite
from contract.registry_gaps_suite import RegistryGapsSuite
from contract.registry_identity_suite import RegistryIdentitySuite
from contract.registry_notices_suite import RegistryNoticesSuite
from contract.registry_people_suite import RegistryPeopleSuite
from contract.registry_rejections_suite import RegistryRejectionsSuite
from contract.registry_retention_suite import RegistryRetentionSuite
from pipewatcher.errors import NotFound
from pipewatcher.model.imports import ImportCounts, ImportJob
from pipewatcher.model.readings import Rejection
from pipewatcher.ports import Registry


def a_job(name: str = "x.csv") -> ImportJob:
    return ImportJob(
        id=0,
        state="queued",
        file_name=name,
        created_at=1,
        created_by="admin",
        bytes_total=10,
        content_sha256="00",
    )


class RegistrySuite(
    RegistryDeadLettersSuite,
    RegistryIdentitySuite,
    RegistryAuditSuite,
    RegistryPeopleSuite,
    RegistryGapsSuite,
    RegistryDowntimesSuite,
    RegistryRejectionsSuite,
    RegistryRetentionSuite,
    RegistryNoticesSuite,
):
    async def open_registry(self, folder: Path) -> Registry:
        raise NotImplementedError

    @pytest.fixture
    async def registry(self, tmp_path: Path) -> AsyncIterator[Registry]:
        registry = await self.open_registry(tmp_path)
        yield registry
        await registry.close()

    async def test_each_sensor_is_new_once_ever(self, registry: Registry) -> None:
        assert await registry.register(["B", "a", "É 1".replace(" ", "")], 5) == ["B", "a", "É1"]
        assert await registry.register(["a", "C"], 6) == ["C"]
        assert [s.equipment_id for s in await registry.sensors()] == ["B", "C", "a", "É1"]
        assert (await registry.sensor("a")).created_at == 5

    async def test_two_that_register_at_once_find_each_sensor_once(
        self, registry: Registry
    ) -> None:
        names = [f"EQ-{n}" for n in range(500)]
        found = await asyncio.gather(*(registry.register(names, n) for n in range(4)))
        assert sorted(name for some in found for name in some) == sorted(names)

    async def test_each_sensor_is_notified_once_ever(self, registry: Registry) -> None:
        await registry.register(["B", "a"], 5)
        await asyncio.gather(*(registry.register(["a", "C", "B"], 6) for _ in range(3)))
        newest = await registry.notifications(2)
        older = await registry.notifications(10, before_id=newest[-1].id)
        assert [n.equipment_id for n in newest + older] == ["C", "a", "B"]
        assert {n.kind for n in newest} == {"new_sensor"}
        assert [n.created_at for n in newest + older] == [6, 5, 5]

    async def test_an_id_that_comes_twice_in_one_call_is_one_sensor(
        self, registry: Registry
    ) -> None:
        assert await registry.register(["a", "b", "a"], 5) == ["a", "b"]
        assert len(await registry.notifications(10)) == 2
        assert await registry.register([], 6) == []

    async def test_twenty_thousand_sensors_are_registered_in_one_call(
        self, registry: Registry
    ) -> None:
        names = [f"EQ-{n}" for n in range(20_000)]
        assert len(await registry.register(names, 1)) == 20_000
        assert len(await registry.sensors()) == 20_000

    async def test_a_sensor_is_edited_field_by_field(self, registry: Registry) -> None:
        await registry.register(["EQ-1"], 1)
        await registry.update_sensor("EQ-1", {"name": "P-101", "range_min": -1.5})
        edited = await registry.update_sensor("EQ-1", {"unit": "bar", "name": None})
        assert (edited.name, edited.unit, edited.range_min) == (None, "bar", -1.5)
        assert await registry.sensor("EQ-1") == edited

    async def test_a_sensor_that_is_not_there_is_not_found(self, registry: Registry) -> None:
        with pytest.raises(NotFound):
            await registry.sensor("EQ-1")
        with pytest.raises(NotFound):
            await registry.update_sensor("EQ-1", {"name": "x"})

    @pytest.mark.parametrize(
        "text",
        ["'; DROP TABLE sensor; --", "$where", "a.b.$c", "_id", "new_sensor:a", '\U0001f525é"\\'],
    )
    async def test_texts_are_kept_as_they_are(self, registry: Registry, text: str) -> None:
        other = text.swapcase() + "e\u0301"
        await registry.register([text, other], 1)
        await registry.update_sensor(text, {"name": text, "unit": "\n\0 ", "location": ""})
        sensor = await registry.sensor(text)
        assert (sensor.name, sensor.unit, sensor.location) == (text, "\n\0 ", "")
        assert (await registry.sensor(other)).name is None
        assert await registry.sensors() == sorted(
            [sensor, await registry.sensor(other)], key=lambda s: s.equipment_id
        )
        token = await registry.add_token(text, text, text.encode() * 2, 1)
        assert await registry.tokens() == [token]
        job = msgspec.structs.replace(
            a_job(text),
            unknown_columns=[text, ""],
            errors=[Rejection(line=3, field=text, reason=text)],
        )
        job = await registry.add_import(job)
        assert await registry.import_job(job.id) == job

    async def test_numbers_are_kept_to_the_last_bit(self, registry: Registry) -> None:
        await registry.register(["a"], 2**53 - 1)
        sensor = await registry.update_sensor(
            "a", {"range_min": -1.7976931348623157e308, "range_max": 0.1 + 0.2}
        )
        assert (sensor.range_min, sensor.range_max) == (-1.7976931348623157e308, 0.1 + 0.2)
        assert await registry.sensor("a") == sensor
        assert sensor.created_at == 2**53 - 1

    async def test_what_is_added_at_once_has_one_id_each(self, registry: Registry) -> None:
        tokens = await asyncio.gather(
            *(registry.add_token(f"t{n}", "device", bytes([n]) * 32, 7) for n in range(10))
        )
        assert len({token.id for token in tokens}) == 10
        jobs = await asyncio.gather(*(registry.add_import(a_job(f"{n}.csv")) for n in range(10)))
        kept = [await registry.import_job(job.id) for job in jobs]
        assert {job.file_name for job in kept} == {f"{n}.csv" for n in range(10)}

    async def test_imports_are_numbered_listed_newest_first_and_saved_whole(
        self, registry: Registry
    ) -> None:
        jobs = [await registry.add_import(a_job(f"{n}.csv")) for n in range(4)]
        assert [job.id for job in jobs] == sorted({job.id for job in jobs})
        done = msgspec.structs.replace(
            jobs[0],
            state="done",
            counts=ImportCounts(accepted=3, new=3),
            errors=[Rejection(line=3, field="value", reason="x")],
        )
        await registry.save_import(done)
        assert await registry.import_job(done.id) == done
        assert await registry.import_jobs(2) == [jobs[3], jobs[2]]
        assert await registry.import_jobs(9, before_id=jobs[2].id) == [jobs[1], done]
        with pytest.raises(NotFound):
            await registry.import_job(999)
        with pytest.raises(NotFound):
            await registry.save_import(msgspec.structs.replace(done, id=999))

    async def test_everything_is_there_after_a_restart(
        self, registry: Registry, tmp_path: Path
    ) -> None:
        await registry.register(["EQ-1"], 1)
        token = await registry.add_token("gw", "device", b"1" * 32, 7)
        job = await registry.add_import(a_job())
        await registry.close()
        again = await self.open_registry(tmp_path)
        try:
            assert [s.equipment_id for s in await again.sensors()] == ["EQ-1"]
            assert await again.tokens() == [token]
            assert await again.import_job(job.id) == job
            assert [n.equipment_id for n in await again.notifications(9)] == ["EQ-1"]
            assert await again.register(["EQ-1"], 2) == []
            assert (await again.add_import(a_job())).id > job.id
        finally:
            await again.close()
