"""The two MQTT doors by themselves: token, rules, group commit to the SQLite commit log, no store.

`python bench/mqtt_servers.py FOLDER listener PORT`
`python bench/mqtt_servers.py FOLDER broker mqtt://user:password@host:port/filter`

When it is stopped it says how many readings are in the commit log (nothing takes them out), and
how long it took from the first to the last of them.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import uvloop
from http_servers import OneToken

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.dead_letters import DeadLetters
from pipewatcher.intake import Intake
from pipewatcher.registry.sqlite import SQLiteRegistry
from pipewatcher.sources.mqtt_broker import BrokerSource
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls
from pipewatcher.sources.mqtt_ingest import Ingest as MqttIngest
from pipewatcher.sources.mqtt_listener import MqttListener
from pipewatcher.sources.mqtt_topics import TopicRules

seen_first = seen_last = 0.0


async def serve(folder: Path, kind: str, place: str) -> None:
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
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    watching = asyncio.create_task(watch(intake))
    letters = DeadLetters(SQLiteRegistry(folder / "registry.db"), count_max=1, bytes_max=1)
    if kind == "listener":
        roles = frozenset({"admin"})
        listener = MqttListener(
            MqttIngest(intake, OneToken(), letters, rules=TopicRules(), writer_roles=roles)
        )
        await listener.open("127.0.0.1", int(place))
        print("READY", flush=True)
        await stopping.wait()
        await listener.close()
    else:
        [target] = parse_broker_urls(place)
        source = BrokerSource(
            target, intake, letters, TopicRules(), client_id="bench", shared=False
        )
        running = asyncio.create_task(source.run())
        while not source.connected:  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.05)
        print("READY", flush=True)
        await stopping.wait()
        running.cancel()
        await asyncio.wait({running})
    watching.cancel()
    lasted = seen_last - seen_first
    print(f"COMMITTED {commit_log.backlog().readings} in {lasted:.3f} s", flush=True)
    await intake.close()
    await commit_log.close()


async def watch(intake: Intake) -> None:
    """When readings were first and last seen to be committed."""
    global seen_first, seen_last  # noqa: PLW0603
    before = 0
    while True:
        await asyncio.sleep(0.02)
        if intake.committed > before:
            before = intake.committed
            seen_last = time.monotonic()
            seen_first = seen_first or seen_last


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), *sys.argv[2:4]))
