"""One job tried elsewhere: which nodes are good for each of its pods, and what it would get there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import MOST_AVOIDED, Accept, RebalanceView, Relocation, Scenario, relocate
from descheduler.model.arrays import Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.reasons import Blocked, Reason
from descheduler.topology import room_by_domain
from descheduler_strategies.gpu_topology.args import GpuTopologyArgs
from descheduler_strategies.gpu_topology.jobs import Job, Jobs
from descheduler_strategies.gpu_topology.sets import DeviceSets
from descheduler_strategies.gpu_topology.time import Outlook


class Trial:
    """One job tried elsewhere: which nodes are good for each of its pods, and what it would get."""

    def __init__(
        self, view: RebalanceView, args: GpuTopologyArgs, sets: DeviceSets, jobs: Jobs, state: Scenario, job: Job
    ) -> None:
        self._view = view
        self._args = args
        self._sets = sets
        self._jobs = jobs
        self._state = state
        self._job = job
        self._held = {held.pod: held for held in job.holdings}
        self._widths: dict[int, dict[int, float]] = {}
        self._bar = 0.0

    def best(self) -> Relocation | Blocked:
        """The moves that gain most; or why there are none.

        Where the scheduler alone decides, all better nodes are good, and it chooses among them. Else the widest sets
        are tried first: the nodes in the way are steered away from, or those that have them are named.
        """
        refusal: Blocked | None = None
        alone = self._view.landing is LandingMode.PREDICTED
        for bar in [0.0] if alone else self._bars():
            found = self._tried(bar)
            if not isinstance(found, Blocked):
                return found
            refusal = refusal or found
        return refusal or Blocked(Reason.NO_GAIN, str(self._job.subject), "no node has a better set left")

    def _tried(self, bar: float) -> Relocation | Blocked:
        """All that must move leaves, and lands where it probably would, on sets of `bar` GB/s at least."""
        self._bar = bar
        self._widths.clear()
        return relocate(
            self._view,
            self._state,
            self._job.leaving,
            self._accept,
            max_risk=self._args.max_risk,
            bad=Reason.NO_GAIN,
            more_avoided=MOST_AVOIDED,
        )

    def _accept(self, attempt: Scenario, pod: int) -> Accept:
        def accept(nodes: Positions) -> Mask:
            good = self._good(attempt, pod, nodes)
            if self._job.level >= 0 and pod in self._held:
                good &= self._near(attempt, nodes)
            return good

        return accept

    def _good(self, attempt: Scenario, pod: int, nodes: Positions) -> Mask:
        """[K] nodes on which the pod is sure of a better set than the job has now, or of as good a one in a gang."""
        if pod not in self._held:
            return np.ones(len(nodes), np.bool_)
        widths = self._sets.widths(attempt, self._held[pod], nodes, self._job.leaving)
        self._widths.setdefault(pod, {}).update(zip(nodes.tolist(), widths.tolist(), strict=True))
        enough = widths >= self._job.width if self._job.network < 1.0 else widths > self._job.width
        if self._held[pod].count < 2:
            enough = widths > 0
        good: Mask = enough & (widths > 0) & (widths >= self._bar) & self._jobs.in_pool[nodes]
        return good

    def _near(self, attempt: Scenario, nodes: Positions) -> Mask:
        """[K] nodes on which the gang stays within the fewest domains of the level that it is spread on."""
        job, level = self._job, self._job.level
        if job.spread is None or job.room is None:
            return np.ones(len(nodes), np.bool_)
        domain = self._view.topology.levels.domain[level]
        used = {int(domain[n]) for p in job.pods if (n := attempt.node_of(p)) >= 0}
        limit = int(job.spread.fewest[level])
        room = room_by_domain(self._view.topology.levels, level, job.room)
        allowed = np.isin(domain[nodes], list(used))
        for one in sorted({int(d) for d in domain[nodes]} - used):
            if len(used) < limit and self._holds(room, [*used, one], limit, len(job.holdings)):
                allowed |= domain[nodes] == one
        return allowed

    @staticmethod
    def _holds(room: NDArray[np.int64], chosen: list[int], limit: int, members: int) -> bool:
        """Whether the chosen domains, with the largest others up to the limit, hold all members."""
        rest = np.sort(np.delete(room, chosen))[::-1][: limit - len(chosen)]
        return int(room[chosen].sum() + rest.sum()) >= members

    def _without(self) -> tuple[Scenario, int, Positions]:
        """The state without the job, its pod with most GPUs, and the nodes that could take that one."""
        attempt = self._state.fork()
        for pod in self._job.leaving:
            attempt.remove(pod)
        pod = max((p for p in self._job.leaving if p in self._held), key=lambda p: (self._held[p].count, -p))
        return attempt, pod, np.flatnonzero(attempt.fits(pod)).astype(np.int32)

    def hopeful(self) -> bool:
        """Whether any node that could take the pod is sure to have a better set."""
        return any(bar > self._job.width for bar in self._bars())

    def _bars(self) -> list[float]:
        """Bandwidths that could be asked for, the highest first."""
        attempt, pod, nodes = self._without()
        widths = self._sets.widths(attempt, self._held[pod], nodes, self._job.leaving)
        return sorted({w for w in widths.tolist() if w > 0 and w >= self._job.width}, reverse=True) or [0.0]

    def gained(self, bundle: Relocation) -> tuple[float, float]:
        """Old bandwidth over new, and the new one of the narrowest set, each pod on the worst of its good nodes."""
        job = self._job
        held = [move for move in bundle.moves if move.pod in self._held]
        # Pods of one controller are directed to the nodes of all of them, one of which may be asked about for another.
        asked = [(self._widths[move.pod], move.destinations) for move in held]
        widths = [min(width[node] for node in nodes if node in width) for width, nodes in asked]
        stay = [held.bandwidth for held in job.holdings if held.pod not in bundle.landed]
        width = min([*widths, *stay])
        links = job.width / width if np.isfinite(width) and np.isfinite(job.width) else 1.0
        if job.spread is None:
            return links, width
        domain = self._view.topology.levels.domain
        nodes = [bundle.state.node_of(p) for p in job.pods]
        used = np.array([len(np.unique(row[nodes])) for row in domain], np.int64)
        return links * job.network / self._jobs.closeness(used, job.spread), width

    def explained(self, blocked: Blocked) -> Blocked:
        """The refusal, with what stands in the way where it is the choice of the kubelet."""
        job = self._job
        if blocked.reason is not Reason.NO_GAIN or job.links >= 1.0 or self._args.devices == "best":
            return blocked
        attempt, pod, nodes = self._without()
        lucky = self._sets.best_widths(attempt, self._held[pod])[nodes]
        lucky[nodes == self._state.node_of(pod)] = 0.0
        if not lucky.size or lucky.max() <= job.width:
            return blocked
        node = self._view.snapshot.nodes[int(nodes[lucky.argmax()])].name
        text = f"{node} has a set at {lucky.max():g} GB/s left, but the kubelet chooses, and could give a worse one"
        return Blocked(Reason.NO_GAIN, blocked.by, text)

    def note(self, width: float, factor: float, outlook: Outlook) -> str:
        """What is expected, and of whom."""
        job, args = self._job, self._args
        parts: list[str] = []
        if np.isfinite(width) and width > job.width:
            sure = "whichever GPUs the kubelet gives" if args.devices == "any" else "on the best GPUs left"
            parts.append(f"{job.width:g} → {width:g} GB/s, {sure}")
        if job.level >= 0:
            parts.append(f"gathered on level {self._view.topology.levels.names[job.level]}")
        parts.append(f"up to {factor:.2f} times as fast for {outlook.seconds / 3600:.1f} h ({outlook.source})")
        return "; ".join(parts)
