from pathlib import Path

from contract.readings_suite import ReadingsSuite
from pipewatcher.model.readings import Features
from pipewatcher.readings.duckdb import DuckDBStore


class TestDuckDBReadings(ReadingsSuite):
    features = Features(
        cadences=True,
        import_outcomes=True,
        versions=True,
        retention=True,
        stores_position=True,
    )

    async def open_store(self, folder: Path) -> DuckDBStore:
        store = DuckDBStore(folder / "readings.duckdb", memory_mb=512)
        await store.open()
        assert store.features == self.features
        return store
