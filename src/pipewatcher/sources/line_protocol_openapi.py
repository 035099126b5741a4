"""What OpenAPI says of the doors for clients of InfluxDB."""

from __future__ import annotations

from typing import Any

from pipewatcher.sources.http_asgi import BUSY_HEADERS, refusal
from pipewatcher.sources.line_protocol import NANOS


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


_TEXT = {"type": "string"}
_PRECISION = _parameter(
    "precision", "What the timestamps count.", {"type": "string", "enum": list(NANOS)}
)
_NOT_LOOKED_AT = "Taken and not looked at."
_V1 = [
    _parameter("db", _NOT_LOOKED_AT, _TEXT),
    _parameter("rp", _NOT_LOOKED_AT, _TEXT),
    _parameter("u", _NOT_LOOKED_AT, _TEXT),
    _parameter("p", "The token, where it cannot be sent in a header.", _TEXT),
]
_V2 = [_parameter("org", _NOT_LOOKED_AT, _TEXT), _parameter("bucket", _NOT_LOOKED_AT, _TEXT)]
_REFUSED = {
    "description": (
        "Lines were refused, which `errors` names; the readings that `accepted` counts are durable."
        " Without `accepted`: nothing was stored."
    ),
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/LinesRefused"}}
    },
}


def _write(operation_id: str, summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "description": (
            "InfluxDB line protocol, whatever the content type. The tag `equipmentId` names the "
            "sensor and the field `value` is its reading; further fields, and lines without that "
            "tag, get ids of their own. 204 means that every reading is durable. The token may "
            "come as `Token`, `Bearer` or the password of `Basic`."
        ),
        "tags": ["readings"],
        "security": [{"bearer": []}],
        "parameters": [
            _PRECISION,
            *parameters,
            {
                "name": "Content-Encoding",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "enum": ["gzip", "identity"]},
            },
        ],
        "requestBody": {
            "required": True,
            "description": "At most 16 MiB, also after gunzip.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": "pump,equipmentId=PUMP-01 value=21.5 1769846400000000000",
                }
            },
        },
        "responses": {
            "204": {"description": "All readings are durable."},
            "400": _REFUSED,
            "401": refusal("No valid token."),
            "403": refusal("The token may not send readings."),
            "408": refusal("The body did not arrive in time."),
            "413": refusal("Larger than 16 MiB, or too many readings."),
            "415": refusal("Another encoding than gzip."),
            "429": {
                **refusal("More requests a second than this token may send."),
                "headers": BUSY_HEADERS,
            },
            "503": {
                **refusal("At one of our own limits; nothing of this request was stored."),
                "headers": BUSY_HEADERS,
            },
        },
    }


OPERATIONS: dict[str, dict[str, Any]] = {
    "POST /write": _write("writeLines", "Send line protocol, as to InfluxDB 1", _V1),
    "POST /api/v2/write": _write("writeLinesV2", "Send line protocol, as to InfluxDB 2", _V2),
    "GET /ping": {
        "operationId": "ping",
        "summary": "Whether somebody is there",
        "description": "What clients of InfluxDB ask first. Whether it can take readings says "
        "`/readyz`.",
        "tags": ["readings"],
        "responses": {"204": {"description": "Yes."}},
    },
}
"""`METHOD /path` → the operation; they refer to `http_asgi.OPENAPI_SCHEMAS` and these:"""

SCHEMAS: dict[str, Any] = {
    "LinesRefused": {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {
                "type": "object",
                "required": ["error", "message"],
                "properties": {
                    "error": {"type": "string", "description": "Where InfluxDB 1 has it."},
                    "message": {"type": "string", "description": "Where InfluxDB 2 has it."},
                    "received": {"type": "integer"},
                    "accepted": {"type": "integer"},
                    "rejected": {"type": "integer"},
                    "unknownFields": {"type": "integer"},
                },
            },
        ]
    }
}
