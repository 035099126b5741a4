"""The bodies of answers: one definition each, for the encoder and for OpenAPI."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from fastapi import Request, Response

from pipewatcher.errors import InvalidRequest
from pipewatcher.model.readings import Rejection
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.problems import PROBLEM_TYPE
from pipewatcher.validate import ReadingFault, parse_timestamp

COMPRESS_BYTES_MIN = 1_024
GZIP_LEVEL = 4
JSON_BYTES_MAX = 64 * 1024
"""Of a request's JSON; readings and uploads have their own limits."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Camel(msgspec.Struct, kw_only=True, rename="camel"):
    """An answer's body: its members are written in camelCase."""


def rfc3339(instant: Micros) -> str:
    """UTC with `Z`; milliseconds, or microseconds where there are any."""
    seconds, micros = divmod(instant, SECOND)
    fraction = f"{micros:06}" if micros % 1_000 else f"{micros // 1_000:03}"
    return f"{_to_the_second(seconds)}.{fraction}Z"


@lru_cache(4_096)
def _to_the_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")


def maybe_rfc3339(instant: Micros | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def instant_of(text: str | None, field: str) -> Micros | None:
    """RFC 3339 with an offset. Raises `InvalidRequest` naming the parameter."""
    if text is None:
        return None
    try:
        return parse_timestamp(text)
    except ReadingFault as error:
        reason = error.reason
        raise InvalidRequest(
            f"{field}: {reason}", [Rejection(field=field, reason=reason)]
        ) from error


def json_answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(body), status, headers, "application/json")


def takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")


def compressed(response: Response, *, gzipped: bool) -> Response:
    """gzip where the client takes it. Half a megabyte takes 10 ms: call it in a thread; what is
    small or streamed is left to the middleware."""
    if gzipped and len(response.body) > COMPRESS_BYTES_MIN:
        response.body = gzip.compress(response.body, GZIP_LEVEL)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
        response.headers["vary"] = "Accept-Encoding"
    return response


def wants_csv(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/csv" in accept and "application/json" not in accept


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def csv_answer(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    return csv_file(name, csv_text(header, rows))


def csv_file(name: str, text: str) -> Response:
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def answers(
    body: type, *, status: int = 200, also_csv: bool = False, errors: Sequence[int] = (422,)
) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the body's schema by reference, and the problems it may answer."""
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}
    }
    if also_csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    return {
        status: {"description": "Done.", "content": content},
        **problems(401, 403, 503, *errors),
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "Refused.", "content": content} for status in sorted(statuses)}
