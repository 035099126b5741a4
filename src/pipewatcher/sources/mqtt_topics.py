"""Which MQTT topics name a sensor."""

from __future__ import annotations

import re

from pipewatcher.errors import SettingsError

SENSOR_TOPIC = "plant/{equipmentId}/value"

_NAME = "{equipmentId}"


class TopicRules:
    """Which topics name a sensor, and whether a reading may go without its time."""

    def __init__(self, *, sensor_topic: str = SENSOR_TOPIC, received_time: bool = False) -> None:
        """`sensor_topic` has `{equipmentId}` as one of its levels and may have `+` as others; an
        empty one names no sensor. Raises `SettingsError`."""
        self.received_time = received_time
        self._topic = _compiled(sensor_topic)

    def sensor(self, topic: str) -> str | None:
        """The name that the topic gives to its sensor, valid or not; None where it gives none."""
        if self._topic is None:
            return None
        match = self._topic.fullmatch(topic)
        return match[1] if match else None


def _compiled(sensor_topic: str) -> re.Pattern[str] | None:
    if not sensor_topic:
        return None
    levels = sensor_topic.split("/")
    odd = [level for level in levels if level not in {_NAME, "+"} and re.search(r"[+#{}]", level)]
    if levels.count(_NAME) != 1 or odd:
        raise SettingsError(
            "The topic has {equipmentId} as exactly one of its levels, and + or plain names as "
            f"the others, as {SENSOR_TOPIC} does."
        )
    patterns = {_NAME: "([^/]*)", "+": "[^/]*"}
    return re.compile("/".join(patterns.get(level, re.escape(level)) for level in levels))
