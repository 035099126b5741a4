"""OpenID providers as they are set up: one by environment, more by TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipewatcher.errors import SettingsError
from pipewatcher.settings import load_settings

SECRET = "hush-hush-hush"
ENVIRONMENT = {
    "PIPEWATCHER_OIDC_ISSUER": "https://id.example.com",
    "PIPEWATCHER_OIDC_CLIENT_ID": "pipewatcher",
    "PIPEWATCHER_OIDC_CLIENT_SECRET": SECRET,
    "PIPEWATCHER_OIDC_ROLES": "admin=bosses, viewer=*",
}
TOML = """
[[openid]]
name = "entra"
title = "Entra ID"
issuer = "https://login.example.com/7/v2.0"
client_id = "7"
client_secret_file = "{file}"
roles = "operator=PipeWatcher.Operator"
"""


def test_one_provider_comes_by_environment_and_others_by_toml(tmp_path: Path) -> None:
    file, toml = tmp_path / "secret", tmp_path / "pipewatcher.toml"
    file.write_text(SECRET + "\n")
    toml.write_text(TOML.format(file=file))
    found = [one.config() for one in load_settings(toml, ENVIRONMENT).openid_providers]
    assert [one.name for one in found] == ["oidc", "entra"]
    assert [one.title for one in found] == ["id.example.com", "Entra ID"]
    assert {one.client_secret for one in found} == {SECRET}
    assert found[1].roles == {"operator": frozenset({"PipeWatcher.Operator"})}


def test_the_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    environ = {**ENVIRONMENT, "PIPEWATCHER_OIDC_CLIENT_SECRET_FILE": str(file)}
    del environ["PIPEWATCHER_OIDC_CLIENT_SECRET"]
    [provider] = load_settings(environ=environ).openid_providers
    assert provider.config().client_secret == SECRET


@pytest.mark.parametrize("left_out", ["ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ROLES"])
def test_what_is_missing_is_named(left_out: str) -> None:
    name = f"PIPEWATCHER_OIDC_{left_out}"
    environ = {key: value for key, value in ENVIRONMENT.items() if key != name}
    with pytest.raises(SettingsError, match=name) as refused:
        load_settings(environ=environ)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSUER", "http://id.example.com"),
        ("ISSUER", "id.example.com"),
        ("ISSUER", "https://id.example.com?x=1"),
        ("ROLES", "admin=*"),
        ("SCOPES", "profile"),
        ("CLIENT_ID", ""),
        ("CLIENT_SECRET", ""),
    ],
)
def test_what_is_wrong_is_named_without_the_secret(name: str, value: str) -> None:
    environ = {**ENVIRONMENT, f"PIPEWATCHER_OIDC_{name}": value}
    with pytest.raises(SettingsError, match=r"PIPEWATCHER_OIDC_|secret is empty") as refused:
        load_settings(environ=environ)
    assert SECRET not in str(refused.value)


def test_each_provider_has_its_own_name(tmp_path: Path) -> None:
    toml = tmp_path / "pipewatcher.toml"
    toml.write_text(TOML.format(file=toml) * 2)
    with pytest.raises(SettingsError, match="entra, entra"):
        load_settings(toml, {})
