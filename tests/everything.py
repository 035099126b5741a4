"""All that a historian can be asked, for two of them to be compared."""

from __future__ import annotations

from typing import Any

import httpx

from workload import END, ask, folded, stored_of


async def everything(api: httpx.AsyncClient) -> dict[str, Any]:
    """But for what tells one process from another."""
    await folded(api)
    page = await ask(api, "/api/v1/averages", {"window": "365d", "until": END})
    sensors = [item["equipmentId"] for item in page["items"]]
    doors = (await ask(api, "/api/v1/status", {}))["balance"]["doors"]
    gaps = (await ask(api, "/api/v1/gaps", {"limit": "1000"}))["items"]
    lists = ("sensors", "imports", "tokens", "users", "notifications", "dead-letters")
    return {
        "averages": [item | _rounded(item) for item in page["items"]],
        "readings": {sensor: await stored_of(api, sensor) for sensor in sensors},
        **{name: await ask(api, f"/api/v1/{name}", {}) for name in lists},
        # More and more is expected of a silence that goes on.
        "gaps": [gap | {"expected": gap["end"] and gap["expected"]} for gap in gaps],
        "balance": [
            {name: None if name.endswith("SinceStart") else door[name] for name in door}
            for door in doors
        ],
    }


def _rounded(item: dict[str, Any]) -> dict[str, float]:
    """Its means without the last digits, which follow from the order of adding up."""
    return {name: float(f"{item[name]:.12g}") for name in ("mean", "timeWeightedMean")}
