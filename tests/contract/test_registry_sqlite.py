import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from contract.registry_audit_suite import a_change
from contract.registry_suite import RegistrySuite
from pipewatcher.errors import DataFolderTooNew
from pipewatcher.registry.sqlite import SQLiteRegistry


class TestSQLiteRegistry(RegistrySuite):
    async def open_registry(self, folder: Path) -> SQLiteRegistry:
        registry = SQLiteRegistry(folder / "registry.sqlite")
        await registry.open()
        return registry

    async def test_a_file_of_a_newer_version_is_refused(self, tmp_path: Path) -> None:
        connection = sqlite3.connect(tmp_path / "registry.sqlite")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        registry = SQLiteRegistry(tmp_path / "registry.sqlite")
        with pytest.raises(DataFolderTooNew):
            await registry.open()
        await registry.close()

    async def test_an_entry_of_the_audit_is_neither_changed_nor_cut(self, tmp_path: Path) -> None:
        registry = await self.open_registry(tmp_path)
        await registry.add_change(a_change(), 1)
        await registry.close()
        with closing(sqlite3.connect(tmp_path / "registry.sqlite")) as connection:
            for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit"):
                with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                    connection.execute(statement)
