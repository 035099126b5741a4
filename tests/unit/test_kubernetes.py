"""deploy/kubernetes: what can be told of the manifests without a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipewatcher import __version__
from pipewatcher.capacity.figures import measured
from pipewatcher.capacity.plan import SAFETY, Demand, plan
from pipewatcher.identity.roles import PERMISSIONS
from pipewatcher.settings import PREFIX, Settings

TOP = Path(__file__).parents[2]
FOLDER = TOP / "deploy/kubernetes"
VERSIONS = ("1.30", "1.34")
"""The oldest that knows `preStop: sleep` without a gate, and a newer one."""
MIB = {"Mi": 1, "Gi": 1024}
SETUPS = ("split", "embedded")


def documents(setup: str) -> list[dict[str, Any]]:
    listed = yaml.safe_load((FOLDER / setup / "kustomization.yaml").read_text())["resources"]
    texts = [(FOLDER / setup / name).read_text("utf-8") for name in listed]
    return [one for text in texts for one in yaml.safe_load_all(text)]


EVERYTHING = [(setup, one) for setup in SETUPS for one in documents(setup)]
RUNNING = [one for _, one in EVERYTHING if one["kind"] in {"Deployment", "StatefulSet"}]


def name(one: object) -> str:
    return one if isinstance(one, str) else f"{one['kind']}-{one['metadata']['name']}"  # type: ignore[index]


def container(one: dict[str, Any]) -> dict[str, Any]:
    [found] = one["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def memory_mib(amount: str) -> float:
    return float(amount[:-2]) * MIB[amount[-2:]]


def labels_of(one: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = one["spec"]["template"]["metadata"]["labels"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("setup", "one"), EVERYTHING, ids=name)
def test_each_is_what_kubernetes_schema_says(setup: str, one: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(one, version, strict=True)


def test_a_misspelt_field_would_be_noticed() -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dta": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("setup", SETUPS)
def test_every_file_is_listed_and_the_image_is_of_this_version(setup: str) -> None:
    top = yaml.safe_load((FOLDER / setup / "kustomization.yaml").read_text())
    there = {path.name for path in (FOLDER / setup).glob("*.yaml")} - {"kustomization.yaml"}
    assert set(top["resources"]) == there
    assert [image["newTag"] for image in top["images"]] == [__version__]


@pytest.mark.parametrize("one", RUNNING, ids=name)
def test_it_runs_as_nobody_special_and_writes_to_its_volumes_only(one: dict[str, Any]) -> None:
    pod, runs = one["spec"]["template"]["spec"], container(one)
    uid = re.search(r"^USER (\d+)$", (TOP / "Dockerfile").read_text(), re.MULTILINE)
    assert uid is not None
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(uid[1])
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert runs["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    claims = {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"] for volume in pod["volumes"]} | claims
    assert {mount["name"] for mount in runs["volumeMounts"]} == volumes
    writable = {mount["mountPath"] for mount in runs["volumeMounts"] if not mount.get("readOnly")}
    assert writable <= {"/data", "/tmp", "/backups"}


@pytest.mark.parametrize("one", RUNNING, ids=name)
def test_probes_ask_endpoints_that_are_there_and_open_to_anybody(one: dict[str, Any]) -> None:
    runs = container(one)
    ports = {port["name"] for port in runs["ports"]}
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        asked = runs[probe]["httpGet"]
        assert asked["port"] in ports
        assert PERMISSIONS[f"GET {asked['path']}"] is None
    assert runs["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert runs["livenessProbe"]["httpGet"]["path"] == "/healthz"


def settings() -> Iterator[str]:
    for _, one in EVERYTHING:
        if one["kind"] == "ConfigMap":
            yield from one["data"]
    for one in RUNNING:
        yield from (entry["name"] for entry in container(one).get("env", []))


def test_every_setting_is_one_of_ours_and_secrets_are_files() -> None:
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    named = set(settings())
    assert {setting.removesuffix("_FILE") for setting in named} <= known
    assert f"{PREFIX}COMMIT_LOG_FILE" in named
    assert not any(one["kind"] == "Secret" for _, one in EVERYTHING)
    for one in RUNNING:
        mounted = {v["name"]: v for v in one["spec"]["template"]["spec"]["volumes"]}
        assert mounted["secrets"]["secret"]["secretName"] == "pipewatcher"


@pytest.mark.parametrize("setup", SETUPS)
def test_what_is_referred_to_is_there(setup: str) -> None:
    there = documents(setup)
    by_kind = {(one["kind"], one["metadata"]["name"]): one for one in there}
    running = [one for one in there if one in RUNNING]
    for one in there:
        spec = one.get("spec", {})
        if one["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy"}:
            chosen = spec.get("podSelector", spec.get("selector"))
            wanted = chosen.get("matchLabels", chosen).items()
            assert any(wanted <= labels_of(pod).items() for pod in running), name(one)
        if one["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            assert "replicas" not in by_kind[target["kind"], target["name"]]["spec"]
        if one["kind"] == "Ingress":
            for rule in spec["rules"]:
                service = rule["http"]["paths"][0]["backend"]["service"]
                ports = by_kind["Service", service["name"]]["spec"]["ports"]
                assert service["port"]["name"] in {port["name"] for port in ports}
    for one in running:
        assert one["spec"]["selector"]["matchLabels"] == labels_of(one)


def test_each_role_runs_and_those_that_must_not_be_missed_run_twice() -> None:
    split = {name(one): one for one in documents("split")}
    roles = {container(one)["args"][2]: one for one in split.values() if one in RUNNING}
    assert roles.keys() == {"gateway", "writer", "discovery", "api"}
    assert split["HorizontalPodAutoscaler-pipewatcher-gateway"]["spec"]["minReplicas"] >= 2
    assert roles["writer"]["spec"]["replicas"] >= 2
    for role in ("gateway", "writer"):
        assert split[f"PodDisruptionBudget-pipewatcher-{role}"]["spec"]["maxUnavailable"] == 1


def test_resources_follow_from_the_measured_figures() -> None:
    found = measured()
    given = {
        "gateway": found.gateway_mib,
        "writer": found.writer_mib,
        "discovery": found.discovery_mib,
        "api": found.api_mib,
    }
    for one in RUNNING:
        resources = container(one)["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        role = one["metadata"]["name"].removeprefix("pipewatcher-")
        if role in given:
            assert memory_mib(resources["limits"]["memory"]) == given[role], role
    # The mission's plant for ten years; its volume is the first one.
    [embedded] = [one for one in RUNNING if one["metadata"]["name"] == "pipewatcher"]
    day = 86_400.0
    made = plan(Demand(sensors=2_000, interval_s=60, retention_s=10 * 365 * day), found).embedded
    assert int(container(embedded)["resources"]["requests"]["cpu"]) >= made.cores
    limit = container(embedded)["resources"]["limits"]["memory"]
    assert memory_mib(limit) * 2**20 >= made.memory_bytes
    storage = embedded["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]
    assert memory_mib(storage["storage"]) * 2**20 >= made.disk_bytes


def test_the_autoscaler_keeps_half_of_a_gateway_free() -> None:
    [scaler] = [one for _, one in EVERYTHING if one["kind"] == "HorizontalPodAutoscaler"]
    target = scaler["spec"]["metrics"][0]["resource"]["target"]
    assert target["averageUtilization"] == 100 / SAFETY
