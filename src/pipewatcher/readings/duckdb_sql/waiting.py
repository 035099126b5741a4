"""What is stored of each sensor, and the readings that wait in `hot`, by sensor number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipewatcher.readings.duckdb_sql.cursor import Cursor
from pipewatcher.readings.duckdb_sql.schema import NO_LIMIT

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min // 4
"""Before every reading, and far enough from the edge that a hold limit can be added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """One reading of each of some sensors."""

    sensor: Ints
    time: Ints
    value: Floats

    def of(self, chosen: Flags) -> Points:
        return Points(sensor=self.sensor[chosen], time=self.time[chosen], value=self.value[chosen])


class Waiting:
    """`readings`: what waits, by sensor and time; of each reading the last write.

    A sensor is *late* when a reading of it waits that is not later than all that is stored of it.
    """

    def __init__(self, cursor: Cursor, sensors: int) -> None:
        latest = cursor.execute(
            "SELECT sensor, first_time, last_time, last_value FROM latest"
        ).fetchnumpy()
        self.newest = Points(
            sensor=latest["sensor"], time=latest["last_time"], value=latest["last_value"]
        )
        self.stored_until = np.full(sensors, NEVER)
        self.stored_until[latest["sensor"]] = latest["last_time"]
        self.oldest = np.full(sensors, NO_LIMIT)
        self.oldest[latest["sensor"]] = latest["first_time"]
        cadence = cursor.execute("SELECT sensor, hold FROM cadence").fetchnumpy()
        self.hold = np.full(sensors, NO_LIMIT)
        self.hold[cadence["sensor"]] = cadence["hold"]
        hot = cursor.execute(
            "SELECT sensor, event_time, value, seq FROM hot WHERE NOT keep_stored"
        ).fetchnumpy()
        self.readings = sorted_readings(
            hot["sensor"], hot["event_time"], hot["value"], hot["seq"], sensors
        )
        self.late = np.zeros(sensors, bool)
        waits = self.readings
        self.late[waits.sensor[waits.time <= self.stored_until[waits.sensor]]] = True


def sorted_readings(
    sensor: Ints, time: Ints, value: Floats, seq: Ints | None, sensors: int
) -> Points:
    """By sensor and time; of several with the same time the one with the highest `seq`."""
    by = by_sensor_and_time(sensor, time, sensors)
    found = Points(sensor=sensor[by], time=time[by], value=value[by])
    same = found.sensor[1:] == found.sensor[:-1]
    if not (same & (found.time[1:] == found.time[:-1])).any():
        return found
    by = np.lexsort((time, sensor) if seq is None else (seq, time, sensor))
    found = Points(sensor=sensor[by], time=time[by], value=value[by])
    overtaken = (found.sensor[1:] == found.sensor[:-1]) & (found.time[1:] == found.time[:-1])
    return found.of(np.append(~overtaken, True))


def by_sensor_and_time(sensor: Ints, time: Ints, sensors: int) -> Ints:
    """The order of rows, most of which come in order of time: numpy sorts short numbers at once."""
    by = np.argsort(sensor.astype(np.uint16) if sensors <= 2**16 else sensor, kind="stable")
    sensor_by, time_by = sensor[by], time[by]
    if ((sensor_by[1:] == sensor_by[:-1]) & (time_by[1:] < time_by[:-1])).any():
        by = np.lexsort((time, sensor))
    return by
