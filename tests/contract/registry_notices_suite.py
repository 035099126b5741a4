"""What every registry promises of notifications, who has read them, and silences."""

from __future__ import annotations

import asyncio

from pipewatcher.model.plant import Notification, Silence
from pipewatcher.ports import Registry


def notice(kind: str = "silent", count: int = 1, **fields: object) -> Notification:
    return Notification(
        id=0, kind=kind, equipment_id=None, created_at=5, count=count, **fields  # type: ignore[arg-type]
    )  # fmt: skip


def silence(name: str, incident: str = "a") -> Silence:
    return Silence(equipment_id=name, since=1, noticed_at=2, source="gw", incident=incident)


class RegistryNoticesSuite:
    async def test_a_notification_is_told_once_and_anew_when_it_grows(
        self, registry: Registry
    ) -> None:
        await registry.register(["EQ-1"], 3)
        await registry.notify(notice(source="gw-1"), "silent:a")
        await registry.notify(notice("import_done", import_id=7, detail="x.csv"), "import:7")
        first = await registry.notifications(10)
        assert [one.kind for one in first] == ["import_done", "silent", "new_sensor"]
        assert (first[0].import_id, first[0].detail, first[1].source) == (7, "x.csv", "gw-1")
        assert (first[2].equipment_id, first[2].count) == ("EQ-1", 1)
        await registry.notify(notice(count=1), "silent:a")
        assert await registry.notifications(10) == first
        await registry.notify(notice(count=3, source="gw-1"), "silent:a")
        grown = await registry.notifications(10)
        assert [(one.kind, one.count) for one in grown] == [
            ("silent", 3), ("import_done", 1), ("new_sensor", 1)
        ]  # fmt: skip
        assert grown[0].id > first[0].id
        after = await registry.notifications_after(first[2].id, 10)
        assert after == [grown[1], grown[0]]
        assert await registry.notifications_after(first[2].id, 1) == [grown[1]]

    async def test_one_key_told_by_many_at_once_is_one_line(self, registry: Registry) -> None:
        await asyncio.gather(*(registry.notify(notice(count=3), "k") for _ in range(6)))
        [one] = await registry.notifications(10)
        assert one.count == 3

    async def test_what_is_read_is_kept_for_each_person(self, registry: Registry) -> None:
        for number in range(4):
            await registry.notify(notice(), f"k{number}")
        ids = [one.id for one in await registry.notifications(10)]
        assert await registry.read_up_to("ana") == 0
        assert await registry.count_unread("ana", 100) == 4
        assert await registry.count_unread("ana", 2) == 2
        await registry.mark_read("ana", ids[1])
        assert await registry.count_unread("ana", 100) == 1
        await registry.mark_read("ana", ids[3])
        assert await registry.read_up_to("ana") == ids[1]
        assert await registry.count_unread("bob", 100) == 4

    async def test_silences_begin_once_and_end(self, registry: Registry) -> None:
        assert await registry.silences() == []
        await registry.begin_silences([])
        await registry.begin_silences([silence("EQ-2"), silence("EQ-1")])
        await registry.begin_silences([silence("EQ-1", "b"), silence("EQ-3", "b")])
        kept = [(one.equipment_id, one.incident) for one in await registry.silences()]
        assert kept == [("EQ-1", "a"), ("EQ-2", "a"), ("EQ-3", "b")]
        await registry.end_silences(["EQ-1", "EQ-3", "never"])
        assert await registry.silences() == [silence("EQ-2")]

    async def test_a_lease_has_one_holder_until_it_ends(self, registry: Registry) -> None:
        assert await registry.claim("watch", "a", 10, 20)
        assert not await registry.claim("watch", "b", 11, 30)
        assert await registry.claim("watch", "a", 15, 25)
        assert not await registry.claim("watch", "b", 24, 30)
        assert await registry.claim("watch", "b", 25, 40)
        assert not await registry.claim("watch", "a", 26, 50)
        assert await registry.claim("other", "a", 26, 50)
        claims = [registry.claim("new", name, 1, 5) for name in "abcdef"]
        assert sum(await asyncio.gather(*claims)) == 1
