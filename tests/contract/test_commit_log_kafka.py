from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.commit_log_suite import CommitLogSuite
from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.model.readings import Features
from servers.kafka import KafkaCluster

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


class TestKafkaCommitLog(CommitLogSuite):
    features = Features(split_roles=True)

    @pytest.fixture(autouse=True)
    def _on(self, cluster: KafkaCluster) -> None:
        self.cluster = cluster

    async def open_log(self, folder: Path) -> KafkaCommitLog:
        log = KafkaCommitLog(self.cluster.url(topic=folder.name[:100], partitions=3))
        await log.open()
        assert log.features == self.features
        return log
