"""Questions in InfluxQL. Times are microseconds; names in them were encoded by `tag_of`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from pipewatcher.errors import StoreUnavailable
from pipewatcher.model.figures import Bucket, SensorAverage, Series
from pipewatcher.model.readings import IMPORT_ORIGIN_PREFIX, StoredReading
from pipewatcher.model.time import HOUR, Micros
from pipewatcher.readings.influxdb_http import InfluxHttp, NotANumber, Rows
from pipewatcher.readings.influxdb_lines import PARTS, TIME_MAX, TIME_MIN, id_of, tag_of
from pipewatcher.readings.influxdb_rollups import (
    WIDTHS,
    Figures,
    Rollup,
    Span,
    Unit,
    plan,
    read_rollup,
    void_spans,
)

SCALE = 2.0**-32
"""Sums are kept times this, so that a few huge values do not add up to infinity."""
NAMED_MAX = 500
"""Sensors that are named in a question; more are asked for by asking for all."""
ASKED_MAX = 10
ROUNDING = 1e-9
"""What adding up in another order may change, relative to the largest value."""
_Figure: TypeAlias = tuple[Micros, int, float, float, float]
_Summed: TypeAlias = tuple[Micros, int, float, float, float, float]
_Asked: TypeAlias = tuple[
    Micros, int | None, float | None, float | None, float | None, float | None
]
_Stamped: TypeAlias = tuple[Micros, float]


def between(start: Micros, end: Micros) -> str:
    """A span that InfluxDB cannot hold is an empty one."""
    first, after = (min(max(time, TIME_MIN), TIME_MAX) for time in (start, end))
    return f"time >= {first}u AND time < {after}u"


def _named(tags: Sequence[str]) -> str:
    return f" AND equipmentId =~ /^({'|'.join(tags)})$/"


def _of(span: Span) -> str:
    if span.parts is None or len(span.parts) == PARTS:
        return ""
    return f" AND part =~ /^({'|'.join(map(str, sorted(span.parts)))})$/"


async def raw_figures(http: InfluxHttp, span: Span) -> dict[str, tuple[float, float, float, float]]:
    """(count, sum / 2³², min, max) of each sensor's readings in the span, by tag."""
    times = between(span.start, span.end)
    found = await _figures(http, times, _of(span), "GROUP BY equipmentId")
    return {tag: (count, total, low, high) for tag, [(_, count, total, low, high)] in found}


async def raw_figures_by_unit(
    http: InfluxHttp, width: str, span: Span
) -> dict[Micros, dict[str, tuple[float, float, float, float]]]:
    """The same by the start of each unit in the span, which begins and ends with one."""
    found: dict[Micros, dict[str, tuple[float, float, float, float]]] = {}
    group = f"GROUP BY equipmentId, time({WIDTHS[width]}u) fill(none)"
    for tag, rows in await _figures(http, between(span.start, span.end), _of(span), group):
        for start, count, total, low, high in rows:
            found.setdefault(start, {})[tag] = (count, total, low, high)
    return found


async def _figures(
    http: InfluxHttp, times: str, tags: str, group: str
) -> list[tuple[str, list[_Figure]]]:
    """By tag the rows (time, count, sum / 2³², min, max)."""
    where = f"WHERE {times}{tags}"
    try:
        found = await _whole(
            http,
            "SELECT count(value), sum(value), mean(value), min(value), max(value) "
            f"FROM reading {where} {group}",
            sums=1.0,
        )
        scale = SCALE
    except NotANumber:
        # Each value is made small before they are added up.
        found = await _whole(
            http,
            "SELECT count(value), sum(scaled), mean(scaled), min(value), max(value) FROM "
            f"(SELECT value, value * {SCALE:.42f} AS scaled FROM reading {where} "
            f"GROUP BY equipmentId) WHERE {times} {group}",
            sums=SCALE,
        )
        scale = 1.0
    return [
        (tag, [(at, count, total * scale, low, high) for at, count, total, _, low, high in rows])
        for tag, rows in found
    ]


