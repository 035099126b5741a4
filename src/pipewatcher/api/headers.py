"""What every answer tells a browser, and which names it may have asked by."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipewatcher.errors import UnknownHost
from pipewatcher.problems import PROBLEM_TYPE, problem

SECURITY_HEADERS = {
    # The page's own answers have a policy of their own; what is no page runs and frames nothing.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000"
"""One year: a browser that came by TLS once does not come without it again."""


class SecurityHeaders:
    """Adds them to every answer that has none of its own; costs no task and holds nothing back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", HSTS)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class HostCheck:
    """Refuses who asks by a name that is not ours: a foreign name that was pointed at this machine
    (DNS rebinding), or one that would get into the links that we make.

    A request with a token is no browser's and passes, whatever it calls us; so do addresses and
    names without a dot, which nobody outside can point here.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = host_rule(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host")
            if host and "authorization" not in headers and not self._allowed(host):
                await _refuse(send)
                return
        await self._app(scope, receive, send)


def host_rule(allowed: Iterable[str]) -> Callable[[str], bool]:
    """Whether a `Host` header names us. `.example.com` is every name below example.com."""
    own = socket.gethostname().lower()
    names = {own, f"{own}.local", *(name.lower() for name in allowed)}
    suffixes = tuple(name for name in names if name.startswith("."))

    def is_ours(header: str) -> bool:
        name = _name_of(header)
        return name is not None and (
            "." not in name
            or name in names
            or name.endswith((".localhost", *suffixes))
            or _is_address(name)
        )

    return is_ours


def _name_of(header: str) -> str | None:
    """Without port and brackets, in lower case; None when it is no host at all."""
    name, _, port = header.rpartition(":")
    if not name or not port.isdigit():
        name = header
    name = name.removesuffix(".").lower()
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1] if _is_address(name[1:-1]) else None
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name if plain.isalnum() and plain.isascii() else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send) -> None:
    error = UnknownHost()
    body = problem(error)
    headers = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
