"""Plants, their lines, regions and their mirrors, step by step, in whole readings.

A plant's edge buffers what it sends until a region has acknowledged it, oldest first, and drops the
oldest when the buffer is full. A region takes at most its intake, keeps what it took in Kafka, and
its writers drain that into the store. Each region is mirrored to the next one, some seconds late.
What is taken is written to two places or lost with one: the model counts each reading once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

import numpy as np

REGIONS = 3
STRUCK = 0
"""The region whose lines are cut, or that is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    plants: int
    sensors: int
    """Of all plants."""
    interval_s: float
    link_per_s: float
    """Readings that a plant's line carries."""
    intake_per_s: float
    """Readings that a region's gateways acknowledge."""
    drain_per_s: float
    """Readings that a region's writers store."""
    mirror_per_s: float
    mirror_late_s: float
    failover_s: float
    """From a region's loss until its plants reach the next one."""
    buffer_s: float
    """What an edge can hold."""
    sent_again_s: float
    """What an edge still has of what was acknowledged, and sends again after a failover."""
    backoff_s: float
    """Edges come back within so long of their line's return."""
    step_s: float
    seed: int = 1

    @property
    def live_per_s(self) -> float:
        return self.sensors / self.interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Of the struck region, in seconds of the run."""

    cut: tuple[float, float] | None = None
    lost_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Trace:
    """A row per step; `produced` counts from the start, the others tell what stands at its end."""

    at_s: list[float] = field(default_factory=list)
    produced: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    edge: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    accepted_per_s: list[float] = field(default_factory=list)
    """Into all regions."""
    lag_s: list[float] = field(default_factory=list)
    """Age of the oldest reading of the struck region's plants that no region has taken."""
    fullest_s: list[float] = field(default_factory=list)
    """The fullest edge, in seconds of its sensors' readings."""
    unmirrored: list[int] = field(default_factory=list)
    """Of the struck region: what is lost when it is lost now."""


class _State:
    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = np.random.default_rng(world.seed)
        self.home = np.arange(world.plants) * REGIONS // world.plants
        self.per_step = world.live_per_s / world.plants * world.step_s
        self.edge_max = round(world.live_per_s / world.plants * world.buffer_s)
        self.back = self.rng.uniform(0, world.backoff_s, world.plants)
        self.edge = np.zeros(world.plants, np.int64)
        self.waiting = np.zeros(REGIONS, np.int64)
        self.copies_waiting = np.zeros(REGIONS, np.int64)
        """Of region n's readings, at the region that mirrors it."""
        self.stored = np.zeros(REGIONS, np.int64)
        self.copies_stored = np.zeros(REGIONS, np.int64)
        self.accepted = np.zeros(REGIONS, np.int64)
        self.mirrored = np.zeros(REGIONS, np.int64)
        self.before: deque[np.ndarray] = deque()
        """Accepted at the end of the steps that the mirror has not come to yet."""
        self.lost_at_edge = 0
        self.lost_in_region = 0
        self.dead = False
        self.moved = False


def run(world: World, fault: Fault, lasts_s: float) -> Trace:
    state, trace = _State(world), Trace()
    struck = state.home == STRUCK
    produced_of_struck: list[int] = []
    produced = of_struck = 0
    for number in range(round(lasts_s / world.step_s)):
        at = number * world.step_s
        _strike(state, fault, at)
        made = state.rng.poisson(state.per_step, world.plants)
        state.edge += made
        accepted = _send(state, _reachable(state, fault, at))
        over = np.maximum(state.edge - state.edge_max, 0)
        state.edge -= over
        state.lost_at_edge += int(over.sum())
        _mirror(state)
        _drain(state)
        produced += int(made.sum())
        of_struck += int(made[struck].sum())
        produced_of_struck.append(of_struck)
        out = of_struck - int(state.edge[struck].sum())
        reached = bisect_left(produced_of_struck, out) if out < of_struck else number
        trace.lag_s.append((number - reached) * world.step_s)
        _note(trace, state, at, produced, accepted)
    return trace