async def _whole(
    http: InfluxHttp, statement: str, *, sums: float
) -> list[tuple[str, list[_Summed]]]:
    """InfluxDB takes each figure of a statement at a moment of its own: a write that comes in
    between is in some of them only. Such an answer is asked for again. `sums`: the scale of sum and
    mean."""
    for _ in range(ASKED_MAX):
        [series] = await http.query(statement, row=_Asked)
        if not any(_torn(row, sums) for rows in series for row in rows.values):
            return [(rows.tags["equipmentId"], rows.values) for rows in series]
    raise StoreUnavailable("InfluxDB's answers hold only parts of what is being written to it.")


def _torn(row: _Asked, sums: float) -> bool:
    """The mean is of one moment: with figures of the same moment, it is their sum by count."""
    _, count, total, mean, low, high = row
    if not count or total is None or mean is None or low is None or high is None:
        return True
    largest = max(abs(low), abs(high)) * sums
    return abs(total / count - mean) > ROUNDING * largest


async def versions(http: InfluxHttp, width: str, start: Micros, end: Micros) -> dict[Unit, str]:
    """The token of each unit that starts in `[start, end)` and was ever written to."""
    return await _tokens(http, "reading_version", width, start, end)


async def rolled(http: InfluxHttp, width: str, start: Micros, end: Micros) -> dict[Unit, str]:
    """The token that each unit's rollup holds."""
    return await _tokens(http, "reading_figures", width, start, end)


async def _tokens(
    http: InfluxHttp, measurement: str, width: str, start: Micros, end: Micros
) -> dict[Unit, str]:
    [series] = await http.query(
        f"SELECT token FROM {measurement} WHERE width = '{width}' AND {between(start, end)} "
        "GROUP BY part",
        row=tuple[int, str],
    )
    return {
        Unit(width, time, int(rows.tags["part"])): token
        for rows in series
        for time, token in rows.values
    }


async def averages(http: InfluxHttp, start: Micros, end: Micros) -> list[SensorAverage]:
    whole, edges = plan(start, end)
    figures = Figures()
    (firsts, lasts), voids, _ = await asyncio.gather(
        _ends(http, start, end),
        asyncio.gather(*(_add_rollups(http, figures, *part) for part in whole)),
        asyncio.gather(*(_add_raw(http, figures, span) for span in edges)),
    )
    spans = void_spans([unit for some in voids for unit in some])
    await asyncio.gather(*(_add_raw(http, figures, span) for span in spans))
    found = await asyncio.to_thread(figures.total)
    return [
        _average(tag, found.get(tag), firsts.get(tag), last, start) for tag, last in lasts.items()
    ]


async def _add_rollups(
    http: InfluxHttp, figures: Figures, width: str, start: Micros, end: Micros
) -> list[Unit]:
    """Adds what is valid; the units that are not must be asked from raw."""
    tokens = await versions(http, width, start, end)
    [series] = await http.query(
        f"SELECT token, body FROM reading_figures WHERE width = '{width}' AND "
        f"{between(start, end)} GROUP BY part",
        row=tuple[int, str, str],
    )
    valid = await asyncio.to_thread(_take_valid, series, width, tokens)
    for tags, table in valid:
        figures.add(tags, table)
    return list(tokens)


def _take_valid(series: Sequence[Rows], width: str, tokens: dict[Unit, str]) -> list[Rollup]:
    """Leaves in `tokens` what has no valid rollup."""
    valid = []
    for rows in series:
        part = int(rows.tags["part"])
        for time, token, body in rows.values:
            unit = Unit(width, time, part)
            if tokens.get(unit) == token:
                valid.append(read_rollup(body))
                del tokens[unit]
    return valid


async def _add_raw(http: InfluxHttp, figures: Figures, span: Span) -> None:
    found = await raw_figures(http, span)
    if found:
        figures.add(list(found), np.array(list(found.values()), np.float64))


