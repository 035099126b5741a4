"""What is wrong with an engine is said at the start: the setting, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from servers.influxdb import PASSWORD as INFLUXDB_PASSWORD
from servers.influxdb import InfluxDB
from servers.kafka import KafkaCluster
from servers.mongodb import MongoDB

PASSWORD = "of-the-plant-0123"
WRONG = "not-the-password-0123"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.kafka,
    pytest.mark.influxdb,
    pytest.mark.mongodb,
]


@dataclass(frozen=True)
class Engines:
    kafka: KafkaCluster
    influxdb: InfluxDB
    mongodb: MongoDB


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("engines")
    with (
        KafkaCluster(folder / "kafka", user="plant", password=PASSWORD) as kafka,
        InfluxDB(folder / "influxdb") as influxdb,
        MongoDB(folder / "mongodb", user="plant", password=PASSWORD) as mongodb,
    ):
        influxdb.query(f"CREATE USER guest WITH PASSWORD '{PASSWORD}'")
        admin = AdminClient(
            {
                "bootstrap.servers": kafka.servers,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "plant",
                "sasl.password": PASSWORD,
            }
        )
        admin.create_topics([NewTopic("old", 1, 1)])["old"].result(30)
        yield Engines(kafka, influxdb, mongodb)


FAULTS: dict[str, tuple[str, Callable[[Engines], str], str]] = {
    "Kafka, wrong password": (
        "COMMIT_LOG",
        lambda e: e.kafka.url().replace(PASSWORD, WRONG),
        "Check user, password, mechanism= and security= in the URL",
    ),
    "Kafka, TLS where there is none": (
        "COMMIT_LOG",
        lambda e: e.kafka.url(security="sasl_ssl"),
        "security= must be what the listener speaks",
    ),
    "Kafka, a topic of one partition": (
        "COMMIT_LOG",
        lambda e: e.kafka.url("old"),
        "Add ?partitions=1 to the URL, or give it more",
    ),
    "InfluxDB, wrong password": (
        "READINGS",
        lambda e: e.influxdb.url(password=WRONG),
        "1.x: influxdb://user:password@",
    ),
    "InfluxDB, a database of others": (
        "READINGS",
        lambda e: e.influxdb.url("others", user="guest", password=PASSWORD),
        'GRANT ALL ON "others" TO "guest"',
    ),
    "InfluxDB, TLS where there is none": (
        "READINGS",
        lambda e: e.influxdb.url().replace("influxdb://", "influxdbs://"),
        "influxdb:// for one without",
    ),
    "MongoDB, wrong password": (
        "REGISTRY",
        lambda e: e.mongodb.url(password=WRONG),
        "password",
    ),
    "MongoDB, a database that cannot be": (
        "REGISTRY",
        lambda e: e.mongodb.url("a b"),
        "mongodb://",
    ),
    "MongoDB, TLS where there is none": (
        "REGISTRY",
        lambda e: e.mongodb.url() + "&tls=true",
        "Leave tls=true out",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_process_that_cannot_start_names_the_setting_and_the_remedy(
    engines: Engines, tmp_path: Path, fault: str
) -> None:
    name, url, remedy = FAULTS[fault]
    known = {k: v for k, v in os.environ.items() if not k.startswith("PIPEWATCHER_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pipewatcher", "serve"],
        env={
            **known,
            "PIPEWATCHER_DATA_DIR": str(tmp_path),
            "PIPEWATCHER_HTTP_PORT": "0",
            f"PIPEWATCHER_{name}": url(engines),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 2, said
    assert f"PIPEWATCHER_{name}" in said
    assert remedy in said
    assert "Traceback" not in said
    for secret in (PASSWORD, WRONG, INFLUXDB_PASSWORD):
        assert secret not in said
