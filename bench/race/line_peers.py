"""The peers that take InfluxDB's line protocol over HTTP."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from month import stamp
from peers import Reading, on_path, size_of

from servers import influxdb
from servers.process import FOLDER, ServerProcess, free_port

LINES = 5_000
QUESTDB = FOLDER / "questdb/questdb-9.1.0.jar"
_TABLE = (
    "CREATE TABLE readings (equipmentId SYMBOL CAPACITY 4096, timestamp TIMESTAMP, value DOUBLE) "
    "TIMESTAMP(timestamp) PARTITION BY DAY WAL DEDUP UPSERT KEYS(timestamp, equipmentId)"
)

_CSV = '[{"name": "timestamp", "type": "TIMESTAMP", "pattern": "yyyy-MM-ddTHH:mm:ssZ"}]'


class LinePeer:
    form = "line"
    authorization = "-"
    write_path = "/write"
    _process: ServerProcess
    _http: httpx.Client
    _folder: Path
    _port: int

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        self._http.close()
        self._process.stop()

    def send(self, readings: Sequence[Reading]) -> None:
        text = "\n".join(
            f"readings,equipmentId={sensor} value={value} {at_s}000000000"
            for sensor, at_s, value in readings
        )
        self._http.post(self.write_path, content=text).raise_for_status()

    def bytes_stored(self) -> int:
        return size_of(self._folder)

    def _begin(self, folder: Path, command: list[str], ready: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._http = httpx.Client(base_url=self.url, timeout=600)
        self._process = ServerProcess(command, folder, lambda: self._answers(ready)).start()

    def _answers(self, path: str) -> bool:
        try:
            return self._http.get(path).is_success
        except httpx.TransportError:
            return False


class InfluxDB(LinePeer):
    name = "InfluxDB 1.x"
    promise = "in its WAL, synced (its default), seen by the next question"
    notes = "it takes no CSV: the client makes lines of it, on the generator's core"

    @staticmethod
    def missing() -> str | None:
        return influxdb.missing()

    def start(self, folder: Path) -> None:
        server = influxdb.InfluxDB(folder)
        self._folder, self._process, self._port = folder, server.start(), server.port
        server.query("CREATE DATABASE plant")
        sign_in = (influxdb.USER, influxdb.PASSWORD)
        self._http = httpx.Client(base_url=server.base_url, auth=sign_in, timeout=600)
        self.write_path = "/write?db=plant"
        self.authorization = "Basic " + base64.b64encode(":".join(sign_in).encode()).decode()

    def import_csv(self, path: Path) -> None:
        with path.open(encoding="utf-8") as file:
            next(file)
            lines = _lines(file)
            while part := "\n".join(islice(lines, LINES)):
                self._http.post(self.write_path, content=part).raise_for_status()

    def settle(self) -> None:
        return

    def count(self) -> int:
        series = self._query("SELECT count(value) FROM readings")
        return int(series[0]["values"][0][1]) if series else 0

    def means(self, window_s: int, end_s: int) -> dict[str, float]:
        series = self._query(
            "SELECT mean(value) FROM readings WHERE "
            f"time >= {end_s - window_s}s AND time < {end_s}s GROUP BY equipmentId"
        )
        return {one["tags"]["equipmentId"]: one["values"][0][1] for one in series}

    def _query(self, text: str) -> list[dict[str, Any]]:
        answer = self._http.post("/query", data={"q": text, "db": "plant"}).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["results"][0].get("series", [])
        return found


class VictoriaMetrics(LinePeer):
    name = "VictoriaMetrics"
    promise = "in memory; synced within seconds, so a power cut or kill -9 takes what it answered"
    notes = "keeps doubles of an instant; values are rounded to what its compression needs"

    @staticmethod
    def missing() -> str | None:
        return on_path("victoria-metrics", "victoria-metrics")

    def start(self, folder: Path) -> None:
        self._port = free_port()
        command = [
            shutil.which("victoria-metrics") or "victoria-metrics",
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr=127.0.0.1:{self._port}",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-search.disableCache",
            "-search.maxQueryDuration=300s",
        ]
        self._begin(folder, command, "/health")

    def import_csv(self, path: Path) -> None:
        form = "1:label:equipmentId,2:time:rfc3339,3:metric:readings_value"
        with path.open("rb") as file:
            next(file)
            answer = self._http.post(
                "/api/v1/import/csv", params={"format": form}, content=iter(_parts(file))
            )
        answer.raise_for_status()
        self.settle()

    def settle(self) -> None:
        self._http.get("/internal/force_flush").raise_for_status()

    def count(self) -> int:
        items = self._ask("sum(count_over_time(readings_value[90d]))", int(time.time()) + 600)
        return int(items[0]["value"][1]) if items else 0

    def means(self, window_s: int, end_s: int) -> dict[str, float]:
        items = self._ask(f"avg_over_time(readings_value[{window_s}s])", end_s - 0.001)
        return {one["metric"]["equipmentId"]: float(one["value"][1]) for one in items}

    def _ask(self, query: str, at_s: float) -> list[dict[str, Any]]:
        params: dict[str, str] = {"query": query, "time": str(at_s)}
        answer = self._http.get("/api/v1/query", params=params).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found


class QuestDB(LinePeer):
    name = "QuestDB"
    promise = "in its WAL, not synced (its default); seen once the WAL is applied"
    notes = "a table with dedup on sensor and instant, to keep the last write as the others do"

    @staticmethod
    def missing() -> str | None:
        why = on_path("java", "default-jre-headless")
        return why or (None if QUESTDB.is_file() else "bench/race/prepare.sh was not run")

    def start(self, folder: Path) -> None:
        self._port = free_port()
        settings = {
            "http.bind.to": f"127.0.0.1:{self._port}",
            "pg.enabled": "false",
            "line.tcp.enabled": "false",
            "http.min.enabled": "false",
            "telemetry.enabled": "false",
        }
        (folder / "conf").mkdir(parents=True)
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (folder / "conf/server.conf").write_text(lines)
        command = ["java", "-Xmx1g", "-p", str(QUESTDB), "-m", "io.questdb/io.questdb.ServerMain"]
        self._begin(folder, [*command, "-d", str(folder)], "/exec?query=SELECT%201")
        self._exec(_TABLE)

    def import_csv(self, path: Path) -> None:
        with path.open("rb") as file:
            answer = self._http.post(
                "/imp",
                params={"name": "readings", "timestamp": "timestamp", "fmt": "json"},
                files={"schema": (None, _CSV), "data": file},
            )
        told = answer.raise_for_status().json()
        assert told["status"] == "OK", told
        assert told["rowsRejected"] == 0, told
        self.settle()

    def settle(self) -> None:
        waiting = "SELECT count() FROM wal_tables() WHERE writerTxn <> sequencerTxn"
        while self._exec(waiting)[0][0]:
            time.sleep(0.02)

    def count(self) -> int:
        return int(self._exec("SELECT count() FROM readings")[0][0])

    def means(self, window_s: int, end_s: int) -> dict[str, float]:
        rows = self._exec(
            "SELECT equipmentId, avg(value) FROM readings WHERE "
            f"timestamp >= '{stamp(end_s - window_s)}' AND timestamp < '{stamp(end_s)}'"
        )
        return dict(rows)

    def _exec(self, query: str) -> list[list[Any]]:
        answer = self._http.get("/exec", params={"query": query, "limit": "0,100000"})
        told = json.loads(answer.raise_for_status().content)
        found: list[list[Any]] = told.get("dataset", [])
        return found


def _lines(rows: Iterator[str]) -> Iterator[str]:
    instants: dict[str, int] = {}
    for row in rows:
        sensor, at, value = row.rstrip("\n").split(",")
        if at not in instants:
            instants = {at: int(datetime.fromisoformat(at).timestamp())}
        yield f"readings,equipmentId={sensor} value={value} {instants[at]}000000000"


def _parts(file: Any) -> Iterator[bytes]:
    while part := file.read(1 << 20):
        yield part
