"""Holds what is stored against the ledger, and each answer against brute force."""

from __future__ import annotations

import asyncio
import itertools
import math
from datetime import datetime
from typing import Any

import httpx

from faults.doors import FAR
from faults.ledger import Ledger
from oracle import time_weighted_mean
from workload import END, ask, instant, stored_of

SAME = 1e-12
PARTS = ("new", "identical", "corrected", "repeated", "skipped", "unfolded")
WINDOW_DAYS = 200
SECOND = 1_000_000
TOLD_WITHIN_S = 30.0
BEHIND_FAR = FAR.replace("01T", "02T")


async def check(api: httpx.AsyncClient, ledger: Ledger, *, cadences: bool) -> int:
    """How many readings were compared. `cadences`: the store learns them, and knows of gaps."""
    compared = 0
    page = await ask(api, "/api/v1/averages", {"window": f"{WINDOW_DAYS}d", "until": END})
    means = {item["equipmentId"]: item for item in page["items"]}
    sensors = await ask(api, "/api/v1/sensors", {})
    known = {item["equipmentId"]: item for item in sensors["items"]}
    assert set(means) <= ledger.sensors(), "a sensor that nobody sent"
    acknowledged = {sensor for sensor, _ in ledger.acknowledged}
    assert acknowledged <= set(known), "a sensor that was never registered"
    for sensor in sorted(ledger.sensors()):
        stored = await stored_of(api, sensor)
        for at, allowed in ledger.of(sensor).items():
            if (sensor, at) in ledger.acknowledged or at in stored:
                found = stored.get(at)
                assert found in allowed, ("lost or changed", sensor, at, found, allowed)
            compared += 1
        strangers = stored.keys() - ledger.of(sensor).keys()
        assert not strangers, (sensor, "was never sent", strangers)
        far = {"equipmentId": sensor, "start": FAR, "end": BEHIND_FAR}
        refused = (await ask(api, "/api/v1/readings", far))["items"]
        assert not refused, (sensor, "was refused and is stored", refused)
        if not stored:
            continue
        _check_mean(means[sensor], stored)
        if cadences:
            cadence = known[sensor]["learnedCadenceSeconds"]
            await _check_missing(api, sensor, stored, means[sensor], cadence)
    return compared


def _check_mean(item: dict[str, Any], stored: dict[str, float]) -> None:
    values = list(stored.values())
    assert item["count"] == len(values), item
    expected = {"mean": math.fsum(values) / len(values), "min": min(values), "max": max(values)}
    for name, value in expected.items():
        assert math.isclose(item[name], value, rel_tol=SAME, abs_tol=SAME), (name, value, item)
    last = max(stored)
    assert (item["lastTimestamp"], item["lastValue"]) == (last, stored[last]), item


async def _check_missing(
    api: httpx.AsyncClient,
    sensor: str,
    stored: dict[str, float],
    item: dict[str, Any],
    cadence_s: float | None,
) -> None:
    """Gaps and time-weighted mean, by the cadence that was learned: what it is, others test."""
    cadence = None if cadence_s is None else round(cadence_s * SECOND)
    end = _micros(END)
    readings = sorted((_micros(at), value, "") for at, value in stored.items())
    expected = time_weighted_mean(readings, end - WINDOW_DAYS * 86_400 * SECOND, end, cadence)
    assert expected is not None
    assert math.isclose(item["timeWeightedMean"], expected, rel_tol=1e-9, abs_tol=1e-9), item
    if cadence is None:
        return
    limit = 3 * cadence
    times = [time for time, _, _ in readings]
    gaps = {(a, b) for a, b in itertools.pairwise(times) if b - a > limit} | {(times[-1], None)}
    params = {"equipmentId": sensor, "start": instant(-1440), "end": END, "limit": "1000"}
    page = await ask(api, "/api/v1/gaps", params)
    listed = [
        (_micros(gap["start"]), gap["end"] and _micros(gap["end"]))
        for gap in page["items"]
        if gap["state"] != "filled"
    ]
    assert (len(listed), set(listed)) == (len(gaps), gaps), ("gaps", sensor, gaps, listed)


async def check_balance(api: httpx.AsyncClient, *, known: bool) -> None:
    """Accepted = stored + waiting. `known`: commit log and store keep the counts for it, and tell
    them once the store is back."""
    sheet = await _balance(api)
    if not known:
        assert sheet is None, sheet
        return
    async with asyncio.timeout(TOLD_WITHIN_S):
        while sheet is None:
            await asyncio.sleep(0.2)
            sheet = await _balance(api)
    assert sheet["difference"] == 0, ("balance", sheet)
    for door in sheet["doors"]:
        assert door["stored"] == sum(door[name] for name in PARTS), ("books", door)


async def _balance(api: httpx.AsyncClient) -> dict[str, Any] | None:
    sheet: dict[str, Any] | None = (await ask(api, "/api/v1/status", {}))["balance"]
    return sheet


def _micros(at: str) -> int:
    moment = datetime.fromisoformat(at)
    return int(moment.timestamp()) * SECOND + moment.microsecond
