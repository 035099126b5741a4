"""Every setting, with its unit, default and bounds: environment `PIPEWATCHER_*` over TOML.

A secret may also be given as a file: `PIPEWATCHER_ADMIN_TOKEN_FILE=/run/secrets/admin-token`.
Only the wiring and the commands see this; the stages are given plain values.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from pipewatcher.errors import SettingsError
from pipewatcher.settings_openid import OpenIdSettings, of_environment
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.sources.mqtt_topics import TopicRules

PREFIX = "PIPEWATCHER_"
ROLES = frozenset({"gateway", "writer", "discovery", "api"})

PortOrOff: TypeAlias = Annotated[int, Field(ge=0, le=65535)] | Literal["off"]


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(Path("pipewatcher-data"), description="Folder of the embedded engines.")
    http_host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    http_port: PortOrOff = Field(
        8000, description="Port of API and page without TLS; off, or 0 = any free."
    )
    https_port: PortOrOff = Field(
        8443, description="Their port for TLS, once there is a certificate; off, or 0 = any free."
    )
    mqtt_host: str = Field("127.0.0.1", description="Address of the MQTT listener.")
    mqtt_port: PortOrOff = Field(
        1883, description="Its port; off, or 0 = any free. One that is taken is only a warning."
    )
    mqtt_tls_port: PortOrOff = Field(
        8883, description="Its port for TLS, once there is a certificate."
    )
    tls_cert_file: Path | None = Field(
        None, description="Our certificate with its chain, as PEM; read again when it changes."
    )
    tls_key_file: Path | None = Field(None, description="Its key, as PEM, not encrypted.")
    roles: str = Field(
        "gateway,writer,discovery,api",
        description="What this process does, of gateway, writer, discovery and api.",
    )
    commit_log: str = Field("embedded:", description="Where readings become durable.")
    readings: str = Field("duckdb:", description="Where readings are stored and asked for.")
    registry: str = Field("sqlite:", description="Where sensors, tokens and imports are kept.")
    admin_token: SecretStr | None = Field(
        None,
        description="An admin token of 20 or more characters, valid as long as it is set; "
        "without it one is made at the first start and printed once.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="Where people reach the page, as https://pipewatcher.plant.example; for links.",
    )
    oidc_issuer: str | None = Field(
        None, description="OpenID provider by which people sign in, as https://id.example.com."
    )
    oidc_client_id: str | None = Field(None, description="As what we are registered there.")
    oidc_client_secret: SecretStr | None = Field(None, description="With what we show it.")
    oidc_title: str | None = Field(None, description="What stands on its button; else its host.")
    oidc_scopes: str | None = Field(None, description="What is asked for; openid profile email.")
    oidc_name_claim: str | None = Field(
        None, description="The claim that people are shown by; preferred_username."
    )
    oidc_roles_claim: str | None = Field(None, description="The claim that gives roles; roles.")
    oidc_roles: str | None = Field(
        None, description="Which of its values gives which role: admin=plant-admins, viewer=*."
    )
    openid: tuple[OpenIdSettings, ...] = Field(
        (), description="More providers: [[openid]] in TOML, with name and the keys above."
    )
    allowed_hosts: str = Field(
        "",
        description="Names by which browsers may ask beside PUBLIC_URL's, by commas; .example.com "
        "is all below it. Addresses, names without a dot and this machine's are always allowed.",
    )
    trusted_proxies: str = Field(
        "127.0.0.1, ::1",
        description="Addresses or networks whose X-Forwarded-For and -Proto are believed.",
    )
    plant_name: str | None = Field(
        None, min_length=1, max_length=60, description="What people call the plant; on the page."
    )
    plant_zone: str | None = Field(
        None, description="Time zone of the plant's clocks, as America/Sao_Paulo; on the page."
    )
    future_max_s: int = Field(
        300, ge=0, le=86_400, description="Seconds a reading may lie ahead of our clock."
    )
    disk_free_min_mb: int = Field(
        512, ge=0, description="MiB that must stay free on the data folder's disk; below: 503."
    )
    backlog_max_mb: int = Field(
        1024, ge=1, description="MiB acknowledged but not yet stored; above: 503."
    )
    inflight_max_mb: int = Field(
        256, ge=16, description="MiB of request bodies held in memory at a time; above: 503."
    )
    connections_max: int = Field(
        16_000, ge=16, description="Open HTTP connections; more are answered with 503."
    )
    mqtt_connections_max: int = Field(
        16_000, ge=1, description="Open MQTT connections; more are told that we are busy."
    )
    store_memory_mb: int = Field(
        768, ge=128, description="MiB that the readings store may use for its work."
    )
    mqtt_broker: SecretStr | None = Field(
        None,
        description="MQTT brokers whose readings are taken: "
        "mqtt[s]://user:password@host:port/topic-filter, separated by commas.",
    )
    mqtt_sensor_topic: str = Field(
        "plant/{equipmentId}/value",
        description="MQTT topics that name the sensor of a bare value; + is any level, empty none.",
    )
    mqtt_received_time: bool = Field(
        False,
        description="Whether a value without timestamp, by MQTT, is of the time when it came.",
    )
    dead_letters_max: int = Field(
        10_000, ge=1, description="Dead letters kept; the oldest go first and are counted."
    )
    dead_letters_max_mb: int = Field(64, ge=1, description="MiB of their payloads kept, likewise.")
    log_format: Literal["plain", "json"] = Field("plain", description="Lines on stderr.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe lines that are written."
    )

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, roles: str) -> str:
        names = {name.strip() for name in roles.split(",")}
        if not names <= ROLES:
            raise ValueError(f"roles are {', '.join(sorted(ROLES))}, separated by commas")
        return ",".join(sorted(names))

    @field_validator("mqtt_broker")
    @classmethod
    def _is_broker(cls, urls: SecretStr | None) -> SecretStr | None:
        if urls is None or not urls.get_secret_value().strip():
            return None
        try:
            parse_broker_urls(urls.get_secret_value())
        except SettingsError as error:
            raise ValueError(error.detail) from None
        return urls

    @field_validator("plant_zone")
    @classmethod
    def _is_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError):
                raise ValueError("must be an IANA time zone, as America/Sao_Paulo") from None
        return name

    @field_validator("mqtt_sensor_topic")
    @classmethod
    def _names_a_sensor(cls, template: str) -> str:
        try:
            TopicRules(sensor_topic=template)
        except SettingsError as error:
            raise ValueError(error.detail) from None
        return template

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        for proxy in names_of(proxies):
            ip_network(proxy)
        return proxies

    @model_validator(mode="after")
    def _some_door(self) -> Self:
        if self.http_port == "off" and (self.https_port == "off" or self.tls_cert_file is None):
            raise ValueError(
                f"{PREFIX}HTTP_PORT: off needs TLS: {PREFIX}TLS_CERT_FILE and _HTTPS_PORT"
            )
        return self

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError(
                f"{PREFIX}TLS_CERT_FILE: {PREFIX}TLS_KEY_FILE goes with it, and neither goes alone"
            )
        return self

    @model_validator(mode="after")
    def _whole_providers(self) -> Self:
        names = [provider.name for provider in self.openid_providers]
        if len(set(names)) < len(names):
            raise ValueError(f"openid: each provider needs another name: {', '.join(names)}")
        return self

    @property
    def openid_providers(self) -> tuple[OpenIdSettings, ...]:
        """That of the environment first. Raises `ValueError` when it is not whole."""
        given = {
            name: value
            for name in OpenIdSettings.model_fields
            if (value := getattr(self, f"oidc_{name}", None)) is not None
        }
        return (of_environment(f"{PREFIX}OIDC_", given), *self.openid) if given else self.openid

    @field_validator("admin_token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 20:
            raise ValueError("an admin token has at least 20 characters")
        return token


def names_of(listed: str) -> list[str]:
    """What stands between the commas."""
    return [name.strip() for name in listed.split(",") if name.strip()]


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    **overrides: object,
) -> Settings:
    """Overrides (of the command line) win over the environment, that over the TOML file.

    Raises `SettingsError` with every fault in one message.
    """
    environ = os.environ if environ is None else environ
    faults: list[str] = []
    given = {
        **_from_toml(config, faults),
        **_from_environment(environ, faults),
        **{name: value for name, value in overrides.items() if value is not None},
    }
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        for fault in error.errors():
            # Of a value that may be of several types, each type has its own fault below the name.
            name, *below = fault["loc"] or ("",)
            where = f"{PREFIX}{name}".upper() if name != "openid" else f"[[openid]] {below}"
            faults.append(f"{where}: {fault['msg']}" if name else fault["msg"])
    if faults:
        raise SettingsError("; ".join(faults), hint="`pipewatcher config` lists every setting.")
    return settings


def _from_toml(config: Path | None, faults: list[str]) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(f"{config}: {error}")
        return {}


def _from_environment(environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in Settings.model_fields:
        key = PREFIX + name.upper()
        if key in environ:
            given[name] = environ[key]
        elif f"{key}_FILE" in environ:
            try:
                given[name] = Path(environ[f"{key}_FILE"]).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                faults.append(f"{key}_FILE: {error}")
    return given
