"""What stands behind a port, by the scheme of its setting. Only here adapters are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipewatcher.commit_log.kafka import KafkaCommitLog
from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.errors import SettingsError
from pipewatcher.ports import CommitLog, ReadingsStore, Registry
from pipewatcher.readings.duckdb import DuckDBStore
from pipewatcher.readings.influxdb import InfluxDBStore
from pipewatcher.registry.mongodb import MongoDBRegistry
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.settings import ROLES, Settings

COMMIT_LOGS: dict[str, Callable[[Settings], CommitLog]] = {
    "embedded": lambda s: SQLiteCommitLog(s.data_dir / "commit-log.sqlite"),
    "kafka": lambda s: KafkaCommitLog(s.commit_log),
}
READINGS: dict[str, Callable[[Settings], ReadingsStore]] = {
    "duckdb": lambda s: DuckDBStore(s.data_dir / "readings.duckdb", memory_mb=s.store_memory_mb),
    "influxdb": lambda s: InfluxDBStore(s.readings),
    "influxdbs": lambda s: InfluxDBStore(s.readings),
}
REGISTRIES: dict[str, Callable[[Settings], Registry]] = {
    "sqlite": lambda s: SQLiteRegistry(s.data_dir / "registry.sqlite"),
    "mongodb": lambda s: MongoDBRegistry(s.registry),
    "mongodb+srv": lambda s: MongoDBRegistry(s.registry),
}
ENGINES: dict[str, Mapping[str, Callable[[Settings], Any]]] = {
    "commit_log": COMMIT_LOGS,
    "readings": READINGS,
    "registry": REGISTRIES,
}
EMBEDDED = frozenset({"embedded", "duckdb", "sqlite"})
"""Engines whose files one process holds alone."""


def engine(name: str, settings: Settings) -> Any:
    """What stands behind the setting `commit_log`, `readings` or `registry`, not opened yet.

    Raises `SettingsError`.
    """
    makers = ENGINES[name]
    scheme = scheme_of(getattr(settings, name))
    maker = makers.get(scheme)
    if maker is None:
        known = ", ".join(f"{scheme}:" for scheme in makers)
        raise SettingsError(f"PIPEWATCHER_{name.upper()} must be one of {known}, not {scheme}:")
    return maker(settings)


def check_roles(settings: Settings) -> None:
    """Raises `SettingsError` for an engine that the processes of split roles cannot share."""
    if set(settings.roles.split(",")) == ROLES:
        return
    for name in ("commit_log", "readings", "registry"):
        scheme = scheme_of(getattr(settings, name))
        if scheme in EMBEDDED:
            raise SettingsError(
                f"PIPEWATCHER_ROLES={settings.roles} leaves work to other processes, but "
                f"PIPEWATCHER_{name.upper()}={scheme}: is a file that one process holds alone.",
                hint="Leave PIPEWATCHER_ROLES out, or set kafka://, influxdb:// and mongodb:// "
                "for PIPEWATCHER_COMMIT_LOG, _READINGS and _REGISTRY.",
            )


def scheme_of(url: str) -> str:
    return urlsplit(url).scheme or url
