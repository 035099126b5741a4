"""Why no MongoDB answers, and what to do about it."""

from __future__ import annotations

from pipewatcher.errors import SettingsError, StoreUnavailable

SETTING = "PIPEWATCHER_REGISTRY"


def no_connection(why: str, *, tls: bool) -> SettingsError | StoreUnavailable:
    """`why` is what the driver says of its last attempt: the cause is only there in words."""
    if "[Errno -" in why or "nodename nor servname" in why:
        return SettingsError(
            f"{SETTING}: no address is known for the host of MongoDB.",
            hint="Check the host's name, and that this machine can look it up.",
        )
    if "CERTIFICATE" in why or "certificate" in why:
        return SettingsError(
            f"{SETTING}: the certificate of MongoDB is not trusted, or is not for this host.",
            hint="Name the authority that signed it with tlsCAFile=/path/ca.pem, and the host as "
            "the certificate does.",
        )
    if (
        "closed" in why
        or "reset by peer" in why
        or "SSL" in why
        or (tls and "Connect call failed" not in why)
    ):
        return SettingsError(
            f"{SETTING}: MongoDB and this address disagree about TLS.",
            hint="Leave tls=true out: the server speaks none, or not on this port."
            if tls
            else "The server hangs up at once: it demands TLS (add tls=true), or it is no MongoDB.",
        )
    return StoreUnavailable(
        f"{SETTING}: no MongoDB answers there.",
        hint="Start it, or check host and port.",
    )
