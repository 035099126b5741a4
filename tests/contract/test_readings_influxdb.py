from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.readings_suite import ReadingsSuite
from pipewatcher.model.readings import Features
from pipewatcher.readings.influxdb import InfluxDBStore
from servers.influxdb import InfluxDB

pytestmark = pytest.mark.influxdb


@pytest.fixture(scope="module")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with InfluxDB(tmp_path_factory.mktemp("influxdb")) as influxdb:
        yield influxdb


class TestInfluxDBStore(ReadingsSuite):
    features = Features(split_roles=True)

    @pytest.fixture(autouse=True)
    def _on(self, influxdb: InfluxDB) -> None:
        self.influxdb = influxdb

    async def open_store(self, folder: Path) -> InfluxDBStore:
        store = InfluxDBStore(self.influxdb.url(folder.name[:60]))
        await store.open()
        assert store.features == self.features
        return store
