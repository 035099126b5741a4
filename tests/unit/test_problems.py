"""Every error becomes a problem document with the same members."""

from __future__ import annotations

import json

import pytest

from pipewatcher import errors
from pipewatcher.errors import InvalidRequest, PipeWatcherError
from pipewatcher.model.readings import Rejection
from pipewatcher.problems import problem, problem_headers


def every_error() -> list[type[PipeWatcherError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, PipeWatcherError)]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_is_a_whole_problem_document(kind: type[PipeWatcherError]) -> None:
    document = json.loads(problem(kind()))
    assert (document["status"], document["code"]) == (kind.status, kind.code)
    assert all(document[name] for name in ("type", "title", "detail"))
    headers = dict(problem_headers(kind()))
    assert ("retry-after" in headers) == (kind.status in {429, 503})
    assert ("www-authenticate" in headers) == (kind.status == 401)


def test_an_invalid_request_lists_its_first_100_errors() -> None:
    errors = [Rejection(field="value", reason="is missing", index=i) for i in range(150)]
    listed = json.loads(problem(InvalidRequest(errors=errors)))["errors"]
    assert len(listed) == 100
    assert listed[7] == {
        "index": 7,
        "field": "value",
        "reason": "is missing",
        "code": "invalid_reading",
    }


def test_further_members_are_added() -> None:
    assert json.loads(problem(PipeWatcherError("x"), {"received": 3}))["received"] == 3
