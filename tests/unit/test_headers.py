"""Which names a browser may ask by, and the policy under which the page runs."""

from __future__ import annotations

import base64
import hashlib
import socket

import pytest

from pipewatcher.api.headers import host_rule
from pipewatcher.api.page import _policy

is_ours = host_rule(["historian.plant.example", ".plant.example.com"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "192.168.7.20:8000",
        "[::1]:8000",
        "[fe80::1]",
        "localhost:8000",
        "pw.localhost",
        "historian",
        "pipewatcher_api:8000",
        "historian.plant.example",
        "HISTORIAN.plant.example.:8443",
        "a.plant.example.com",
        f"{socket.gethostname()}.local",
    ],
)
def test_a_browser_may_ask_by_address_and_by_our_names(host: str) -> None:
    assert is_ours(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "plant.example.com",
        "evilplant.example.com",
        "historian.plant.example.evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::1",
        "[evil]",
        "::1",
        "a b",
        "evil.example/historian",
        "user@historian",
        "historian:80:90",
        "é",
        ":8000",
        "",
    ],
)
def test_by_another_name_it_may_not(host: str) -> None:
    assert not is_ours(host)


def test_what_stands_in_the_page_runs_by_its_hash_and_nothing_else_does() -> None:
    html = (
        b"<head><style>a{b:c}</style><script>one()</script><script src='/x.js'></script></head>"
        b"<body style='color:red'><script>one()</script></body>"
    )
    policy = dict(part.strip().split(" ", 1) for part in _policy(html).split(";"))
    one, style = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        for text in (b"one()", b"a{b:c}")
    )
    assert policy["script-src"] == f"'self' {one}"
    assert policy["style-src"] == f"'self' {style}"
    assert "unsafe" not in _policy(html)
