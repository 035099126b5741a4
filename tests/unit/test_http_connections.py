"""Connections: framing, order, deadlines, limits and an orderly end, over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_harness import DEVICE, JSON, Running, read_to_end, running
from loop_harness import until
from pipewatcher.errors import Lagging
from pipewatcher.sources.http_door import Limits

NOON = "2026-01-31T12:00:00Z"
HEADERS = b"".join(
    f"{name}: {value}\r\n".encode() for name, value in ({"Host": "x"} | DEVICE | JSON).items()
)
HASTY = Limits(head_s=0.3, body_window_s=0.3, idle_s=0.5, linger_s=0.3, sweep_s=0.05)


def reading(equipment_id: str, value: float = 1.0) -> bytes:
    return json.dumps({"equipmentId": equipment_id, "value": value, "timestamp": NOON}).encode()


def request(body: bytes, more: bytes = b"", start: bytes = b"POST /api/v1/readings") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return start + b" HTTP/1.1\r\n" + HEADERS + more + length + b"\r\n" + body


def answers(raw: socket.socket, count: int) -> list[int]:
    """The status codes of the next `count` answers of a connection that is used for this only."""
    found = []
    for _ in range(count):
        response = http.client.HTTPResponse(raw)
        response.fp.close()
        response.fp = raw.makefile("rb", buffering=0)
        response.begin()
        response.read()
        found.append(response.status)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("door")) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("hasty"), HASTY) as server:
        yield server


@given(st.data())
def test_however_the_bytes_are_cut_the_answers_are_the_same(
    server: Running, data: st.DataObject
) -> None:
    whole = request(reading("CUT")) + request(b"{") + request(reading("CUT"), b"X-Pad: 1\r\n")
    if data.draw(st.booleans()):
        whole += request(b"", start=b"GET /hello")
        wanted = [204, 400, 204, 200]
    else:
        wanted = [204, 400, 204]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for low, high in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            raw.sendall(whole[low:high])
            time.sleep(0.001)
        assert answers(raw, len(wanted)) == wanted


def test_a_request_that_comes_byte_by_byte_is_answered(server: Running) -> None:
    raw = server.raw()
    for byte in request(reading("BYTES")):
        raw.sendall(bytes([byte]))
    assert answers(raw, 1) == [204]


@pytest.mark.parametrize("way", ["socket", "asgi"])
def test_pipelined_readings_are_stored_and_answered_in_order(server: Running, way: str) -> None:
    raw = server.raw()
    name = f"PIPE-{way}"
    requests = [request(reading(name, float(i))) for i in range(500)]
    requests[100] = request(b"[" + reading(name, 100.0) + b"]")
    if way == "asgi":
        requests.insert(0, request(b"", start=b"GET /hello"))
    raw.sendall(b"".join(requests))
    found = answers(raw, len(requests))
    assert [status for status in found if status not in {200, 204}] == []
    assert found.index(200, 1 if way == "asgi" else 0) == requests.index(
        request(b"[" + reading(name, 100.0) + b"]")
    )
    assert [row[2] for row in server.stored_of(name, 500)] == [float(i) for i in range(500)]


def test_a_sender_that_reads_no_answers_is_not_read_any_further(server: Running) -> None:
    raw = server.raw()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.settimeout(1.0)
    sent = 0
    bad = request(b"{") * 1_000
    with suppress(TimeoutError):
        while sent < 100 * 2**20:
            sent += raw.send(bad)
    # Kernel buffers take a few MB; the server itself keeps no more than its bound.
    assert sent < 40 * 2**20


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (request(reading("FORM")), 204),
        (request(reading("FORM"), start=b"POST /api/v1/readings?source=x"), 204),
        (request(reading("FORM"), b"X-Long: " + b"x" * 3_000 + b"\r\n"), 204),
        (request(reading("FORM"), start=b"POST /api/v1/readingsx"), 404),
        (request(reading("FORM"), start=b"POST /api/v1/readings/x"), 404),
        (request(b"", start=b"GET /hello"), 200),
        (request(reading("FORM"), b"Upgrade: websocket\r\nConnection: Upgrade\r\n"), 204),
    ],
)
def test_plain_and_other_requests_find_their_endpoint(
    server: Running, text: bytes, status: int
) -> None:
    raw = server.raw()
    raw.sendall(text)
    assert answers(raw, 1) == [status]


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        request(b"{}").replace(b"Content-Length: 2", b"Content-Length: two"),
        request(b"{}").replace(b"Content-Length: 2", b"Content-Length: -2"),
        request(b"{}").replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 3"),
        request(b"{}", b"Transfer-Encoding: chunked\r\n"),
        request(b"{}", b" folded: x\r\n"),
        request(b"{}", b"Nul: \x00\r\n"),
        request(b"{}").replace(b"HTTP/1.1", b"HTTP/9.9"),
    ],
)
def test_what_is_no_http_is_a_400_problem_and_the_end(server: Running, text: bytes) -> None:
    raw = server.raw()
    raw.sendall(text)
    head, _, body = read_to_end(raw).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "malformed"


@pytest.mark.parametrize("start", [b"POST /api/v1/readings", b"GET /hello"])
def test_a_head_without_end_is_a_400(server: Running, start: bytes) -> None:
    raw = server.raw()
    try:
        raw.sendall(start + b" HTTP/1.1\r\nX: ")
        for _ in range(100):
            raw.sendall(b"x" * 10_000)
    except (BrokenPipeError, ConnectionResetError):
        return
    assert read_to_end(raw).startswith(b"HTTP/1.1 400 ")


def test_a_chunked_body_is_taken(server: Running) -> None:
    answer = server.client().post(iter([b"[", reading("CHUNKED"), b"]"]))
    assert (answer.status, answer.json["accepted"]) == (200, 1)


def test_expect_continue_is_answered_before_the_body_is_sent(server: Running) -> None:
    raw = server.raw()
    body = reading("EXPECT")
    text = request(body, b"Expect: 100-continue\r\n")
    raw.sendall(text[: -len(body)])
    assert raw.recv(1_000).startswith(b"HTTP/1.1 100 ")
    raw.sendall(body)
    assert answers(raw, 1) == [204]


def test_connection_close_and_http_1_0_are_answered_and_closed(server: Running) -> None:
    for text in (
        request(reading("LAST"), b"Connection: close\r\n"),
        request(reading("LAST")).replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        raw = server.raw()
        raw.sendall(text)
        found = read_to_end(raw)
        assert found.startswith(b"HTTP/1.1 204 ")
        assert b"connection: close" in found
    assert len(server.stored_of("LAST", 2)) == 2


def test_a_sender_that_closes_its_half_still_gets_its_answer(server: Running) -> None:
    raw = server.raw()
    raw.sendall(request(reading("HALF")))
    raw.shutdown(socket.SHUT_WR)
    assert read_to_end(raw).startswith(b"HTTP/1.1 204 ")


def test_a_connection_that_breaks_off_leaves_nothing_held(server: Running) -> None:
    for text in (request(reading("GONE"))[:-3], request(b" " * 10**6)[:-100], b"POST"):
        raw = server.raw()
        raw.sendall(text)
        time.sleep(0.05)
        raw.close()
    until(lambda: server.on_loop(lambda: server.intake.inflight_bytes) == 0)
    assert [row for row in server.stored if row[0] == "GONE"] == []


def test_no_answer_is_given_before_the_reading_is_durable(server: Running) -> None:
    blocker = sqlite3.connect(server.folder / "commit.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    raw = server.raw()
    raw.sendall(request(reading("DURABLE")))
    raw.settimeout(0.5)
    with pytest.raises(TimeoutError):
        raw.recv(1)
    assert [row for row in server.stored if row[0] == "DURABLE"] == []
    blocker.execute("ROLLBACK")
    blocker.close()
    raw.settimeout(10)
    assert answers(raw, 1) == [204]
    assert len(server.stored_of("DURABLE", 1)) == 1


def test_who_sent_a_reading_is_kept_with_it(server: Running) -> None:
    server.client().post(reading("ORIGIN"))
    assert server.stored_of("ORIGIN", 1)[0][3] == "http:device"


def unix_request(server: Running, text: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as local:
        local.settimeout(10)
        local.connect(server.uds)
        local.sendall(text)
        return read_to_end(local)


def test_the_unix_socket_needs_no_token_and_says_so_to_the_application(server: Running) -> None:
    close = b"Connection: close\r\n"
    bare = request(reading("LOCAL"), close).replace(DEVICE["Authorization"].encode(), b"x")
    assert unix_request(server, bare).startswith(b"HTTP/1.1 204 ")
    chunked = bare.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    body = reading("LOCAL")
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert unix_request(server, chunked).startswith(b"HTTP/1.1 204 ")
    assert {row[3] for row in server.stored_of("LOCAL", 2)} == {"http:local"}
    hello = request(b"", close, b"GET /hello")
    assert unix_request(server, hello).endswith(b"local")
    assert server.client().ask("GET", "/hello").body == b"hello"


SLOW = {
    "a head": b"POST /api/v1/readings HTTP/1.1\r\nHo",
    "a head of another path": b"GET /hello HTTP/1.1\r\nHo",
    "a first line": b"PO",
    "a body": request(reading("SLOW"))[:-5],
    "a large body": request(b" " * 10**6)[: -5 * 10**5],
    "a chunked body": request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    + b"5\r\n[",
    "an upload": request(b" " * 100, start=b"POST /upload")[:-5],
}


@pytest.mark.parametrize("case", SLOW)
@pytest.mark.parametrize("trickle", [True, False])
def test_a_request_that_does_not_arrive_in_time_is_a_408_and_the_end(
    hasty: Running, case: str, trickle: bool
) -> None:
    raw = hasty.raw()
    raw.sendall(SLOW[case])
    if trickle:
        byte = b"S" if "line" in case else b"x" if "head" in case else b" "
        raw.settimeout(0.02)
        for _ in range(1 if "line" in case else 4):
            try:
                raw.sendall(byte)
                if raw.recv(1, socket.MSG_PEEK):
                    break
            except (TimeoutError, BrokenPipeError):
                continue
        raw.settimeout(10)
    found = read_to_end(raw)
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in found


def test_a_large_body_at_a_fair_rate_is_no_timeout(hasty: Running) -> None:
    for start in (b"POST /api/v1/readings", b"POST /upload"):
        raw = hasty.raw()
        text = request(b" " * 100_000, start=start)
        for at in range(0, len(text), 10_000):
            raw.sendall(text[at : at + 10_000])
            time.sleep(0.08)
        assert answers(raw, 1) == [400 if b"readings" in start else 200]


def test_an_idle_connection_is_closed_without_a_word(hasty: Running) -> None:
    raw = hasty.raw()
    assert read_to_end(raw) == b""
    raw = hasty.raw()
    raw.sendall(request(reading("IDLE")))
    assert answers(raw, 1) == [204]
    assert read_to_end(raw) == b""


def test_connections_over_the_limit_are_told_so_and_the_others_go_on(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections_max=3, sweep_s=0.05, linger_s=0.2)) as server:
        clients = [server.client() for _ in range(3)]
        assert [client.post(reading("MANY")).status for client in clients] == [204] * 3
        over = server.raw()
        found = read_to_end(over)
        assert found.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in found
        assert clients[0].post(reading("MANY")).status == 204
        clients[1].http.close()
        until(lambda: server.door.connections < 3)
        assert server.client().post(reading("MANY")).status == 204


@pytest.mark.parametrize("over", ["socket", "asgi"])
def test_our_own_limits_are_503_with_a_time_to_come_back(tmp_path: Path, over: str) -> None:
    with running(tmp_path, inflight_bytes_max=1_000) as server:
        client = server.client(over)
        intake = server.intake

        def check(code: str, retry_after: str) -> None:
            answer = client.post(reading("LIMIT"))
            assert (answer.status, answer.json["code"]) == (503, code)
            assert answer.headers["retry-after"] == retry_after

        server.on_loop(lambda: intake.hold(999))
        check("busy", "1")
        server.on_loop(lambda: intake.release(999))
        server.on_loop(lambda: setattr(intake, "_backlog_bytes_max", -1))
        check(Lagging.code, "2")
        server.on_loop(lambda: setattr(intake, "_backlog_bytes_max", 10**9))
        server.on_loop(lambda: setattr(intake, "_disk_full", True))
        check("disk_full", "30")
        server.on_loop(lambda: setattr(intake, "_disk_full", False))
        assert client.post(reading("LIMIT")).status == 204
        server.on_loop(intake.stop)
        check("stopping", "5")
        assert [row[0] for row in server.stored_of("LIMIT", 1)] == ["LIMIT"]


def test_at_the_end_requests_that_are_here_whole_are_answered_first(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        blocker = sqlite3.connect(server.folder / "commit.db", isolation_level=None)
        idle, busy, partial = server.raw(), server.raw(), server.raw()
        idle.sendall(request(reading("END")))
        assert answers(idle, 1) == [204]
        blocker.execute("BEGIN IMMEDIATE")
        busy.sendall(request(reading("END")))
        partial.sendall(request(reading("END"))[:-4])
        until(lambda: server.intake.accepted == 2)
        server.server.should_exit = True
        assert read_to_end(idle) == b""
        assert read_to_end(partial).startswith(b"HTTP/1.1 503 ")
        blocker.execute("ROLLBACK")
        blocker.close()
        found = read_to_end(busy)
        assert found.startswith(b"HTTP/1.1 204 ")
        assert b"connection: close" in found
        assert len(server.stored_of("END", 2)) == 2


def test_many_connections_at_once_all_get_their_answers(server: Running) -> None:
    connections: list[Any] = [server.raw() for _ in range(300)]
    for number, raw in enumerate(connections):
        raw.sendall(request(reading("CROWD", number)))
    assert [answers(raw, 1) for raw in connections] == [[204]] * 300
    values = sorted(row[2] for row in server.stored_of("CROWD", 300))
    assert values == [float(i) for i in range(300)]
