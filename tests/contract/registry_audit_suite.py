"""What every registry promises of the audit."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipewatcher.audit_chain import BEGINNING, first_broken
from pipewatcher.model.identity import Change
from pipewatcher.ports import Registry


def a_change(n: int = 0, **fields: str) -> Change:
    given = {
        "actor": "anna",
        "by": "session",
        "address": "10.0.0.7",
        "action": "token.create",
        "target": f"token:gw-{n}",
        "after": '{"role":"device"}',
    }
    return Change(**{**given, **fields})


class RegistryAuditSuite:
    async def open_registry(self, folder: Path) -> Registry:
        raise NotImplementedError

    async def test_changes_are_chained_also_when_they_come_at_once(
        self, registry: Registry
    ) -> None:
        added = await asyncio.gather(*(registry.add_change(a_change(n), n) for n in range(20)))
        entries = await registry.changes_after(0, 100)
        assert sorted(added, key=lambda entry: entry.id) == entries
        assert [entry.id for entry in entries] == list(range(1, 21))
        assert entries[0].previous == BEGINNING
        assert first_broken(entries) is None
        assert {entry.target for entry in entries} == {f"token:gw-{n}" for n in range(20)}

    async def test_changes_are_found_newest_first_and_by_words(self, registry: Registry) -> None:
        for n in range(6):
            await registry.add_change(a_change(n, actor="Éva" if n % 2 else "bob"), n)
        newest = await registry.changes(2)
        assert [entry.id for entry in newest] == [6, 5]
        assert [entry.id for entry in await registry.changes(9, before_id=5)] == [4, 3, 2, 1]
        assert [entry.id for entry in await registry.changes(9, q="éVA")] == [6, 4, 2]
        assert [entry.id for entry in await registry.changes(9, q="gw-3")] == [4]
        assert await registry.changes(9, q="GW.3") == []
        assert [entry.id for entry in await registry.changes_after(2, 2)] == [3, 4]

    async def test_the_chain_goes_on_after_a_restart(
        self, registry: Registry, tmp_path: Path
    ) -> None:
        await registry.add_change(a_change(1), 1)
        await registry.close()
        again = await self.open_registry(tmp_path)
        try:
            await again.add_change(a_change(2, before='{"a":[1.5,null,"é"]}'), 2)
            assert first_broken(await again.changes_after(0, 9)) is None
        finally:
            await again.close()
