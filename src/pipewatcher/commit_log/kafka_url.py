"""`kafka://[user:password@]host:port,…/topic?security=…` → what the Kafka clients are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pipewatcher.errors import SettingsError

PARTITIONS = 12
SETTING = "PIPEWATCHER_COMMIT_LOG"
_FORM = "kafka://[user:password@]host:port,host:port/topic?security=…"
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SECURITY = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_FILES = {
    "ca": "ssl.ca.location",
    "certificate": "ssl.certificate.location",
    "key": "ssl.key.location",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaTarget:
    servers: str
    """`host:port,host:port`"""
    topic: str
    partitions: int
    """At least so many, so that as many writers can share the work."""
    client: Mapping[str, str] = field(repr=False)
    """What every client is configured with; holds the password."""

    def group(self, name: str) -> str:
        """The consumer group's name on the cluster."""
        return f"{self.topic}.{name}"

    @property
    def dead_letters(self) -> str:
        return f"{self.topic}.dead-letters"


def parse_kafka_url(url: str) -> KafkaTarget:
    """Query: `security` (plaintext, ssl, sasl_plaintext, sasl_ssl), `mechanism` (PLAIN,
    SCRAM-SHA-256, SCRAM-SHA-512), `ca`, `certificate` and `key` (PEM files), `partitions` (12).

    Raises `SettingsError`, which never holds the password.
    """
    parts = urlsplit(url)
    sign_in, _, servers = parts.netloc.rpartition("@")
    user, _, password = (unquote(text) for text in sign_in.partition(":"))
    topic = unquote(parts.path.strip("/"))
    if not servers or not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise SettingsError(f"{SETTING} must look like {_FORM}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    security = query.pop("security", "sasl_ssl" if user else "plaintext")
    _check("security", security, _SECURITY)
    if security.startswith("sasl") != bool(user):
        wanted = "needs" if security.startswith("sasl") else "does not use"
        raise SettingsError(f"{SETTING}: security={security} {wanted} a user and password")
    client = {"bootstrap.servers": _with_ports(servers), "security.protocol": security.upper()}
    mechanism = query.pop("mechanism", "PLAIN")
    _check("mechanism", mechanism, _MECHANISMS)
    if user:
        client |= {
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password,
        }
    for name, option in _FILES.items():
        if (path := query.pop(name, None)) is not None:
            if not Path(path).is_file():
                raise SettingsError(f"{SETTING}: {name}={path} is no file")
            client[option] = path
    partitions = query.pop("partitions", str(PARTITIONS))
    if not partitions.isascii() or not partitions.isdigit() or not 1 <= int(partitions) <= 1_000:
        raise SettingsError(f"{SETTING}: partitions must be a number from 1 to 1000")
    if query:
        raise SettingsError(f"{SETTING}: unknown {', '.join(sorted(query))}; use {_FORM}")
    return KafkaTarget(
        servers=client["bootstrap.servers"],
        topic=topic,
        partitions=int(partitions),
        client=client,
    )


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingsError(f"{SETTING}: {name} must be one of {', '.join(known)}")


def _with_ports(servers: str) -> str:
    return ",".join(
        server if re.search(r":[0-9]+$", server) else f"{server}:9092"
        for server in servers.split(",")
    )