def _strike(state: _State, fault: Fault, at: float) -> None:
    world = state.world
    if fault.lost_s is None:
        return
    if not state.dead and at >= fault.lost_s:
        state.dead = True
        state.lost_in_region = int(state.accepted[STRUCK] - state.mirrored[STRUCK])
        # What it had taken over from the region that it mirrors is a copy; that region has it.
        state.waiting[STRUCK] = state.stored[STRUCK] = 0
    if state.dead and not state.moved and at >= fault.lost_s + world.failover_s:
        state.moved = True
        _send_again(state)


def _send_again(state: _State) -> None:
    """Edges send what they still have of the last acknowledged readings: the lost come back."""
    plants = np.flatnonzero(state.home == STRUCK)
    held = round(state.per_step / state.world.step_s * state.world.sent_again_s) * len(plants)
    back = min(state.lost_in_region, held)
    state.lost_in_region -= back
    share, rest = divmod(back, len(plants))
    state.edge[plants] += share
    state.edge[plants[:rest]] += 1


def _reachable(state: _State, fault: Fault, at: float) -> np.ndarray:
    """Which plants reach a region."""
    up = np.ones(state.world.plants, bool)
    if fault.cut is not None:
        begins, ends = fault.cut
        away = (at >= begins) & (at < ends + state.back)
        up &= ~((state.home == STRUCK) & away)
    if state.dead and not state.moved:
        up &= state.home != STRUCK
    return up


def _send(state: _State, up: np.ndarray) -> int:
    world = state.world
    target = np.where(state.moved & (state.home == STRUCK), (STRUCK + 1) % REGIONS, state.home)
    offered = np.minimum(state.edge, round(world.link_per_s * world.step_s)) * up
    intake = round(world.intake_per_s * world.step_s)
    taken = np.zeros_like(offered)
    for region in range(REGIONS):
        here = target == region
        total = int(offered[here].sum())
        # More than it can take is answered 503 and stays where it is.
        taken[here] = offered[here] if total <= intake else offered[here] * intake // total
        count = int(taken[here].sum())
        state.waiting[region] += count
        state.accepted[region] += count
    state.edge -= taken
    return int(taken.sum())


def _mirror(state: _State) -> None:
    world = state.world
    state.before.append(state.accepted.copy())
    late = round(world.mirror_late_s / world.step_s)
    due = state.before.popleft() if len(state.before) > late else np.zeros(REGIONS, np.int64)
    moves = np.minimum(due - state.mirrored, round(world.mirror_per_s * world.step_s))
    moves = np.maximum(moves, 0)
    if state.dead:
        moves[STRUCK] = 0
        moves[STRUCK - 1] = 0  # whose copies would go there
    state.mirrored += moves
    state.copies_waiting += moves


def _drain(state: _State) -> None:
    """Writers store a region's own readings first, then the copies of its neighbour's."""
    room = np.full(REGIONS, round(state.world.drain_per_s * state.world.step_s), np.int64)
    if state.dead:
        room[STRUCK] = 0
    own = np.minimum(state.waiting, room)
    state.waiting -= own
    state.stored += own
    copies = np.minimum(state.copies_waiting, np.roll(room - own, -1))
    state.copies_waiting -= copies
    state.copies_stored += copies


def _note(trace: Trace, state: _State, at: float, produced: int, accepted: int) -> None:
    """Each reading counts once: where its own region stands, there; else where its copy is."""
    world = state.world
    stored, waiting = int(state.stored.sum()), int(state.waiting.sum())
    if state.dead:
        stored += int(state.copies_stored[STRUCK])
        waiting += int(state.copies_waiting[STRUCK])
    trace.at_s.append(at)
    trace.produced.append(produced)
    trace.stored.append(stored)
    trace.edge.append(int(state.edge.sum()))
    trace.waiting.append(waiting)
    trace.lost.append(state.lost_at_edge + state.lost_in_region)
    trace.accepted_per_s.append(accepted / world.step_s)
    trace.fullest_s.append(float(state.edge.max()) / state.per_step * world.step_s)
    pending = 0 if state.dead else int(state.accepted[STRUCK] - state.mirrored[STRUCK])
    trace.unmirrored.append(pending)
