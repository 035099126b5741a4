"""Sensors as Prometheus's series: what a selector chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
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
    kept = np.ones(len(series), np.bool_)
    for matcher in matchers:
        values = pa.array([labels.get(matcher.label, "") for labels in series], pa.string())
        kept &= _same(values, matcher) != matcher.negated
    return [labels for labels, keep in zip(series, kept.tolist(), strict=True) if keep]


def check_pattern(text: str) -> None:
    """Raises `BadQuery`."""
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise BadQuery(f"a regular expression has at most {PATTERN_CHARACTERS_MAX} characters")
    try:
        _matches(pa.array([""], pa.string()), text)
    except pa.ArrowInvalid as error:
        raise BadQuery(f"not a regular expression: {text!r}: {error}") from None


def _same(values: pa.Array, matcher: Matcher) -> npt.NDArray[np.bool_]:
    if matcher.is_pattern:
        return _matches(values, matcher.text)
    same: npt.NDArray[np.bool_] = pc.equal(values, matcher.text).to_numpy(zero_copy_only=False)
    return same


def _matches(values: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
    """By RE2, as Prometheus does: of linear time, whatever the pattern."""
    whole = rf"\A(?s:{pattern})\z"
    found: npt.NDArray[np.bool_] = pc.match_substring_regex(values, whole).to_numpy(
        zero_copy_only=False
    )
    return found
