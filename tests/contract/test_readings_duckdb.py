from pathlib import Path

from contract.readings_suite import NOON, ReadingsSuite, batches_of
from pipewatcher.model.readings import Features
from pipewatcher.model.time import HOUR, MINUTE
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.duckdb_sql.cursor import one


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

    async def test_a_silence_that_is_asked_for_again_and_again_is_kept_once(
        self, store: DuckDBStore
    ) -> None:
        await store.append(batches_of(self.every_minute("EQ-1", range(30))), {0: 1})
        for asked in range(5):
            now = NOON + HOUR + asked * MINUTE
            await store.await_filling([("EQ-1", NOON + 29 * MINUTE, now)])
        kept = await store._ask(lambda cursor: one(cursor, "SELECT count(*) FROM awaited"))
        assert kept == (1,)
