"""Heads of plain requests to send readings, read once and known by their bytes from then on."""

from __future__ import annotations

from dataclasses import dataclass

import httptools

from pipewatcher.sources.http import PATH, Head, read_head

_START = b"POST " + PATH.encode()
_AFTER_PATH = (b" ", b"?")
_NOT_PLAIN = {b"transfer-encoding", b"expect"}

_KNOWN_MAX = 4_096
_KNOWN_BYTES_MAX = 1_024


@dataclass(frozen=True, slots=True)
class KnownHead:
    head: Head
    length: int
    """Of the body, in bytes."""
    last: bool
    """Whether the sender wants the connection closed after the answer."""


def may_become_plain(start: bytes) -> bool:
    """Whether these first bytes of a request may be those of a plain one."""
    return start.startswith(_START) or _START.startswith(start)


class Heads:
    """A device sends the same head again and again: it is parsed the first time only.

    Nothing is decided by what is kept here but what the bytes say; whose token it is, and
    whether it still counts, is asked every time.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, KnownHead] = {}

    def read(self, text: bytes) -> KnownHead | None:
        """`text` ends with the empty line; None when it is not a plain request."""
        known = self._known.get(text)
        if known is None:
            known = _parse(text)
            if known is not None and len(text) <= _KNOWN_BYTES_MAX:
                if len(self._known) >= _KNOWN_MAX:
                    self._known.clear()
                self._known[text] = known
        return known


class _HeadReader:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[bytes, bytes] = {}
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        self.complete = True


def _parse(text: bytes) -> KnownHead | None:
    """None when it is not a plain request to send readings, or no request at all."""
    if not (text.startswith(_START) and text[len(_START) : len(_START) + 1] in _AFTER_PATH):
        return None
    reader = _HeadReader()
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(text)
    except httptools.HttpParserUpgrade:
        pass  # an offer (curl makes it for HTTP/2) that a server is free to overhear
    except httptools.HttpParserError:
        return None
    headers = reader.headers
    if (
        not reader.complete
        or parser.get_http_version() != "1.1"
        or not _NOT_PLAIN.isdisjoint(headers)
    ):
        return None
    length = int(headers.get(b"content-length", b"0"))
    head = read_head(
        headers.get(b"authorization"),
        headers.get(b"content-type"),
        headers.get(b"content-encoding"),
        length,
    )
    return KnownHead(head, length, not parser.should_keep_alive())
