"""What a strategy is given: the cluster, its forecasts, its units, and a state to try things on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from descheduler.contract.loads import NodeLoads
from descheduler.contract.scenario import Scenario
from descheduler.gangs import Units
from descheduler.model.arrays import Floats, Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Proposal
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject
from descheduler.model.succession import made_while_ending
from descheduler.model.units import DisruptionMode
from descheduler.topology import ClusterTopology
from descheduler_profiling.series import History

GPU_WEIGHT = 20.0
"""Cores that one GPU is worth in costs and in what proposals promise: about the price of its hour over a core's."""


@dataclass(frozen=True, eq=False, slots=True)
class RebalanceView:
    """All that a strategy sees. Positions index `snapshot.nodes` (N) and `snapshot.pods` (P).

    `movable` [P] tells which pods the filters let go (`blocked(pod)` says why not), `removable` [P] which ones they let
    be removed (`kept(pod)` says why not): a removal is no move, so the two differ; `releasable` [P] and `held(pod)` say
    the same of pods that are to let go of what they hold. `costs` [P] is what one pod's restart costs in weighted
    resource-seconds, `pool_of` [N] the pool of each node (position in `pools`). `topology` has the levels of the
    network and the links between the devices of each node. `selected_nodes` [N] are those that the policy lets
    strategies see: sources and the destinations that they count on are only among these.
    """

    snapshot: ClusterSnapshot
    units: Units
    loads: Mapping[str, NodeLoads]  # by resource
    movable: Mask
    costs: Floats
    pools: tuple[str, ...]
    pool_of: Positions
    blocked: Callable[[int], Blocked | None]
    removable: Mask
    kept: Callable[[int], Blocked | None]
    releasable: Mask
    held: Callable[[int], Blocked | None]
    start: Scenario
    topology: ClusterTopology
    selected_nodes: Mask
    usage: Mapping[str, History] = field(default_factory=dict)  # by signal: what was measured, if it can be relied on
    together: Callable[[tuple[int, ...]], Blocked | None] = lambda _pods: None  # why pods may not leave all at once
    granted: tuple[Proposal, ...] = ()  # what strategies were granted in this plan so far
    use: str = ""  # how the policy calls this use of the strategy; its own name when empty

    @property
    def landing(self) -> LandingMode:
        """Who decides where moved pods come up again."""
        return self.start.mode

    @property
    def steering(self) -> bool:
        """Whether replacements are steered away from the nodes that pods are moved from (policy `acting.landing`)."""
        return self.start.mode is LandingMode.STEERED

    def what_if(self) -> Scenario:
        """A state of one's own that already holds what earlier proposals of this plan were granted."""
        return self.start.fork()

    def cost(self, pod: int) -> float:
        """Cost of moving the pod: everything that restarts with it counts."""
        return float(self.costs[list(self.units.restarting(pod))].sum())

    def granted_for(self, strategy: str, subject: Subject) -> tuple[Proposal, ...]:
        """What this plan grants for a finding so far: what limits of one plan have to count.

        Another use of the same strategy counts for itself.
        """
        mine = self.use or strategy
        return tuple(p for p in self.granted if p.finding.strategy == mine and p.finding.subject == subject)

    def moves_granted(self, strategy: str, subject: Subject) -> int:
        """How many pods this plan moves for a finding so far."""
        return sum(len(proposal.moves) for proposal in self.granted_for(strategy, subject))

    def moving(self, pod: int) -> tuple[int, ...]:
        """The pods that must move together with this one."""
        return self.units.moving(pod)

    def directs(self, pod: int) -> bool:
        """Whether the pod's replacement is directed: its controller is known, for by that one directions are given."""
        return self.landing is LandingMode.DIRECTED and self.snapshot.maker(self.snapshot.pods[pod]) is not None

    def ending(self, pods: Iterable[int]) -> tuple[int, ...]:
        """Those of the pods that still hold their room when their replacements look for theirs.

        Of a gang that moves whole nobody finds a place before all can, so by then its members have ended.
        """
        snapshot, units = self.snapshot, self.units
        return tuple(
            pod
            for pod in pods
            if self.landing is not LandingMode.RESERVED
            and not (units.of(pod).gang and units.of(pod).mode is DisruptionMode.WHOLE)
            and made_while_ending(snapshot.pods[pod], snapshot.workloads)
        )

    def destinations(self) -> Mask:
        """[N] selected nodes that may receive pods at all: ready, schedulable, real, and not about to go."""
        nodes = self.snapshot.nodes
        lasting = np.fromiter((not n.virtual and not n.leaving for n in nodes), np.bool_, len(nodes))
        ready: Mask = self.snapshot.columns.node_ready & lasting & self.selected_nodes
        return ready
