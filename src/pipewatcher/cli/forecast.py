"""What `pipewatcher import --dry-run` says."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN = 20
WORDS = {
    "duplicate_file": "the same file was imported before",
    "outside_range": "values outside the instrument's range",
    "unit_jump": "values of another size than those around them: another unit?",
    "clock_shifted": "the same values are stored whole hours away: another time zone?",
    "after_newest": "readings later than the newest that is stored of their sensor",
}


def show_forecast(console: Console, forecast: dict[str, Any], import_id: int) -> None:
    console.print(
        f"nothing is stored; it would bring {forecast['new']:,} new readings and change"
        f" {forecast['corrected']:,}, {forecast['liveOverwritten']:,} of them live ones;"
        f" {forecast['newSensors']:,} of {forecast['sensors']:,} sensors are new"
    )
    console.print(
        f"gaps: it would close {forecast['gapsClosed']:,}"
        f" and fill {forecast['gapsPartlyFilled']:,} in part"
    )
    for suspicion in forecast["suspicions"]:
        _show_suspicion(console, suspicion)
    if forecast["changes"]:
        console.print(_changes(forecast["changes"][:SHOWN]))
    if forecast["closedGaps"]:
        console.print(_closed(forecast["closedGaps"][:SHOWN]))
    console.print(f"to do it: POST /api/v1/imports/{import_id}/apply, or import without --dry-run")


def _changes(changes: list[dict[str, Any]]) -> Table:
    table = Table("sensor", "readings", "mean", "time-weighted", "coverage", box=None)
    for change in changes:

        def moved(name: str, form: str, change: dict[str, Any] = change) -> str:
            sides = (change[f"{name}Before"], change[f"{name}After"])
            return " → ".join("–" if side is None else format(side, form) for side in sides)

        table.add_row(
            change["equipmentId"],
            moved("count", ","),
            moved("mean", ",.2f"),
            moved("timeWeightedMean", ",.2f"),
            moved("coverage", ".1%"),
        )
    return table


def _closed(gaps: list[dict[str, Any]]) -> Table:
    table = Table("gap of", "after", "before", "expected", box=None)
    for gap in gaps:
        table.add_row(gap["equipmentId"], gap["start"], gap["end"], f"{gap['expected']:,}")
    return table


def _show_suspicion(console: Console, suspicion: dict[str, Any]) -> None:
    told = [item["equipmentId"] + _detail(item) for item in suspicion["items"][:5]]
    of = f" (import {suspicion['importId']})" if suspicion["importId"] is not None else ""
    names = f": {', '.join(told)}" if told else ""
    more = ", …" if suspicion["sensors"] > len(told) else ""
    console.print(f"  ! {WORDS[suspicion['kind']]}{of}{names}{more}", markup=False)


def _detail(item: dict[str, Any]) -> str:
    if item["shiftHours"] is not None:
        return f" ({item['shiftHours']:+d} h)"
    return f" (× {item['factor']:.3g})" if item["factor"] is not None else ""
