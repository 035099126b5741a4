"""compose.yaml, its secrets and its image: what can be told without a container engine."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest

from compose_stack import COMPOSE, ROOT, SERVICES, let_in, make_secrets
from pipewatcher import __version__
from pipewatcher.commit_log.kafka_url import parse_kafka_url
from pipewatcher.readings.influxdb_http import parse_influxdb_url
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.wiring.doors import INGEST_OPERATIONS

ROLES = ("gateway", "writer", "discovery", "api")
every_service = pytest.mark.parametrize("name", SERVICES)


@every_service
def test_each_image_has_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":v?\d+\.\d+", image), image
    assert name not in ROLES or image == f"pipewatcher:{__version__}"


@every_service
def test_each_service_has_limits_and_comes_back_and_is_looked_after(name: str) -> None:
    service = SERVICES[name]
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or name in ROLES  # those have their image's
    assert service["logging"]["options"]["max-size"]


@every_service
def test_services_can_be_scaled_and_are_opened_to_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert "container_name" not in service
    for port in service.get("ports", []):
        assert name in {"door", "kafka-ui", "mosquitto"}
        assert port.startswith(("127.0.0.1:", "${PIPEWATCHER_ADDRESS:-127.0.0.1}:"))


def test_the_door_sends_readings_to_the_gateways_by_whatever_path_they_come() -> None:
    text = (ROOT / "deploy/compose/haproxy.cfg").read_text("utf-8")
    rule = re.search(r"acl reading path (.*)", text)
    assert rule is not None
    ways = [door.split(" ") for door in INGEST_OPERATIONS]
    assert rule[1].split() == [path for method, path in ways if method == "POST"]


@pytest.mark.parametrize("name", ["gateway", "writer", "discovery"])
def test_copies_of_a_role_share_no_folder(name: str) -> None:
    assert "volumes" not in SERVICES[name]
    assert any(folder.startswith("/data:") for folder in SERVICES[name]["tmpfs"])


def test_tools_are_started_only_when_they_are_asked_for() -> None:
    assert {name for name, one in SERVICES.items() if "profiles" in one} == {"kafka-ui"}
    assert SERVICES["kafka-ui"]["ports"] == ["127.0.0.1:8090:8080"]


def test_the_script_makes_every_secret_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {path.name for path in made.iterdir()} == COMPOSE["secrets"].keys()
    before = {path.name: path.read_text() for path in made.iterdir()}
    (made / "readings").unlink()
    make_secrets(made)
    assert {path.name: path.read_text() for path in made.iterdir()} == before
    other = make_secrets(tmp_path / "other")
    assert not set(before.values()) & {path.read_text() for path in other.iterdir()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in made.iterdir())
    assert len(before["admin-token"]) >= 20


def test_a_device_is_let_in_at_mosquitto_once_with_a_password_of_its_own(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    passwords = [let_in(name, made) for name in ("gw-1", "gw-2")]
    users = (made / "mosquitto-users").read_text().splitlines()
    assert users[1:] == [f"gw-1:{passwords[0]}", f"gw-2:{passwords[1]}"]
    assert users[0].startswith("pipewatcher:")
    for name in ("gw-1", "pipewatcher", "../gw", "a:b"):
        with pytest.raises(subprocess.CalledProcessError):
            let_in(name, made)
    assert (made / "mosquitto-users").read_text().splitlines() == users


def test_each_secret_is_given_to_a_service_and_none_stands_in_a_file_of_the_project(
    tmp_path: Path,
) -> None:
    given = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert given == COMPOSE["secrets"].keys()
    for service in SERVICES.values():
        for setting, value in service.get("environment", {}).items():
            assert "PASSWORD" not in setting or setting.endswith("_FILE"), setting
            assert "@" not in value, setting
    assert "deploy/compose/secrets/" in (ROOT / ".gitignore").read_text()
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_urls_that_the_script_writes_are_understood(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    kafka = parse_kafka_url((made / "commit-log").read_text())
    assert kafka.client["sasl.password"] == (made / "kafka-password").read_text()
    influxdb = parse_influxdb_url((made / "readings").read_text())
    assert influxdb.secret == (made / "influxdb-password").read_text()
    assert (made / "mongodb-password").read_text() in (made / "registry").read_text()
    [broker] = parse_broker_urls((made / "mqtt-broker").read_text())
    assert (made / "mosquitto-users").read_text() == f"{broker.user}:{broker.password}\n"


def test_the_image_is_made_in_stages_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    assert text.count("\nFROM ") == 3
    assert re.search(r"^USER [1-9]\d+$", last, re.MULTILINE)
    assert "--require-hashes" in text
