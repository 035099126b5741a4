"""What an MQTT message carries → readings and rejections, the same at both doors.

| payload | a reading is |
|---|---|
| `{"equipmentId", "value", "timestamp"}` | the object |
| `[{…}, {…}]` | each item |
| objects, one on each line | each line |
| on a topic that names the sensor: `{"value", "timestamp"}` | the sensor's value at that time |
| the same without `timestamp`, or a bare number | the value when it came, if that is allowed |

An object that names a sensor on a topic that names another one is refused: one of them is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from pipewatcher import payload as bodies
from pipewatcher.errors import BodyTooLarge, InvalidRequest, MalformedRequest
from pipewatcher.model.readings import RECEIPT_ERRORS_MAX, Batch, Rejection
from pipewatcher.model.time import Micros
from pipewatcher.payload import Members, Taken
from pipewatcher.sources.mqtt_topics import TopicRules
from pipewatcher.validate import (
    CODE_DUPLICATE,
    CODE_MALFORMED,
    EventTimeBounds,
    ReadingFault,
    check_equipment_id,
    check_event_time,
    check_scope,
    check_value,
    parse_timestamp,
)

__all__ = ["Parsed", "TopicRules", "parse", "parse_single"]

PAYLOAD_BYTES_MAX = 16 * 2**20
RECEIVED_TIME = "+received-time"
"""Ends the origin of a reading whose event time is when it was received."""

_OF_SENSOR = ("value", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What became of a payload: `received` readings are those in the batch and those rejected."""

    batch: Batch | None
    """The valid ones; None when there is none."""
    rejections: Sequence[Rejection] = ()
    """The first 100, in the words for who sent the payload."""
    rejected_by_code: Mapping[str, int] = field(default_factory=dict)
    """All of them."""
    received: int = 0
    unknown_fields: int = 0
    rest: bytes = b""
    """What of the payload was not taken, for a dead letter: a payload of the same kind."""

    @property
    def rejected(self) -> int:
        return sum(self.rejected_by_code.values())

    @property
    def reason(self) -> str:
        """In a line."""
        if not self.rejections:
            return ""
        first = self.rejections[0]
        named = f"{first.field}: {first.reason}" if first.field else first.reason
        more = self.rejected - 1
        return f"{named} (and {more:,} more)" if more else named

    @property
    def rest_rejections(self) -> list[Rejection]:
        """The rejections as they stand in `rest`, which holds nothing else."""
        if self.batch is None:
            return list(self.rejections)
        return [
            msgspec.structs.replace(one, index=index, line=None if one.line is None else index + 1)
            for index, one in enumerate(self.rejections)
        ]


def parse_single(
    topic: str, payload: bytes, *, bounds: EventTimeBounds, rules: TopicRules
) -> Taken | None:
    """The mission's object when it is in order; None sends the payload to `parse`."""
    taken = bodies.parse_plain_object(payload, bounds)
    if taken is None or rules.sensor(topic) not in {None, taken[0]}:
        return None
    return taken


def parse(
    topic: str,
    payload: bytes,
    *,
    origin: str,
    received_at: Micros,
    bounds: EventTimeBounds,
    rules: TopicRules,
) -> Parsed:
    """Whatever comes: never raises. About 1 µs for each reading that is in order, 10 for others."""
    try:
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise BodyTooLarge(f"The payload is larger than {PAYLOAD_BYTES_MAX} bytes.")
        if not payload.strip():
            raise MalformedRequest("The payload is empty.")
        if bodies.is_array(payload):
            return _of_many(payload, origin, bounds, lines=False)
        return _of_one_or_lines(topic, payload, origin, received_at, bounds, rules)
    except (MalformedRequest, BodyTooLarge) as error:
        return _refused(payload, Rejection(field="", reason=error.detail, code=error.code))


def _of_one_or_lines(
    topic: str,
    payload: bytes,
    origin: str,
    received_at: Micros,
    bounds: EventTimeBounds,
    rules: TopicRules,
) -> Parsed:
    try:
        sensor = rules.sensor(topic)
        if sensor is None:
            taken, unknown = bodies.parse_object(payload, bounds)
            return _taken(taken, unknown, origin)
        at = received_at if rules.received_time else None
        taken, unknown, used = _of_sensor(sensor, bodies.decode_item(payload), at, bounds)
        return _taken(taken, unknown, origin + RECEIVED_TIME if used else origin)
    except InvalidRequest as error:
        return _refused(payload, *error.errors)
    except ReadingFault as fault:
        return _refused(payload, fault.rejection())
    except MalformedRequest:
        if b"\n" not in payload.strip():
            raise
        # Lines, unless none of them is JSON: then it was one broken object over several lines.
        parsed = _of_many(payload, origin, bounds, lines=True)
        if parsed.batch is None and parsed.rejected_by_code.keys() == {CODE_MALFORMED}:
            raise
        return parsed


def _of_sensor(
    sensor: str, item: object, received_at: Micros | None, bounds: EventTimeBounds
) -> tuple[Taken, int, bool]:
    """The reading of the sensor that the topic names, how many unknown members stood beside it,
    and whether `received_at` is its time. Raises `ReadingFault`."""
    equipment_id = check_equipment_id(sensor)
    check_scope(equipment_id, bounds)
    if not isinstance(item, Members):
        item = Members([("value", item)])
    if item.repeated is not None:
        raise ReadingFault(item.repeated, "is given more than once", CODE_DUPLICATE)
    if item.get("equipmentId", sensor) != sensor:
        raise ReadingFault("equipmentId", f"is not {equipment_id}, which the topic names")
    if "value" not in item:
        raise ReadingFault("value", "is missing")
    value = check_value(item["value"])
    known = sum(name in item for name in (*_OF_SENSOR, "equipmentId"))
    if "timestamp" in item:
        event_time = check_event_time(parse_timestamp(item["timestamp"]), bounds)
        return (equipment_id, event_time, value), len(item) - known, False
    if received_at is None:
        raise ReadingFault(
            "timestamp", "is missing, and PIPEWATCHER_MQTT_RECEIVED_TIME does not stand in for it"
        )
    return (equipment_id, received_at, value), len(item) - known, True


def _of_many(payload: bytes, origin: str, bounds: EventTimeBounds, *, lines: bool) -> Parsed:
    refused: list[bytes] = []
    read = bodies.parse_lines if lines else bodies.parse_array
    found = read(payload, bounds, refused)
    if not found.accepted and not found.rejected:
        raise MalformedRequest("The payload holds no readings.")
    rest = payload if not found.accepted else b""
    if refused and found.accepted:
        rest = b"".join(refused) if lines else b"[" + b",".join(refused) + b"]"
    return Parsed(
        batch=found.batch(origin) if found.accepted else None,
        rejections=found.rejections,
        rejected_by_code=found.rejected_by_code,
        received=found.accepted + found.rejected,
        unknown_fields=found.unknown_fields,
        rest=rest,
    )


def _taken(taken: Taken, unknown_fields: int, origin: str) -> Parsed:
    equipment_id, event_time, value = taken
    batch = Batch(
        equipment_ids=(equipment_id,),
        codes=np.zeros(1, np.uint32),
        event_times=np.array([event_time], np.int64),
        values=np.array([value], np.float64),
        origins=(origin,),
    )
    return Parsed(batch=batch, received=1, unknown_fields=unknown_fields)


def _refused(payload: bytes, *rejections: Rejection) -> Parsed:
    return Parsed(
        batch=None,
        rejections=rejections[:RECEIPT_ERRORS_MAX],
        rejected_by_code=Counter(rejection.code for rejection in rejections),
        received=len(rejections),
        rest=payload,
    )
