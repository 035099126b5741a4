"""The request to a vendor: the list for a machine, and the page for who reads it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from pipewatcher.api.answers import csv_text, rfc3339
from pipewatcher.gaps.gap import Gap
from pipewatcher.model.time import Micros

HEADER = ("equipmentId", "start", "end", "expected")

_ENGLISH = {
    "language": "en",
    "title": "Readings we miss",
    "text": "{count} gaps of {sensors} sensors, {expected} readings; listed {now}. Please send "
    "what your instruments have kept as a CSV file with the columns "
    "<code>equipmentId,timestamp,value</code>. Times are UTC; each gap lies between the two "
    "readings that we have.",
    "sensor": "Sensor",
    "after": "After",
    "before": "Before",
    "readings": "Readings",
}
_PORTUGUESE = {
    "language": "pt-BR",
    "title": "Leituras que nos faltam",
    "text": "{count} lacunas de {sensors} sensores, {expected} leituras; lista de {now}. Por "
    "favor, envie o que os seus instrumentos guardaram em um arquivo CSV com as colunas "
    "<code>equipmentId,timestamp,value</code>. As horas são UTC; cada lacuna fica entre as duas "
    "leituras que temos.",
    "sensor": "Sensor",
    "after": "Depois de",
    "before": "Antes de",
    "readings": "Leituras",
}
_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px/1.5 sans-serif;margin:2rem}}table{{border-collapse:collapse}}
td,th{{border:1px solid #bbb;padding:.25rem .6rem;text-align:left}}td:last-child{{text-align:right}}
</style>
<h1>{title}</h1>
<p>{text}</p>
<table><thead><tr><th>{sensor}</th><th>{after}</th><th>{before}</th><th>{readings}</th></tr></thead>
<tbody>{rows}</tbody></table></html>
"""


def gap_list(gaps: Sequence[Gap], now: Micros) -> str:
    """As CSV."""
    return csv_text(HEADER, [_row(gap, now) for gap in gaps])


def gap_page(gaps: Sequence[Gap], now: Micros, accept_language: str) -> str:
    """As HTML, in the first of the two languages that is wanted."""
    words = _words(accept_language)
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in _row(gap, now))
        + "</tr>\n"
        for gap in gaps
    )
    text = words["text"].format(
        count=len(gaps),
        sensors=len({gap.equipment_id for gap in gaps}),
        expected=sum(gap.expected for gap in gaps),
        now=rfc3339(now),
    )
    return _PAGE.format_map({**words, "text": text, "rows": rows})


def _words(accept_language: str) -> Mapping[str, str]:
    for wanted in accept_language.lower().split(","):
        if wanted.strip().startswith("pt"):
            return _PORTUGUESE
        if wanted.strip().startswith("en"):
            break
    return _ENGLISH


def _row(gap: Gap, now: Micros) -> tuple[str, str, str, int]:
    """A silence that goes on is asked for up to now."""
    end = now if gap.end is None else gap.end
    return gap.equipment_id, rfc3339(gap.start), rfc3339(end), gap.expected
