"""The stages behind a door, on an event loop of their own thread, with the real commit log."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.intake import Intake
from pipewatcher.model.identity import Principal, WriteScope
from pipewatcher.rate import RateLimit

WAIT_S = 20.0
DEVICE_TOKEN = "pw_device-token-0123456789"
VIEWER_TOKEN = "pw_viewer-token-0123456789"
SCOPED_TOKEN = "pw_scoped-token-0123456789"
"""May write sensors whose name begins with `A-`, 100 messages a second."""
WRITER_ROLES = frozenset({"admin", "operator", "device"})


class KnownTokens:
    """A device's, a viewer's, and one with limits."""

    def __init__(self) -> None:
        self.known = {
            f"Bearer {DEVICE_TOKEN}".encode(): Principal(name="device", role="device"),
            f"Bearer {VIEWER_TOKEN}".encode(): Principal(name="viewer", role="viewer"),
            f"Bearer {SCOPED_TOKEN}".encode(): Principal(
                name="scoped",
                role="device",
                writes=WriteScope(prefix="A-"),
                rate=RateLimit(100),
            ),
        }

    def bearer(self, header: bytes | None) -> Principal | None:
        return self.known.get(header or b"")


@dataclass
class OnLoop:
    """`serve` is the door: it says `self.ready.set()` and ends once `self.stopping` is set."""

    folder: Path
    intake_options: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        self.stored: list[tuple[str, int, float, str]] = []
        self.errors: list[dict[str, Any]] = []
        self.tokens = KnownTokens()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._main()))
        self._thread.start()
        assert self.ready.wait(WAIT_S)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stopping.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert self.errors == []
        assert self.intake.inflight_bytes == 0

    def on_loop(self, action: Callable[[], Any]) -> Any:
        """Runs on the server's loop and returns its result."""

        async def run() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_S)

    def stored_of(self, equipment_id: str, count: int) -> list[tuple[str, int, float, str]]:
        """The readings of a sensor once there are `count`, in the order of the commit log."""
        until(lambda: len([row for row in self.stored if row[0] == equipment_id]) >= count)
        return [row for row in self.stored if row[0] == equipment_id]

    async def serve(self) -> None:
        raise NotImplementedError

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.commit_log = SQLiteCommitLog(self.folder / "commit.db")
        await self.commit_log.open()
        options: dict[str, Any] = {
            "disk_free_min_bytes": 0,
            "backlog_bytes_max": 2**30,
            "inflight_bytes_max": 2**28,
            "future_max_s": 300,
        }
        self.intake = Intake(
            self.commit_log, data_dir=self.folder, **(options | self.intake_options)
        )
        await self.intake.start()
        collector = asyncio.create_task(self._collect())
        await self.serve()
        await self.intake.close()
        await self.commit_log.close()
        await collector

    async def _collect(self) -> None:
        async for delivery in self.commit_log.deliveries("writer", {}):
            for batch in delivery.batches:
                codes = batch.origin_codes
                for i in range(len(batch)):
                    self.stored.append(
                        (
                            batch.equipment_ids[batch.codes[i]],
                            int(batch.event_times[i]),
                            float(batch.values[i]),
                            batch.origins[0 if codes is None else codes[i]],
                        )
                    )


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
