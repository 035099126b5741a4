"""The MQTT listener by itself: `python bench/mqtt_servers.py PORT FOLDER`.

Token, rules, group commit to the SQLite commit log; no store behind it. When it is stopped it says
how many readings are in the commit log (nothing takes them out).
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from http_servers import OneToken

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.intake import Intake
from pipewatcher.sources.mqtt_ingest import Ingest
from pipewatcher.sources.mqtt_listener import MqttListener
from pipewatcher.sources.mqtt_payload import TopicRules


class NoLetters:
    def bury(self, **letter: Any) -> None:
        raise AssertionError(letter["reason"])


async def serve(port: int, folder: Path) -> None:
    commit_log = SQLiteCommitLog(folder / "commit.db")
    await commit_log.open()
    intake = Intake(
        commit_log,
        data_dir=folder,
        disk_free_min_bytes=0,
        backlog_bytes_max=2**40,
        inflight_bytes_max=2**28,
        future_max_s=300,
    )
    await intake.start()
    ingest = Ingest(
        intake,
        OneToken(),
        NoLetters(),
        rules=TopicRules(),
        writer_roles=frozenset({"admin"}),
    )
    listener = MqttListener(ingest)
    await listener.open("127.0.0.1", port)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await listener.close()
    print(f"COMMITTED {commit_log.backlog().readings}", flush=True)
    await intake.close()
    await commit_log.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