async def _ends(
    http: InfluxHttp, start: Micros, end: Micros
) -> tuple[dict[str, _Stamped], dict[str, _Stamped]]:
    """By tag the first reading in `[start, end)`, and the last before `end` whenever it was.

    Asked where it should be, in the window's first and last hour; only for the sensors that have
    none there, everywhere: for all of them that would take longer than all the rest of a mean.
    """
    near_start, near_end = min(end, start + HOUR), max(start, end - HOUR)
    tags, firsts, lasts = await asyncio.gather(
        sensor_tags(http),
        _end(http, "first", start, near_start),
        _end(http, "last", near_end, end),
    )
    unseen = [tag for tag in tags if tag not in lasts]
    lasts |= await _end(http, "last", TIME_MIN, near_end, unseen)
    begun_later = [
        tag for tag, (time, _) in lasts.items() if time >= near_start and tag not in firsts
    ]
    firsts |= await _end(http, "first", near_start, end, begun_later)
    return firsts, lasts


async def _end(
    http: InfluxHttp, which: str, start: Micros, end: Micros, tags: Sequence[str] | None = None
) -> dict[str, _Stamped]:
    """The first or last reading in `[start, end)`, by tag; of all sensors when `tags` is None."""
    if start >= end or (tags is not None and not tags):
        return {}
    where = between(start, end)
    if tags is not None and len(tags) <= NAMED_MAX:
        where += _named(tags)
    [series] = await http.query(
        f"SELECT {which}(value) FROM reading WHERE {where} GROUP BY equipmentId",
        row=_Stamped,
    )
    found = {rows.tags["equipmentId"]: rows.values[0] for rows in series}
    return found if tags is None else {tag: found[tag] for tag in tags if tag in found}


def _average(
    tag: str,
    figure: list[float] | None,
    first: tuple[Micros, float] | None,
    last: tuple[Micros, float],
    start: Micros,
) -> SensorAverage:
    count, total, low, high = figure if figure is not None else (0.0, 0.0, None, None)
    return SensorAverage(
        equipment_id=id_of(tag),
        count=int(count),
        mean=total / count / SCALE if count else None,
        min=low,
        max=high,
        first_time=first[0] if first is not None else None,
        last_in_window=last[0] if last[0] >= start else None,
        last_time=last[0],
        last_value=last[1],
        time_weighted_mean=None,
        oldest_time=None,
        cadence=None,
        gap_time=None,
        longest_gap=None,
    )


async def series(
    http: InfluxHttp, equipment_ids: Sequence[str], start: Micros, end: Micros, bucket: Micros
) -> list[Series]:
    names = list(dict.fromkeys(equipment_ids))
    times = between(start, end)
    where = _named([tag_of(name) for name in names])
    group = f"GROUP BY equipmentId, time({bucket}u) fill(none)"
    figures, [counts] = await asyncio.gather(
        _figures(http, times, where, group),
        http.query(
            f"SELECT count(value) FROM reading WHERE {times}{where} AND "
            f"origin =~ /^{IMPORT_ORIGIN_PREFIX}/ {group}",
            row=tuple[int, int],
        ),
    )
    imported = {rows.tags["equipmentId"]: dict(rows.values) for rows in counts}
    found = {id_of(tag): _buckets(values, imported.get(tag, {})) for tag, values in figures}
    return [Series(equipment_id=name, buckets=found.get(name, [])) for name in names]


def _buckets(values: list[Any], imported: dict[Micros, int]) -> list[Bucket]:
    return [
        Bucket(
            start=time,
            mean=total / count / SCALE,
            min=low,
            max=high,
            count=count,
            imported=imported.get(time, 0),
        )
        for time, count, total, low, high in values
        if count
    ]


async def readings(
    http: InfluxHttp, equipment_id: str, start: Micros, end: Micros, limit: int
) -> list[StoredReading]:
    [found] = await http.query(
        f"SELECT value, origin FROM reading WHERE equipmentId = '{tag_of(equipment_id)}' AND "
        f"{between(start, end)} ORDER BY time LIMIT {limit}",
        # InfluxDB writes minus zero as -0, which reads as the integer 0.
        row=tuple[int, msgspec.Raw, str | None],
    )
    return [
        StoredReading(
            equipment_id=equipment_id,
            event_time=time,
            value=float(bytes(value)),
            origin=origin or "influxdb",
        )
        for rows in found
        for time, value, origin in rows.values
    ]


async def sensor_tags(http: InfluxHttp) -> list[str]:
    [found] = await http.query(
        "SHOW TAG VALUES FROM reading WITH KEY = equipmentId", row=tuple[str, str]
    )
    return [tag for rows in found for _, tag in rows.values]
