"""Which line of an upload a stored reading came from, looked up on demand."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from pipewatcher.model.time import Micros
from pipewatcher.sources.csv_columns import Lines
from pipewatcher.sources.csv_dialect import CsvFault, Dialect
from pipewatcher.sources.csv_reader import CsvBlock, CsvReader
from pipewatcher.sources.csv_rows import RowRules, is_blank, parse_row
from pipewatcher.validate import ReadingFault


def find_line(file: BinaryIO, rules: RowRules, equipment_id: str, event_time: Micros) -> int | None:
    """The last line, counted from 1, with this reading: later ones overtake earlier ones."""
    found = None
    reader = CsvReader(file, rules)
    try:
        for block in reader:
            if _holds(block, equipment_id, event_time):
                assert reader.dialect is not None
                found = _line(block, reader.dialect, rules, equipment_id, event_time) or found
    except CsvFault:
        # The file breaks off: what was read before it was stored.
        return found
    return found


def _holds(block: CsvBlock, equipment_id: str, event_time: Micros) -> bool:
    columns = block.columns
    if equipment_id not in columns.equipment_ids:
        return False
    code = columns.equipment_ids.index(equipment_id)
    return bool(np.any((columns.codes == code) & (columns.event_times == event_time)))


def _line(
    block: CsvBlock, dialect: Dialect, rules: RowRules, equipment_id: str, event_time: Micros
) -> int | None:
    lines = Lines(block.text)
    for number in range(len(lines) - 1, -1, -1):
        if is_blank(lines[number]):
            continue
        try:
            row = parse_row(lines[number], dialect, rules)
        except ReadingFault:
            continue
        if (row.equipment_id, row.event_time) == (equipment_id, event_time):
            return block.first_line + number
    return None
