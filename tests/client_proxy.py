"""Between a client and a real server: loses requests, loses answers, or answers for the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

FAULTS = ("lost request", "lost answer", "503", "429", "500 after it was done")


class FaultyServer(ThreadingHTTPServer):
    """Meets the next requests with `faults`, first to last, and passes on the others."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: list[str] = []
        self.met: list[str] = []
        self.target = httpx.Client(base_url=target, timeout=60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are broken on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_POST(self) -> None:
        fault = self.server.faults.pop(0) if self.server.faults else ""
        self.server.met.append(fault)
        body = self.rfile.read(int(self.headers["content-length"]))
        if fault == "lost request":
            self.close_connection = True
        elif fault in {"503", "429"}:
            self._answer(int(fault), b"{}", {"retry-after": "0"})
        else:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            answer = self.server.target.post(self.path, content=body, headers=headers)
            if fault == "lost answer":
                self.close_connection = True
            elif fault:
                self._answer(500, b"{}", {})
            else:
                self._answer(answer.status_code, answer.content, {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Not on the terminal."""


@contextmanager
def faulty(target: str) -> Iterator[FaultyServer]:
    server = FaultyServer(target)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.target.close()
