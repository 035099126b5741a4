"""The peer that a good engineer writes in an afternoon: `python afternoon.py PORT FILE`.

FastAPI with pydantic, SQLite with a primary key, synced commits, a token. One process.
"""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import sys
import threading
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Response, UploadFile
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, Field

INSERT = "INSERT OR REPLACE INTO readings VALUES (?, ?, ?)"

app = FastAPI()
lock = threading.Lock()
db = sqlite3.connect(sys.argv[2], check_same_thread=False)
db.executescript(
    """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS readings (
        equipment_id TEXT, timestamp_ms INTEGER, value REAL,
        PRIMARY KEY (equipment_id, timestamp_ms)
    ) WITHOUT ROWID;
    """
)


class Reading(BaseModel):
    equipmentId: str = Field(min_length=1, max_length=64)  # noqa: N815
    value: float = Field(allow_inf_nan=False)
    timestamp: AwareDatetime

    def row(self) -> tuple[str, int, float]:
        return self.equipmentId, round(self.timestamp.timestamp() * 1_000), self.value


def signed_in(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> None:
    if credentials.credentials != os.environ["AFTERNOON_TOKEN"]:
        raise HTTPException(401)


SignedIn = Depends(signed_in)


@app.post("/readings", status_code=204, dependencies=[SignedIn])
def take(readings: Reading | list[Reading]) -> Response:
    many = readings if isinstance(readings, list) else [readings]
    with lock, db:
        db.executemany(INSERT, [reading.row() for reading in many])
    return Response(status_code=204)


@app.post("/import", dependencies=[SignedIn])
def import_csv(file: UploadFile) -> int:
    rows = csv.DictReader(io.TextIOWrapper(file.file, "utf-8"))
    with lock, db:
        before = db.total_changes
        db.executemany(INSERT, (Reading.model_validate(row).row() for row in rows))
        return db.total_changes - before


@app.get("/means", dependencies=[SignedIn])
def means(start: int, end: int) -> dict[str, float]:
    """Seconds since the epoch."""
    query = (
        "SELECT equipment_id, avg(value) FROM readings "
        "WHERE timestamp_ms >= ? AND timestamp_ms < ? GROUP BY equipment_id"
    )
    reader = sqlite3.connect(sys.argv[2])
    try:
        return dict(reader.execute(query, [start * 1_000, end * 1_000]))
    finally:
        reader.close()


@app.get("/count", dependencies=[SignedIn])
def count() -> int:
    with lock:
        (found,) = db.execute("SELECT count(*) FROM readings").fetchone()
    return int(found)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning")
