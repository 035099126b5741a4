"""Whatever OpenAPI allows or forbids: no 500, and answers of the shape that it promises."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server import AUTH, Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENDLESS = "/api/v1/live"
"""Its answer does not end; tests/e2e/test_live.py reads it."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_answer_is_a_500_or_another_than_openapi_promises(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        operations = 0
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.path == ENDLESS:
                continue
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

                @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
                @given(case=operation.as_strategy(generation_mode=mode))
                def check(case: Case) -> None:
                    case.call_and_validate(headers=AUTH, checks=CHECKS)

                with contextlib.suppress(Unsatisfiable):  # nothing to get wrong in a bare GET
                    check()
            operations += 1
        assert operations >= 17
