"""A plant that does not exist: equipment, its sensors, and what they measure at any instant.

Everything is a pure function of seed, sensor and time, by hashing instead of drawing: history made
in blocks, live readings and a second run all agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipewatcher.model.time import DAY, HOUR, MINUTE, Micros

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

FIRST_ID = 10_000
GATEWAYS_PER_LOCATION = 3
LOCATIONS = (
    "Wellheads",
    "Separation",
    "Compression",
    "Gas treatment",
    "Prod. water",
    "Injection",
    "Power",
    "Utilities",
)

CYCLES = (DAY, DAY // 2, 7 * DAY, 3 * DAY + 7 * HOUR, 5 * HOUR, 47 * MINUTE)
CYCLE_WEIGHTS = np.array([0.05, 0.02, 0.05, 0.03, 0.015, 0.01])
"""How far each cycle (the day, the drift, the load) moves a value, as a share of the range."""
NOISE = 0.008

SHIFT = 8 * HOUR
STOPPED = 0.06
"""Share of shifts in which a machine stands still."""
STUCK = 0.004
"""Share of days on which a sensor repeats the value it had at midnight."""
OUTAGE_PERIOD = 4 * DAY
SENSOR_OUTAGES = 0.15
GATEWAY_OUTAGES = 0.25
"""Share of periods that hold an outage."""
SENSOR_OUTAGE_LENGTH = (30 * MINUTE, 30 * HOUR)
GATEWAY_OUTAGE_LENGTH = (20 * MINUTE, 4 * HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    kind: str
    unit: str
    low: float
    highs: tuple[float, ...]
    """Measuring ranges run from `low` to one of these."""
    idle: float | None
    """Share of the range that is shown while the machine stands; None: as if it ran."""


PRESSURE = Quantity(kind="Pressure", unit="bar", low=0, highs=(40, 100, 250), idle=0.04)
LOW_PRESSURE = Quantity(kind="Pressure", unit="bar", low=0, highs=(6, 16), idle=0.5)
TEMPERATURE = Quantity(kind="Temperature", unit="°C", low=-10, highs=(120, 200, 400), idle=0.2)
FLOW = Quantity(kind="Flow", unit="m³/h", low=0, highs=(50, 200, 800), idle=0.0)
VIBRATION = Quantity(kind="Vibration", unit="mm/s", low=0, highs=(12, 20), idle=0.03)
LEVEL = Quantity(kind="Level", unit="%", low=0, highs=(100,), idle=None)

EQUIPMENT: tuple[tuple[str, tuple[tuple[str, Quantity], ...]], ...] = (
    (
        "P",
        (
            ("discharge pressure", PRESSURE),
            ("suction pressure", LOW_PRESSURE),
            ("flow", FLOW),
            ("bearing temperature", TEMPERATURE),
            ("DE vibration", VIBRATION),
        ),
    ),
    (
        "XV",
        (("upstream pressure", PRESSURE), ("downstream pressure", LOW_PRESSURE), ("flow", FLOW)),
    ),
    ("T", (("level", LEVEL), ("temperature", TEMPERATURE), ("blanket pressure", LOW_PRESSURE))),
    (
        "C",
        (
            ("discharge pressure", PRESSURE),
            ("suction pressure", LOW_PRESSURE),
            ("discharge temperature", TEMPERATURE),
            ("DE vibration", VIBRATION),
            ("NDE vibration", VIBRATION),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSensor:
    equipment_id: str
    name: str
    kind: str
    unit: str
    location: str
    equipment: str
    source: str
    range_min: float
    range_max: float


class SimulatedPlant:
    """`sensors` streams; the same seed gives the same plant and the same values."""

    def __init__(self, sensors: int, seed: int = 1) -> None:
        if sensors < 1:
            raise ValueError("a plant has at least one sensor")
        self._seed = seed
        rng = np.random.default_rng(seed)
        self.sensors: list[SimulatedSensor] = []
        machines: list[int] = []
        gateways: list[int] = []
        idle: list[float] = []
        machine = 0
        while len(self.sensors) < sensors:
            prefix, measured = EQUIPMENT[int(rng.integers(len(EQUIPMENT)))]
            area, number = machine % len(LOCATIONS), machine // len(LOCATIONS)
            gateway = area * GATEWAYS_PER_LOCATION + number % GATEWAYS_PER_LOCATION
            tag = f"{prefix}-{21 + area}{number // 2 + 1:02d}{'AB'[number % 2]}"
            for words, quantity in measured[: sensors - len(self.sensors)]:
                self.sensors.append(
                    SimulatedSensor(
                        equipment_id=f"EQ-{FIRST_ID + len(self.sensors)}",
                        name=f"{tag} {words}",
                        kind=quantity.kind,
                        unit=quantity.unit,
                        location=LOCATIONS[area],
                        equipment=tag,
                        source=f"GW-{gateway + 1:02d}",
                        range_min=quantity.low,
                        range_max=float(rng.choice(quantity.highs)),
                    )
                )
                machines.append(machine)
                gateways.append(gateway)
                idle.append(np.nan if quantity.idle is None else quantity.idle)
            machine += 1
        self.gateways: Ints = np.array(gateways, dtype=np.int64)
        """Of each sensor, the number of its gateway from 0: `GW-01` is 0."""
        self._machines = np.array(machines, dtype=np.int64)
        self._idle = np.array(idle)
        self._low = np.array([sensor.range_min for sensor in self.sensors])
        self._span = np.array([sensor.range_max for sensor in self.sensors]) - self._low
        self._usual = rng.uniform(0.35, 0.65, sensors)
        weights = CYCLE_WEIGHTS * rng.uniform(0.3, 1.0, (sensors, len(CYCLES)))
        phases = rng.uniform(0, 2 * np.pi, (sensors, len(CYCLES)))
        self._waves = np.concatenate([weights * np.cos(phases), weights * np.sin(phases)], axis=1)

    def values(self, sensors: Ints, times: Ints) -> Floats:
        """What the sensors (numbered from 0) show then, inside their ranges, with two decimals.

        The two arrays broadcast: `sensors[None, :]` and `times[:, None]` give a table.
        """
        shown = self._true(sensors, times)
        days = times // DAY
        stuck = self._chance(1, sensors, days) < STUCK
        which = np.broadcast_to(sensors, stuck.shape)[stuck]
        midnight = np.broadcast_to(days, stuck.shape)[stuck] * DAY
        shown[stuck] = self._true(which, midnight)
        return np.round(shown, 2)

    def silent(self, sensors: Ints, times: Ints) -> Mask:
        """True where nothing is sent: the sensor or its whole gateway is out. Broadcasts."""
        alone = self._out(2, sensors, times, SENSOR_OUTAGES, SENSOR_OUTAGE_LENGTH)
        gateways = self.gateways[sensors]
        return alone | self._out(4, gateways, times, GATEWAY_OUTAGES, GATEWAY_OUTAGE_LENGTH)

    def _true(self, sensors: Ints, times: Ints) -> Floats:
        angles = times[..., None] * (2 * np.pi / np.array(CYCLES))
        basis = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
        share: Floats = np.einsum("...k,...k->...", basis, self._waves[sensors])
        share += self._usual[sensors]
        share += NOISE * _bell(self._hash(5, sensors, times))
        stopped = self._chance(6, self._machines[sensors], times // SHIFT) < STOPPED
        idle = self._idle[sensors]
        share = np.where(stopped & ~np.isnan(idle), idle * (0.9 + 0.2 * share), share)
        shown: Floats = self._low[sensors] + self._span[sensors] * share
        return shown

    def _out(
        self, salt: int, who: Ints, times: Ints, share: float, length: tuple[Micros, Micros]
    ) -> Mask:
        """At most one outage begins in each period; one that reaches the next ends there."""
        periods = times // OUTAGE_PERIOD
        chance = self._chance(salt, who, periods)
        begins = self._chance(salt + 1, who, periods) * OUTAGE_PERIOD
        short, long = length
        lasts = short * (long / short) ** (chance / share)
        since = times - periods * OUTAGE_PERIOD - begins
        return (chance < share) & (since >= 0) & (since < lasts)

    def _chance(self, salt: int, who: Ints, when: Ints) -> Floats:
        """Evenly in [0, 1)."""
        bits = self._hash(salt, who, when) >> np.uint64(11)
        return bits.astype(np.float64) * 2.0**-53

    def _hash(self, salt: int, who: Ints, when: Ints) -> npt.NDArray[np.uint64]:
        """SplitMix64 over the three; also sensors with neighbouring numbers share nothing."""
        start = np.random.SeedSequence((self._seed, salt)).generate_state(2, np.uint64)
        return _mix(_mix(who.astype(np.uint64) + start[:1]) ^ (when.astype(np.uint64) + start[1:]))


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _bell(bits: npt.NDArray[np.uint64]) -> Floats:
    """Four 16-bit numbers added: nearly normal, deviation 1, never beyond 3.5."""
    total: Floats = np.zeros(bits.shape)
    for shift in (0, 16, 32, 48):
        total += (bits >> np.uint64(shift)) & np.uint64(0xFFFF)
    return (total / 65_536.0 - 2.0) * math.sqrt(3.0)
