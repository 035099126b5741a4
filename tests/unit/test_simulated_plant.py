"""The simulated plant: the same every time, believable, and quick enough for a demo."""

from __future__ import annotations

import numpy as np

from pipewatcher.model.time import DAY, HOUR, MINUTE
from pipewatcher.sources.simulated_plant import LOCATIONS, SimulatedPlant

START = 1_767_225_600 * 1_000_000
ALL = np.arange(200)[None, :]
WEEK = (START + np.arange(7 * 96) * 15 * MINUTE)[:, None]


def test_the_same_seed_gives_the_same_plant_and_another_seed_another() -> None:
    plant, again, other = SimulatedPlant(200, 7), SimulatedPlant(200, 7), SimulatedPlant(200, 8)
    assert plant.sensors == again.sensors
    assert plant.sensors != other.sensors
    values = plant.values(ALL, WEEK)
    assert np.array_equal(values, again.values(ALL, WEEK))
    assert not np.array_equal(values, other.values(ALL, WEEK))
    assert np.array_equal(plant.silent(ALL, WEEK), again.silent(ALL, WEEK))


def test_a_value_depends_on_sensor_and_time_only_not_on_what_else_is_asked() -> None:
    plant = SimulatedPlant(200)
    table = plant.values(ALL, WEEK)
    rows = np.array([0, 5, 300, 671])
    sensors = np.array([3, 199, 0, 77])
    assert np.array_equal(plant.values(sensors, WEEK[rows, 0]), table[rows, sensors])


def test_every_value_is_inside_its_sensors_range_and_has_two_decimals() -> None:
    plant = SimulatedPlant(200)
    values = plant.values(ALL, WEEK)
    assert (values >= [sensor.range_min for sensor in plant.sensors]).all()
    assert (values <= [sensor.range_max for sensor in plant.sensors]).all()
    assert np.array_equal(values, np.round(values, 2))


def test_sensors_are_named_as_in_a_plant_and_no_name_comes_twice() -> None:
    plant = SimulatedPlant(2_000)
    assert [sensor.equipment_id for sensor in plant.sensors[:2]] == ["EQ-10000", "EQ-10001"]
    assert len({sensor.equipment_id for sensor in plant.sensors}) == 2_000
    assert len({sensor.name for sensor in plant.sensors}) == 2_000
    assert {sensor.location for sensor in plant.sensors} == set(LOCATIONS)
    assert len({sensor.source for sensor in plant.sensors}) == 24
    assert all(sensor.name.startswith(sensor.equipment) for sensor in plant.sensors)


def test_some_sensors_get_stuck_and_some_machines_stop() -> None:
    plant = SimulatedPlant(200)
    values = plant.values(ALL, WEEK).reshape(7, 96, 200)
    stuck = (values == values[:, :1]).all(axis=1)
    assert 0 < stuck.sum() < 70
    flows = np.array([sensor.kind == "Flow" for sensor in plant.sensors])
    assert 0.01 < (values[:, :, flows] == 0).mean() < 0.2


def test_outages_silence_single_sensors_and_whole_gateways() -> None:
    plant = SimulatedPlant(200)
    silent = plant.silent(ALL, WEEK)
    assert 0.001 < silent.mean() < 0.1
    together = [silent[:, plant.gateways == gateway].all(axis=1) for gateway in range(24)]
    assert any(gateway.any() for gateway in together)
    assert (silent.any(axis=0) & ~silent.all(axis=0)).sum() > 20


def test_values_move_little_in_a_minute_and_more_in_a_day() -> None:
    plant = SimulatedPlant(200)
    span = np.array([sensor.range_max - sensor.range_min for sensor in plant.sensors])
    at = (START + np.array([0, MINUTE, 9 * HOUR, DAY // 2]))[:, None]
    shares = plant.values(ALL, at) / span
    minute = np.median(np.abs(shares[1] - shares[0]))
    assert minute < np.median(np.abs(shares[3] - shares[0]))
