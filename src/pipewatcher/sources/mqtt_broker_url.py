"""`mqtt[s]://[user:password@]host[:port]/topic-filter[?ca=…]`, several separated by commas."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from pipewatcher.errors import SettingsError

SETTING = "PIPEWATCHER_MQTT_BROKER"
FORM = "mqtt[s]://user:password@host:port/topic-filter"
SHARE_GROUP = "pipewatcher"

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_URL = re.compile(
    r"(?P<scheme>mqtts?)://(?:(?P<sign_in>[^/@]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^/@:\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
    r"/(?P<filter>[^?@]+)(?:\?(?P<query>.*))?"
)
_FILES = ("ca", "certificate", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTarget:
    host: str
    port: int
    topic_filter: str
    user: str | None
    password: str | None = field(repr=False)
    tls: bool
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def name(self) -> str:
        """For people and metrics; no secret in it."""
        return f"{self.host}:{self.port}/{self.topic_filter}"

    @property
    def origin(self) -> str:
        return f"mqtt-broker:{self.host}"

    def subscription(self, *, shared: bool) -> str:
        """With `shared`, each message goes to one of the gateways that ask for it."""
        if not shared or self.topic_filter.startswith("$share/"):
            return self.topic_filter
        return f"$share/{SHARE_GROUP}/{self.topic_filter}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Raises `SettingsError` for files that cannot be used."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"{SETTING}: ca, certificate or key is no PEM file that can be read."
            ) from error
        return context


def parse_broker_urls(urls: str) -> list[BrokerTarget]:
    """Every `@ : / , ?` inside of a part is written with %. `#` and `+` of the filter stay as they
    are. Query: `ca`, `certificate` and `key` (PEM files; with mqtts).

    Raises `SettingsError`, which never holds the password.
    """
    return [_parse(url.strip()) for url in re.split(r",\s*(?=mqtts?://)", urls.strip())]


def _parse(url: str) -> BrokerTarget:
    match = _URL.fullmatch(url)
    if match is None:
        raise SettingsError(
            f"{SETTING} must look like {FORM}",
            hint="Write @ : / , ? inside of user, password or filter as %40 %3A %2F %2C %3F.",
        )
    scheme = match["scheme"]
    port = int(match["port"] or _PORTS[scheme])
    user, colon, password = (match["sign_in"] or "").partition(":")
    topic_filter = unquote(match["filter"])
    if not 0 < port < 65_536:
        raise SettingsError(f"{SETTING}: there is no port {port}")
    if not _is_filter(topic_filter):
        raise SettingsError(
            f"{SETTING}: {topic_filter} is no topic filter",
            hint="+ stands for a whole level, # for all levels at the end: plant/+/readings",
        )
    query = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
    unknown = query.keys() - set(_FILES)
    if unknown:
        raise SettingsError(f"{SETTING}: unknown {', '.join(sorted(unknown))}; use {FORM}")
    for name, path in query.items():
        if scheme != "mqtts":
            raise SettingsError(f"{SETTING}: {name} needs mqtts://")
        if not Path(path).is_file():
            raise SettingsError(f"{SETTING}: {name}={path} is no file")
    return BrokerTarget(
        host=match["host"].strip("[]"),
        port=port,
        topic_filter=topic_filter,
        user=unquote(user) or None,
        password=unquote(password) if colon else None,
        tls=scheme == "mqtts",
        **query,
    )


def _is_filter(text: str) -> bool:
    levels = text.split("/")
    return (
        "\0" not in text
        and 0 < len(text.encode()) < 60_000
        and all(level in {"+", "#"} or not re.search(r"[+#]", level) for level in levels)
        and "#" not in levels[:-1]
    )
