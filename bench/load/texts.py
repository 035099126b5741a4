"""What the report says whatever was measured."""

QUIET = (
    "The machine was quiet: hardly anything else ran, before or during the phases "
    "(the shares stand below)."
)
BUSY = (
    "**The machine was busy with other work** (the shares stand below): rates are lower and "
    "latencies higher than the system's own. What the audit says holds all the same. Run the "
    "command again on a quiet machine before you quote a rate."
)
GENERATORS = (
    "**Generators.** `wrk` is independent of this project and drives the closed loop: as many "
    "requests on the way as connections, the next one when the one before is answered. The "
    "generator with the ledger (`bench/load/generator.py`) does the same, and an open loop of "
    "constant arrival rate at 70 % of what its closed loop reached; it is written in Python and "
    "where its own core is full (CPU, load) it is the bottleneck, and `wrk` the better witness of "
    "the rate. Established sockets are counted on the server's side, from the kernel's table: a "
    "generator may not notice that a part of its connections never stood. CPU is the most in any "
    "second, of one core."
)
COORDINATED_OMISSION = (
    "**Coordinated omission.** In a closed loop a server that stands still also stops its "
    "generator: during a pause of one second each connection has one slow request, and the "
    "hundreds that should have been sent in that second are left out, so that the percentiles "
    "look as if the pause had hardly been. Devices do not wait for each other. In the open loop "
    "each message therefore has an instant at which it is due, and its latency counts from then, "
    "also when it was sent late because its connection still waited: a pause of one second shows "
    "in every message that was due in it. Read closed-loop figures as throughput at saturation, "
    "and open-loop figures as what a device feels."
)
AUDIT = (
    "**The audit.** Every reading is unique: its sensor is its connection's, its instant and value "
    "follow from its number. After each phase, once the backlog is empty, each sensor's count and "
    "mean, asked by the public API, are compared with those of the acknowledged readings; stored "
    "can only be what was sent, and a refused reading in the place of a lost one would show in the "
    "mean. Sensors that differ are compared reading by reading. At the end sensors are compared "
    "reading by reading once more, values included. `wrk` cannot say which of its requests were "
    "answered, only how many: there the number stored must lie between acknowledged and sent."
)
