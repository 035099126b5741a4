"""Sensors as Prometheus's series: what a selector chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from pipewatcher.model.plant import Sensor
from pipewatcher.promql.errors import BadQuery
from pipewatcher.promql.syntax import METRIC, NAME_LABEL, Matcher

Labels: TypeAlias = dict[str, str]
ID_LABEL = "equipmentId"
PATTERN_CHARACTERS_MAX = 1_000


def labels_of(sensor: Sensor) -> Labels:
    """What is not known of a sensor is left out."""
    described = {
        ID_LABEL: sensor.equipment_id,
        "name": sensor.name,
        "kind": sensor.kind,
        "unit": sensor.unit,
        "location": sensor.location,
        "equipment": sensor.equipment,
        "source": sensor.source,
    }
    return {NAME_LABEL: METRIC} | {label: text for label, text in described.items() if text}


def chosen(matchers: Sequence[Matcher], series: Sequence[Labels]) -> list[Labels]:
    """Those that every matcher allows; a label that is not there is the empty text."""
    kept = list(series)
    for matcher in matchers:
        values = [labels.get(matcher.label, "") for labels in kept]
        if matcher.is_pattern:
            same = _matches(pa.array(values, pa.string()), matcher.text)
        else:
            same = [value == matcher.text for value in values]
        kept = [labels for labels, s in zip(kept, same, strict=True) if s != matcher.negated]
    return kept


def check_pattern(text: str) -> None:
    """Raises `BadQuery`."""
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise BadQuery(f"a regular expression has at most {PATTERN_CHARACTERS_MAX} characters")
    nothing = pa.array([""], pa.string())
    try:
        pc.match_substring_regex(nothing, text)  # `a)|(b` is a pattern in parentheses only
        _matches(nothing, text)
    except pa.ArrowInvalid as error:
        raise BadQuery(f"not a regular expression: {text!r}: {error}") from None


def _matches(values: pa.Array, pattern: str) -> list[bool]:
    """By RE2, as Prometheus does: of linear time, whatever the pattern."""
    whole = rf"\A(?s:{pattern})\z"
    found: list[bool] = pc.match_substring_regex(values, whole).to_pylist()
    return found
