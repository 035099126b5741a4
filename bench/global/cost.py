"""A month of a million sensors: quantities by the capacity model, prices as assumptions."""

from __future__ import annotations

from scenarios import INTERVAL_S, SENSORS, inputs

from pipewatcher.capacity.figures import Figures
from pipewatcher.capacity.plan import BATCH, BROKERS, Demand, plan

DAY = 86_400.0
KEPT_D = 365
KAFKA_D = 7
GB = 1e9
PRICES = {"core": 25.0, "memory": 3.0, "disk": 0.10, "archive": 0.02, "line": 0.05}
"""US dollars a month: a core, a GB of memory, a GB of SSD and of object storage; a GB that leaves a
region. Assumed, as lists of large providers show them in their order of size; no offer."""


def quantities(measured: Figures) -> list[tuple[str, float, str, str]]:
    """Name, how much, unit, name of its price."""
    demand = Demand(
        sensors=SENSORS,
        interval_s=INTERVAL_S,
        retention_s=KEPT_D * DAY,
        batch=BATCH,
        kept_in_kafka_s=KAFKA_D * DAY,
    )
    need = plan(demand, measured).split
    month = demand.readings_per_s * 30 * DAY
    # A whole core for each gateway and writer, one for a stack's discovery and API.
    cores = need.gateways + need.writers + need.stacks + need.influxdb_cores
    return [
        ("q-readings", month / 1e9, "× 10⁹", ""),
        ("q-in", month * measured.wire_batch_bytes / GB, "GB", ""),
        ("q-edge", inputs(measured)["edge_mb_per_h"], "MB/h", ""),
        ("q-cores", cores, "", "core"),
        ("q-memory", need.memory_bytes / GB, "GB", "memory"),
        ("q-kafka", BROKERS * need.kafka_bytes / GB, "GB", "disk"),
        ("q-store", 2 * need.influxdb_bytes / GB, "GB", "disk"),
        ("q-mirror", month * measured.kafka_bytes / GB, "GB", "line"),
        ("q-backup", demand.readings_kept * measured.influxdb_bytes / GB, "GB", "archive"),
    ]


def costs(measured: Figures) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "amount": round(amount, 1),
            "unit": unit,
            "price": PRICES.get(price),
            "month": round(amount * PRICES[price]) if price else None,
        }
        for name, amount, unit, price in quantities(measured)
    ]
