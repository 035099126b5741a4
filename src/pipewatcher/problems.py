"""Errors as RFC 9457 problem documents: the one place that maps them to HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from pipewatcher.errors import InvalidRequest, PipeWatcherError
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX, Rejection

PROBLEM_TYPE = "application/problem+json"

_encode = msgspec.json.Encoder().encode


def problem(error: PipeWatcherError, members: Mapping[str, object] | None = None) -> bytes:
    """The body that tells of `error`; `members` are added to it.

    `code` is stable; `title` is the status in words; `detail` and `hint` are for people.
    """
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    if error.hint is not None:
        document["hint"] = error.hint
    if isinstance(error, InvalidRequest):
        document["errors"] = rejections(error.errors)
    if members:
        document.update(members)
    return _encode(document)


def problem_headers(error: PipeWatcherError) -> list[tuple[str, str]]:
    """The headers beside the content type: when to come back, how to sign in."""
    headers = []
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(error.retry_after_s)))
    if error.status == 401:
        headers.append(("www-authenticate", 'Bearer realm="pipewatcher"'))
    return headers


def rejections(errors: Sequence[Rejection]) -> list[dict[str, object]]:
    """The first 100, each with what is known of `index`, `line`, `field`; `reason`, `code`."""
    listed = []
    for error in errors[:RECEIPT_ERRORS_MAX]:
        entry: dict[str, object] = {}
        if error.index is not None:
            entry["index"] = error.index
        if error.line is not None:
            entry["line"] = error.line
        entry.update(field=error.field, reason=error.reason, code=error.code)
        listed.append(entry)
    return listed
