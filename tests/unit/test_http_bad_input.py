"""What bad input gets: the same 4xx problem document by every way in, and good neighbours stay."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from http_harness import DEVICE, JSON, NDJSON, VIEWER, Answered, Running, running

GOOD = {"equipmentId": "GOOD-1", "value": 21.5, "timestamp": "2026-01-31T08:00:00Z"}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("door")) as server:
        yield server


@pytest.fixture(params=["socket", "asgi"])
def over(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def changed(**members: Any) -> bytes:
    return json.dumps({**GOOD, **members}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: GOOD[key] for key in GOOD if key != name}).encode()


def number(text: str) -> bytes:
    return changed().replace(b"21.5", text.encode())


INVALID = {
    "a missing id": (without("equipmentId"), "equipmentId", "missing"),
    "a missing value": (without("value"), "value", "missing"),
    "a missing timestamp": (without("timestamp"), "timestamp", "missing"),
    "no members at all": (b"{}", "equipmentId", "missing"),
    "an empty id": (changed(equipmentId=""), "equipmentId", "empty"),
    "an id of 65 characters": (changed(equipmentId="x" * 65), "equipmentId", "65"),
    "an id with a control character": (changed(equipmentId="a\x00"), "equipmentId", "control"),
    "an id with white space": (changed(equipmentId="a b"), "equipmentId", "white space"),
    "an id with half a surrogate": (changed(equipmentId="\ud800"), "equipmentId", "invisible"),
    "a number for an id": (changed(equipmentId=7), "equipmentId", "string"),
    "a string for a value": (changed(value="21.5"), "value", "number"),
    "a truth value for a value": (changed(value=True), "value", "number"),
    "null for a value": (changed(value=None), "value", "number"),
    "an object for a value": (changed(value={"value": 1}), "value", "number"),
    "NaN": (number("NaN"), "value", "finite"),
    "minus infinity": (number("-Infinity"), "value", "finite"),
    "1e999": (number("1e999"), "value", "finite"),
    "a value of 5,000 digits": (number("9" * 5000), "value", "finite"),
    "no offset": (changed(timestamp="2026-01-31T08:00:00"), "timestamp", "no offset"),
    "31 February": (changed(timestamp="2026-02-31T08:00:00Z"), "timestamp", "no day"),
    "second 60": (changed(timestamp="2026-01-31T08:00:60Z"), "timestamp", "second 60"),
    "hour 24": (changed(timestamp="2026-01-31T24:00:00Z"), "timestamp", "time of day"),
    "an offset without a colon": (changed(timestamp="2026-01-31T08:00:00+0300"), "timestamp", "±"),
    "a day ahead": (changed(timestamp=TOMORROW), "timestamp", "future"),
    "seconds since 1970": (changed(timestamp=1769846400), "timestamp", "string"),
    "words for a timestamp": (changed(timestamp="yesterday"), "timestamp", "RFC 3339"),
    "a repeated member": (changed()[:-1] + b',"value":22}', "value", "more than once"),
    "a repeated id": (changed()[:-1] + b',"equipmentId":"B"}', "equipmentId", "more than once"),
    "a number for a reading": (b"1", "", "object"),
    "null for a reading": (b"null", "", "object"),
    "a string for a reading": (b'"reading"', "", "object"),
}

MALFORMED = {
    "nothing": b"",
    "white space": b" \r\n",
    "a truncated object": changed()[:-5],
    "a truncated array": b"[" + changed() + b",",
    "a trailing comma": changed()[:-1] + b",}",
    "single quotes": changed().replace(b'"', b"'"),
    "something after the object": changed() + b"x",
    "something after the array": b"[" + changed() + b"]]",
    "two objects": changed() + changed(),
    "invalid UTF-8": changed().replace(b"GOOD", b"G\xff\xfeD"),
    "invalid UTF-8 in a member nobody reads": changed()[:-1] + b',"unit":"\xff"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "a million brackets": b"[" * 1_000_000,
    "a million braces": b'{"a":' * 1_000_000,
    "a million brackets in a member": changed()[:-1] + b',"unit":' + b"[" * 1_000_000,
    "NUL bytes": b"\x00" * 100,
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "a CSV": b"timestamp,equipmentId,value\n2026-01-31T08:00:00Z,PUMP-1,1\n",
    "a form": b"equipmentId=PUMP-1&value=1",
    "a line break in a string": changed().replace(b"GOOD-1", b"GOOD\n1"),
}


def check_problem(answer: Answered, status: int, code: str) -> dict[str, Any]:
    assert (answer.status, answer.json.get("code")) == (status, code), answer.body[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert {"type", "title", "detail"} <= answer.json.keys()
    problem: dict[str, Any] = answer.json
    return problem


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_reading_is_a_422_that_names_field_and_reason(
    server: Running, over: str, case: str
) -> None:
    body, field, reason = INVALID[case]
    client = server.client(over)
    problem = check_problem(client.post(body), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert reason in problem["errors"][0]["reason"]
    assert client.post(changed()).status == 204


@pytest.mark.parametrize("case", INVALID)
def test_in_a_batch_an_invalid_reading_is_named_and_its_neighbours_are_kept(
    server: Running, over: str, case: str
) -> None:
    bad, field, reason = INVALID[case]
    name = f"{over}-{case}".replace(" ", "_").replace("'", "")
    good = changed(equipmentId=name[:64])
    client = server.client(over)
    bodies = [
        (b"[" + b",".join([good, bad, good]) + b"]", JSON, {"index": 1}),
        (b"\n".join([good, bad, good]), NDJSON, {"index": 1, "line": 2}),
    ]
    for body, content_type, where in bodies:
        answer = client.post(body, DEVICE | content_type)
        assert answer.status == 207
        error = answer.json["errors"][0]
        assert {key: error[key] for key in where} == where
        assert (error["field"], reason in error["reason"]) == (field, True)
        counts = [answer.json[key] for key in ("received", "accepted", "rejected")]
        assert counts == [3, 2, 1]
    assert len(server.stored_of(name[:64], 4)) == 4


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_json_is_a_400_and_the_connection_goes_on(
    server: Running, over: str, case: str
) -> None:
    client = server.client(over)
    check_problem(client.post(MALFORMED[case]), 400, "malformed")
    assert client.post(changed()).status == 204


@pytest.mark.parametrize(
    "case", [case for case in MALFORMED if case not in {"nothing", "white space"}]
)
def test_malformed_lines_cost_only_themselves(server: Running, over: str, case: str) -> None:
    body = b"\n".join([changed(), MALFORMED[case], changed()])
    answer = server.client(over).post(body, DEVICE | NDJSON)
    assert answer.status == 207
    assert answer.json["accepted"] >= 2
    assert answer.json["errors"][0]["line"] == 2
    assert answer.json["errors"][0]["index"] == 1


@pytest.mark.parametrize(
    ("body", "content_type", "received"),
    [
        (b"[]", JSON, 0),
        (b" [ ] ", JSON, 0),
        (b"", NDJSON, 0),
        (b"\n\n", NDJSON, 0),
        (b"[{},{}]", JSON, 2),
        (b"[[]]", JSON, 1),
        (b"x\ny", NDJSON, 2),
    ],
)
def test_a_batch_without_a_good_reading_is_a_422(
    server: Running, over: str, body: bytes, content_type: dict[str, str], received: int
) -> None:
    problem = check_problem(server.client(over).post(body, DEVICE | content_type), 422, "invalid")
    assert (problem["received"], problem["accepted"]) == (received, 0)
    assert len(problem["errors"]) == received


def test_only_the_first_100_errors_are_listed_and_all_are_counted(
    server: Running, over: str
) -> None:
    answer = server.client(over).post(b"[" + b"{}," * 500 + changed() + b"]")
    assert (answer.status, answer.json["rejected"], len(answer.json["errors"])) == (207, 500, 100)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer pw_wrong-token-0123456789"},
        {"Authorization": "Basic cHc6cHc="},
        {"Cookie": "session=whatever"},
    ],
)
def test_without_a_valid_token_it_is_a_401_before_anything_else(
    server: Running, over: str, headers: dict[str, str]
) -> None:
    answer = server.client(over).post(b"{", headers)
    check_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_that_may_only_read_gets_a_403(server: Running, over: str) -> None:
    check_problem(server.client(over).post(changed(), VIEWER | JSON), 403, "forbidden")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip, gzip"},
    ],
)
def test_other_content_types_and_encodings_are_a_415(
    server: Running, over: str, headers: dict[str, str]
) -> None:
    answer = server.client(over).post(changed(), DEVICE | headers)
    check_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"; profile=x',
    ],
)
def test_parameters_of_the_content_type_do_no_harm(
    server: Running, over: str, content_type: str
) -> None:
    answer = server.client(over).post(changed(), DEVICE | {"Content-Type": content_type})
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_a_405_that_names_the_right_one(
    server: Running, over: str, method: str
) -> None:
    answer = server.client(over).ask(method, "/api/v1/readings", headers=DEVICE)
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


GZIP = DEVICE | JSON | {"Content-Encoding": "gzip"}


def test_gzip_is_read_like_the_plain_body(server: Running, over: str) -> None:
    client = server.client(over)
    assert client.post(gzip.compress(changed()), GZIP).status == 204
    array = b"[" + b",".join([changed()] * 5_000) + b"]"
    answer = client.post(gzip.compress(array), GZIP)
    assert (answer.status, answer.json["accepted"]) == (200, 5_000)
    halves = gzip.compress(array[:1_000]) + gzip.compress(array[1_000:])
    assert client.post(halves, GZIP).status == 200
    check_problem(client.post(gzip.compress(b"{}"), GZIP), 422, "invalid")


@pytest.mark.parametrize(
    "body",
    [changed(), gzip.compress(changed())[:-9], gzip.compress(changed()) + b"rest", b"\x1f\x8b"],
)
def test_a_body_that_is_no_whole_gzip_is_a_400(server: Running, over: str, body: bytes) -> None:
    check_problem(server.client(over).post(body, GZIP), 400, "malformed")


@pytest.mark.parametrize("byte", [b" ", b"["])
def test_a_gzip_bomb_is_a_413(server: Running, over: str, byte: bytes) -> None:
    bomb = gzip.compress(byte * 200_000_000, 6)
    check_problem(server.client(over).post(bomb, GZIP), 413, "body_too_large")


def test_a_declared_80_mb_body_is_a_413_before_it_is_sent(server: Running, over: str) -> None:
    client = server.client(over)
    client.http.putrequest("POST", "/api/v1/readings")
    for name, value in (DEVICE | JSON | {"Content-Length": "80000000"}).items():
        client.http.putheader(name, value)
    client.http.endheaders()
    answer = client.http.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "body_too_large"


def test_a_chunked_body_without_end_is_a_413(server: Running, over: str) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(18):
            yield b" " * 2**20

    answer = server.client(over).post(parts(), DEVICE | JSON)
    check_problem(answer, 413, "body_too_large")


def test_a_batch_of_16_mib_is_taken_whole(server: Running, over: str) -> None:
    items = [changed(equipmentId=f"BIG-{i % 100}") for i in range(100_000)]
    body = b"[" + b",".join(items) + b"]"
    body += b" " * (2**24 - len(body))
    answer = server.client(over).post(body)
    assert (answer.status, answer.json["accepted"]) == (200, 100_000)


def test_both_ways_give_the_same_answers(server: Running) -> None:
    bodies = [body for body, *_ in INVALID.values()] + list(MALFORMED.values())
    bodies += [changed(), b"[" + changed() + b"]", b"[" + changed() + b",{}]"]
    ways = [server.client("socket"), server.client("asgi")]
    for body in bodies:
        one, other = (way.post(body) for way in ways)
        for answer in (one, other):
            del answer.headers["date"]
        assert one == other
