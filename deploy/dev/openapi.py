"""Prints the API's description, from which the page's types are made (`make types`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

from pipewatcher.api.app import create_app
from pipewatcher.api.services import Services
from pipewatcher.wiring.doors import INGEST_OPERATIONS, INGEST_SCHEMAS


def described() -> dict[str, Any]:
    """What `/openapi.json` answers, without the version."""
    nothing = cast(Any, object())
    services = Services(
        **(
            dict.fromkeys(Services.__slots__, nothing)
            | {
                "page": Path(),
                "ingest": {},
                "ingest_operations": INGEST_OPERATIONS,
                "ingest_schemas": INGEST_SCHEMAS,
            }
        )
    )
    document = create_app(services).openapi()
    document["info"]["version"] = ""
    return document


if __name__ == "__main__":
    json.dump(described(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
