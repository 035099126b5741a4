"""Retention over the API of a real server: said first, refused at every door, audited."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


async def imported(api: httpx.AsyncClient, text: str) -> dict[str, Any]:
    answer = await api.post(
        "/api/v1/imports", content=text.encode(), headers={"content-type": "text/csv"}
    )
    async with asyncio.timeout(60):
        while True:
            job: dict[str, Any] = (await api.get(f"/api/v1/imports/{answer.json()['id']}")).json()
            if job["state"] == "done":
                return job
            await asyncio.sleep(0.05)


async def test_what_is_too_old_is_refused_with_its_reason_at_every_door(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old, young = ((now - timedelta(days=days)).isoformat() for days in (50, 5))
    with Server(tmp_path / "data") as server:
        async with server.client() as api:
            for at in (old, young):
                reading = {"equipmentId": "EQ-1", "value": 1, "timestamp": at}
                assert (await api.post("/api/v1/readings", json=reading)).status_code == 204
            asked = (await api.get("/api/v1/retention", params={"days": 40})).json()
            assert (asked["days"], asked["oldest"], asked["keptFrom"]) == (None, None, None)
            assert (asked["wouldDrop"]["readings"], asked["wouldDrop"]["sensors"]) == (1, 1)
            assert (await api.put("/api/v1/retention", json={"days": 7})).status_code == 422
            changed = await api.put("/api/v1/retention", json={"days": 40})
            assert (changed.json()["days"], changed.json()["changedBy"]) == (40, "admin")

            reading = {"equipmentId": "EQ-1", "value": 2, "timestamp": old}
            single = await api.post("/api/v1/readings", json=reading)
            assert single.status_code == 422
            assert single.json()["errors"][0]["field"] == "timestamp"
            assert "older than what is kept" in single.json()["errors"][0]["reason"]
            batch = await api.post(
                "/api/v1/readings", json=[reading, {**reading, "timestamp": young}]
            )
            assert (batch.status_code, batch.json()["accepted"]) == (207, 1)
            job = await imported(
                api, f"equipmentId,timestamp,value\nEQ-1,{old},3\nEQ-1,{young},3\n"
            )
            assert (job["receipt"]["accepted"], job["receipt"]["rejected"]) == (1, 1)
            assert "older than what is kept" in job["receipt"]["errors"][0]["reason"]

            audit = (await api.get("/api/v1/audit", params={"q": "retention"})).json()["items"]
            assert (audit[0]["before"], audit[0]["after"]) == ({"days": None}, {"days": 40})
