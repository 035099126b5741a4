"""Cold data in the order that compresses best: 7-day blocks by sensor, then time.

Fold appends a little of every sensor at a time; sorted by sensor over a week the same readings
take a third of the space and one sensor's history is a few neighbouring rows. The days of a block
that are over are rewritten, some sensors at a time, one transaction each; in the newest week that
is every day anew, which costs less than a minute of work a week at 2,000 sensors a minute.
"""

from __future__ import annotations

from pipewatcher.model.time import DAY, Micros
from pipewatcher.readings.duckdb_sql.cursor import Cursor, one
from pipewatcher.readings.duckdb_sql.questions import Questions
from pipewatcher.readings.duckdb_sql.schema import EPOCH_OFFSET

DAYS_PER_BLOCK = 7
REST_DAYS = 1
"""How long a day must be over before it is cold."""
ROWS_PER_STEP = 500_000
DISORDER_MIN = 0.05
"""Share of a block's cold rows that must have come since they were sorted."""


class Recluster:
    """The block that is being rewritten, and how far it is. Lost in a crash: begun again."""

    def __init__(self) -> None:
        self._days: tuple[int, int] | None = None
        """First day, and the day after the last."""
        self._next_sensor = 0
        self._sensors_per_step = 1

    def step(self, cursor: Cursor, now: Micros, questions: Questions) -> bool:
        """Rewrites the next part of a block's cold days, if there is one; says whether it did."""
        if self._days is None and not self._choose(cursor, now):
            return False
        assert self._days is not None
        first_day, end_day = self._days
        first, last = self._next_sensor, self._next_sensor + self._sensors_per_step
        part = [first_day * DAY - EPOCH_OFFSET, end_day * DAY - EPOCH_OFFSET, first, last]
        cursor.execute("BEGIN")
        try:
            self._rewrite(cursor, part)
            done = last > one(cursor, "SELECT coalesce(max(sensor), 0) FROM sensor")[0]
            if done:
                cursor.execute("DELETE FROM unclustered WHERE day >= $1 AND day < $2", self._days)
            with questions.none():
                cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        self._next_sensor = last
        if done:
            self._days = None
        return True

    def _choose(self, cursor: Cursor, now: Micros) -> bool:
        cursor.execute(
            "CREATE OR REPLACE TABLE unclustered AS "
            "SELECT day, sum(rows)::BIGINT AS rows FROM unclustered GROUP BY day"
        )
        first_warm = (now + EPOCH_OFFSET) // DAY - REST_DAYS
        cold = cursor.execute(
            "SELECT day // $1 AS block, sum(rows) FROM unclustered WHERE day < $2 "
            "GROUP BY block ORDER BY block",
            [DAYS_PER_BLOCK, first_warm],
        ).fetchall()
        for block, disordered in cold:
            days = block * DAYS_PER_BLOCK, min((block + 1) * DAYS_PER_BLOCK, first_warm)
            rows = one(
                cursor,
                "SELECT coalesce(sum(count), 0) FROM rollup WHERE hour >= $1 AND hour < $2",
                [days[0] * 24, days[1] * 24],
            )[0]
            if disordered >= DISORDER_MIN * rows:
                sensors = one(cursor, "SELECT coalesce(max(sensor), 0) + 1 FROM sensor")[0]
                self._days, self._next_sensor = days, 0
                self._sensors_per_step = max(1, sensors * ROWS_PER_STEP // max(rows, 1))
                return True
        return False

    @staticmethod
    def _rewrite(cursor: Cursor, part: list[int]) -> None:
        inside = "event_time >= $1 AND event_time < $2 AND sensor >= $3 AND sensor < $4"
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE part AS SELECT * FROM raw WHERE {inside}", part
        )
        cursor.execute(f"DELETE FROM raw WHERE {inside}", part)
        cursor.execute("INSERT INTO raw SELECT * FROM part ORDER BY sensor, event_time")
        cursor.execute("DROP TABLE part")
