"""The Python client by itself: what it takes, what it keeps, what it says."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipewatcher.client import (
    BufferFull,
    BufferInUse,
    BufferUnusable,
    Client,
    ClientError,
    NotSent,
    Reading,
    ReadingsRefused,
    RequestRefused,
    Unreachable,
)
from pipewatcher.client.answers import failure, taken, wait_s
from pipewatcher.client.buffers import Buffer, MemoryBuffer
from pipewatcher.client.disk_buffer import DiskBuffer
from pipewatcher.client.readings import instant, micros

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
TOKEN = "pw_secret0123456789"
NOBODY = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


def reading(number: int) -> Reading:
    return Reading(f"EQ-{number}", number / 4, AT + timedelta(microseconds=number))


def buffer_of(kind: str, folder: Path) -> Buffer:
    return MemoryBuffer(1_000) if kind == "memory" else DiskBuffer(folder / "buffer", 2**20)


def test_it_is_imported_without_anything_of_the_server() -> None:
    script = "import sys, pipewatcher.client; print(' '.join(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in told if name.startswith("pipewatcher")}
    assert {name for name in ours if not name.startswith("pipewatcher.client")} == {"pipewatcher"}
    heavy = {"numpy", "pyarrow", "duckdb", "fastapi", "pydantic", "confluent_kafka", "uvicorn"}
    assert heavy.isdisjoint(told)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_readings_leave_a_buffer_as_they_came_and_once(kind: str, tmp_path: Path) -> None:
    buffer = buffer_of(kind, tmp_path)
    for number in range(10):
        buffer.add([reading(number)])
    assert buffer.oldest(3) == [(number, reading(number)) for number in range(3)]
    buffer.remove(3)
    assert (len(buffer), buffer.next_number()) == (7, 10)
    buffer.remove(2)
    assert [number for number, _ in buffer.oldest(100)] == list(range(3, 10))
    buffer.remove(10)
    buffer.add([reading(10)])
    assert buffer.oldest(9) == [(10, reading(10))]
    buffer.close()


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_full_buffer_takes_all_or_nothing_and_loses_nothing(kind: str, tmp_path: Path) -> None:
    buffer = buffer_of(kind, tmp_path)
    many = [reading(number) for number in range(400)]
    added = 0
    while len(buffer) == added:
        try:
            buffer.add(many)
        except BufferFull:
            break
        added += len(many)
    assert added
    assert len(buffer) == added == len(buffer.oldest(10**6))
    if kind == "disk":
        assert (tmp_path / "buffer").stat().st_size <= 2**20
    buffer.remove(added // 2)
    buffer.add(many[:100])
    assert len(buffer) == added - added // 2 + 100
    buffer.close()


def test_a_buffer_on_disk_goes_on_where_it_was(tmp_path: Path) -> None:
    first = DiskBuffer(tmp_path / "buffer", 2**20)
    first.add([reading(number) for number in range(5)])
    first.remove(5)
    first.add([reading(5)])
    first.close()
    again = DiskBuffer(tmp_path / "buffer", 2**20)
    assert again.oldest(9) == [(5, reading(5))]
    assert (tmp_path / "buffer").stat().st_mode & 0o077 == 0
    again.close()


def test_a_buffer_is_of_one_client_and_no_other_file_is_taken_for_one(tmp_path: Path) -> None:
    with Client(NOBODY, token=TOKEN, buffer=tmp_path / "buffer"), pytest.raises(BufferInUse):
        Client(NOBODY, token=TOKEN, buffer=tmp_path / "buffer")
    (tmp_path / "text").write_text("this is no database, and longer than its header is" * 9)
    with pytest.raises(BufferUnusable):
        DiskBuffer(tmp_path / "text", 2**20)
    assert "no database" in (tmp_path / "text").read_text()
    with pytest.raises(BufferUnusable):
        DiskBuffer(tmp_path / "missing" / "buffer", 2**20)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_keeps_its_microsecond(at: datetime) -> None:
    assert instant(micros(at)) == at


def test_each_reading_that_cannot_be_sent_is_named_and_the_others_are_taken() -> None:
    client = Client(NOBODY, token=TOKEN)
    rows: list[tuple[object, object, object]] = [
        ("EQ-1", 1, AT),
        ("EQ-2", math.nan, AT),
        (7, 1.0, AT),
        ("EQ-3", "1.0", AT),
        ("EQ-4", True, AT),
        ("EQ-5", 1.0, AT.replace(tzinfo=None)),
        ("EQ-6", 10**400, AT),
        ("EQ-7", 1.0, datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
        ("\ud800", 1.0, AT),
        ("EQ-8", 2.5, AT),
    ]
    with pytest.raises(ReadingsRefused) as caught:
        client.write_all(rows)
    named = [(one.row, one.field) for one in caught.value.refused]
    assert named == [
        (1, "value"),
        (2, "equipmentId"),
        (3, "value"),
        (4, "value"),
        (5, "timestamp"),
        (6, "value"),
        (7, "timestamp"),
        (8, "equipmentId"),
    ]
    assert "row 1 ('EQ-2' at 2026-01-31 12:00:00+00:00), value: must be finite" in str(caught.value)
    assert client.waiting == 2
    with pytest.raises(NotSent) as lost:
        client.close(timeout_s=0)
    assert lost.value.readings == 2
    with pytest.raises(ClientError, match="closed"):
        client.write("EQ-1", 1.0)
    client.close()


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("historian:8000", TOKEN),
        ("ftp://historian", TOKEN),
        (f"http://x:{TOKEN}@historian", TOKEN),
        (NOBODY, ""),
        (NOBODY, "pw_a b"),
        (NOBODY, "pw_a\r\nx: y"),
    ],
)
def test_a_wrong_address_or_token_is_told_at_once_and_not_shown(url: str, token: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        Client(url, token=token)
    assert "pw_" not in str(caught.value)


def test_the_token_stands_in_no_text(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(NOBODY, token=TOKEN, buffer=tmp_path / "buffer", batch_wait_s=0)
    client.write("EQ-1", 1.0)
    with pytest.raises(NotSent) as caught:
        client.flush(timeout_s=0.3)
    client.close(timeout_s=0)
    kept = (tmp_path / "buffer").read_bytes()
    texts = [repr(client), str(caught.value), repr(vars(client)), caplog.text, str(kept)]
    assert [text for text in texts if TOKEN in text] == []
    assert "next try" in caplog.text


def answered(status: int, body: object = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body or {}, headers=headers)


BATCH = [(number, reading(number)) for number in range(7, 307)]


def test_an_answer_that_names_some_is_asked_again_for_the_rest() -> None:
    error = {"field": "value", "reason": "no", "code": "invalid_reading"}
    errors = [{"index": index, **error} for index in range(100, 200)]
    body = {"received": 300, "accepted": 150, "rejected": 150, "errors": errors}
    found = taken(answered(207, body), BATCH)
    assert found.up_to == 207
    assert [one.row for one in found.refused] == list(range(107, 207))
    all_named = {**body, "rejected": 100}
    assert taken(answered(422, all_named), BATCH).up_to == 307
    assert taken(answered(200), BATCH).up_to == 307


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 415, 422, 207])
def test_what_no_retry_helps_is_said_and_takes_nothing_out(status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        taken(answered(status, {"code": "some_code", "detail": "why"}), BATCH)
    assert (caught.value.status, caught.value.code) == (status, "some_code")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_a_retry_may_help_is_tried_again_as_the_server_asks(status: int) -> None:
    later = (datetime.now(UTC) + timedelta(seconds=60)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for text, least, most in [("7", 7, 7), (later, 50, 61), ("99999", 300, 300), ("-1", 0, 0)]:
        error = failure(answered(status, **{"retry-after": text}))
        assert isinstance(error, Unreachable)
        assert error.retry_after_s is not None
        assert least <= error.retry_after_s <= most
    for text in ("soon", "nan", ""):
        error = failure(answered(status, **{"retry-after": text}))
        assert isinstance(error, Unreachable)
        assert error.retry_after_s is None


def test_tries_come_further_and_further_apart_and_never_too_far() -> None:
    waits = [wait_s(attempt, None) for attempt in range(2_000)]
    assert 0.25 <= waits[0] <= 0.5
    assert all(15 <= wait <= 30 for wait in waits[10:])
    assert all(7 < wait_s(attempt, 7.0) <= 37 for attempt in range(20))


def test_an_answer_of_something_else_is_not_taken_for_ours() -> None:
    html = httpx.Response(502, content=b"<html>\xff</html>")
    assert isinstance(failure(html), Unreachable)
    body = {"rejected": 1, "errors": [{"index": 9_999}]}
    with pytest.raises(RequestRefused):
        taken(answered(207, body), BATCH)
