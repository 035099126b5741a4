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
    for suspicion in forecast["suspicions"]:
        _show_suspicion(console, suspicion)
    table = Table("sensor", "readings", "mean before", "mean after", box=None)
    for change in forecast["changes"][:SHOWN]:
        before = change["meanBefore"]
        table.add_row(
            change["equipmentId"],
            f"{change['countBefore']:,} → {change['countAfter']:,}",
            "–" if before is None else f"{before:,.2f}",
            f"{change['meanAfter']:,.2f}",
        )
    if forecast["changes"]:
        console.print(table)
    console.print(f"to do it: POST /api/v1/imports/{import_id}/apply, or import without --dry-run")


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
