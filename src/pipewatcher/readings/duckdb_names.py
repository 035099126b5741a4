"""The numbers by which the store knows sensors and origins, and the texts behind them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipewatcher.model.readings import IMPORT_ORIGIN_PREFIX
from pipewatcher.readings.duckdb_sql.cursor import Cursor, insert


class Names:
    """All of them in memory. New ones get the next number and are written with the readings that
    brought them; `forget` takes back what a failed transaction had added."""

    def __init__(self, cursor: Cursor) -> None:
        known = cursor.execute("SELECT equipment_id FROM sensor ORDER BY sensor").fetchall()
        self.sensors = [name for (name,) in known]
        """By number, from 0."""
        self.origins: dict[int, str] = dict(
            cursor.execute("SELECT origin, name FROM origin").fetchall()
        )
        """By number, from 1; imports are not among them: they are their id, negated."""
        self.sensor_codes = {name: code for code, name in enumerate(self.sensors)}
        self._origin_codes = {name: code for code, name in self.origins.items()}
        self.written()

    def sensor(self, name: str) -> int:
        code = self.sensor_codes.get(name)
        if code is None:
            code = self.sensor_codes[name] = len(self.sensors)
            self.sensors.append(name)
        return code

    def origin(self, name: str) -> int:
        if name.startswith(IMPORT_ORIGIN_PREFIX):
            return -int(name.removeprefix(IMPORT_ORIGIN_PREFIX))
        code = self._origin_codes.get(name)
        if code is None:
            code = self._origin_codes[name] = len(self.origins) + 1
            self.origins[code] = name
        return code

    def origin_name(self, code: int) -> str:
        return f"{IMPORT_ORIGIN_PREFIX}{-code}" if code < 0 else self.origins[code]

    def write_new(self, cursor: Cursor) -> None:
        """Inside the transaction of the readings; `written` follows its commit."""
        if len(self.sensors) > self._sensors_written:
            new = self.sensors[self._sensors_written :]
            codes = np.arange(self._sensors_written, len(self.sensors), dtype=np.int32)
            insert(cursor, "sensor", pa.table({"sensor": codes, "equipment_id": new}))
        for code in range(self._origins_written + 1, len(self.origins) + 1):
            cursor.execute("INSERT INTO origin VALUES (?, ?)", [code, self.origins[code]])

    def written(self) -> None:
        self._sensors_written = len(self.sensors)
        self._origins_written = len(self.origins)

    def forget(self) -> None:
        for name in self.sensors[self._sensors_written :]:
            del self.sensor_codes[name]
        del self.sensors[self._sensors_written :]
        for code in range(self._origins_written + 1, len(self.origins) + 1):
            del self._origin_codes[self.origins.pop(code)]
