import sqlite3
from pathlib import Path

import pytest

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
