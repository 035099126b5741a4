"""Runs faults one after another under load and checks everything; what fails can be repeated:

PYTHONPATH=src:tests python -m faults SET-UP --seed N --faults N [--only 'KIND|KIND']
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from faults.check import check, check_balance
from faults.edits import Editor
from faults.every_kind import KINDS
from faults.imports import Importer, client_of, stored
from faults.load import load, sensor_of
from faults.scene import Scene, descriptors, resident_mb
from faults.setups import SET_UPS
from workload import folded

BETWEEN_S = (0.3, 1.2)
FAULT_WITHIN_S = 180.0
STARTED_WITHIN_S = 180.0
DESCRIPTORS_GROWN_MAX = 40
RESIDENT_MB_MAX = 1_200
STORED_WITHIN_S = 120.0


@dataclass
class Report:
    set_up: str
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    slowest: dict[str, float] = field(default_factory=dict)
    """By kind: seconds from its end until every door had acknowledged something new."""
    resident_mb: int = 0
    unanswered: int = 0


async def run(set_up: str, seed: int, faults: int, folder: Path, only: str | None = None) -> Report:
    """Raises `AssertionError` with the command that repeats it."""
    report = Report(set_up, seed)
    log = [f"PYTHONPATH=src:tests python -m faults {set_up} --seed {seed} --faults {faults}"]
    log[0] += f" --only '{only}'" if only else ""
    try:
        rng = random.Random(seed)
        async with SET_UPS[set_up](folder, rng) as scene:
            await _faults(scene, report, faults, only, log)
    except Exception as error:
        what = str(error) or repr(error)
        raise AssertionError(f"{what}\n{'; '.join(log[1:])}\nrepeat it: {log[0]}") from error
    return report


async def _faults(
    scene: Scene, report: Report, count: int, only: str | None, log: list[str]
) -> None:
    importer = Importer(scene.api_urls, scene.gateway_url, scene.ledger, scene.can_undo)
    editor = Editor(scene.api_urls, sensor_of(0, scene.doors[0]))
    possible = [
        k
        for k in KINDS.values()
        if report.set_up in k.set_ups and (only is None or k.name in only.split("|"))
    ]
    assert possible, f"no such kind of fault here: {only}"
    scene.rng.shuffle(possible)
    async with load(
        scene.doors, importer, editor, scene.ledger, random.Random(report.seed)
    ) as scene.senders:
        await scene.all_doors_answer(STARTED_WITHIN_S)
        before = {s.pid: descriptors(s) for s in scene.ours.values()}
        for kind in itertools.islice(itertools.cycle(possible), count):
            await asyncio.sleep(scene.rng.uniform(*BETWEEN_S))
            scene.note = ""
            log.append(kind.name)
            began = time.monotonic()
            async with asyncio.timeout(FAULT_WITHIN_S):
                await kind.act(scene)
            log[-1] += f" ({scene.note}; {time.monotonic() - began:.1f} s)"
            for name in scene.servers:
                # Kafka gives itself up some time after its disk has failed.
                await scene.supervise(name)
            took = await scene.all_doors_answer()
            print(f"{log[-1]}, then {took:.1f} s", file=sys.stderr, flush=True)
            report.faults[kind.name] += 1
            report.slowest[kind.name] = max(took, report.slowest.get(kind.name, 0))
            async with scene.api() as api:
                await check_balance(api, known=scene.can_undo)
            before = {s.pid: before.get(s.pid) or descriptors(s) for s in scene.ours.values()}
    async with asyncio.timeout(STORED_WITHIN_S), scene.api() as api:
        await stored(api)
    await importer.settle()
    for url in scene.api_urls:
        async with client_of(url) as api:
            await folded(api)
            report.compared = await check(api, scene.ledger, cadences=scene.can_undo)
            await check_balance(api, known=scene.can_undo)
            await editor.check(api)
    report.acknowledged = scene.ledger.by_door + Counter(edit=editor.edits)
    report.unanswered = len(scene.ledger.spent)
    for name, server in scene.ours.items():
        report.resident_mb = max(report.resident_mb, resident_mb(server))
        assert report.resident_mb < RESIDENT_MB_MAX, f"{name} has {report.resident_mb} MB"
        grown = descriptors(server) - before[server.pid]
        assert grown < DESCRIPTORS_GROWN_MAX, f"{name} has {grown} more descriptors"
