"""Prints the real servers that cannot be started here, one `name: why` per line."""

from __future__ import annotations

import importlib

NAMES = (
    "kafka",
    "influxdb",
    "mongodb",
    "mosquitto",
    "haproxy",
    "proxies",
    "openid",
    "wrk",
    "promtool",
)


def missing() -> dict[str, str]:
    found = {}
    for name in NAMES:
        try:
            why = importlib.import_module(f"servers.{name}").missing()
        except ModuleNotFoundError:
            why = "no test starts it yet"
        if why:
            found[name] = why
    return found


if __name__ == "__main__":
    for name, why in missing().items():
        print(f"{name}: {why}")
