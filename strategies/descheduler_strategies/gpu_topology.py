"""GpuTopology: multi-GPU jobs on badly linked GPUs, and gangs spread too far, move where they run faster.

Links inside a node differ: of eight V100 the best pair has three times the bandwidth of the worst. A job on a bad set
gains on all that is left of it, and pays for a restart; it moves when the gain is larger. What it gains is bounded by
Amdahl's law with the share of its time that it communicates. Where it lands must be likely, and good whatever the
kubelet then does: on a plain cluster nobody but the kubelet chooses among the GPUs of a node, so a destination counts
with the worst set that may be left there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import GPU_WEIGHT, Accept, RebalanceView, Scenario
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.topology import room_by_domain
from descheduler_strategies.gpu_bundles import Bundle, relocate
from descheduler_strategies.gpu_topology_args import NAME, GpuTopologyArgs
from descheduler_strategies.gpu_topology_jobs import Job, Jobs, finding_of
from descheduler_strategies.gpu_topology_sets import DeviceSets, Positions
from descheduler_strategies.gpu_topology_time import Outlook, Outlooks, saved, speed_up

Answer = Proposal | Observation
Mask = NDArray[np.bool_]


class GpuTopology:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[GpuTopologyArgs]] = GpuTopologyArgs

    def propose(self, view: RebalanceView, args: GpuTopologyArgs) -> Iterable[Answer]:
        """One proposal for each job that gains, the one with most to gain first."""
        if not any(node.gpus is not None for node in view.snapshot.nodes):
            return
        search = _Search(view, args)
        yield from search.answers()


class _Search:
    """One run; `state` moves on with every job that was proposed."""

    def __init__(self, view: RebalanceView, args: GpuTopologyArgs) -> None:
        self.view = view
        self.args = args
        self.state = view.what_if()
        self.sets = DeviceSets(view, best=args.devices == "best")
        self.jobs = Jobs(view, args, self.sets, self.state)
        self.outlooks = Outlooks(view, args)

    def answers(self) -> Iterator[Answer]:
        ranked: list[tuple[float, str, Job, Outlook]] = []
        for job in self.jobs.bad():
            outlook = self.outlooks.of(job.pods)
            if isinstance(outlook, Blocked):
                yield Observation(finding_of(self.view, self.args, job, 0.0), outlook, job.pods)
            else:
                ranked.append((-self._worth(job, outlook, job.score), job.name, job, outlook))
        moved = 0
        for _, _, job, outlook in sorted(ranked, key=lambda r: r[:2]):
            finding = finding_of(self.view, self.args, job, outlook.seconds)
            answer = self._left_alone(job, outlook, moved) or self._improve(job, outlook, finding)
            if isinstance(answer, Blocked):
                yield Observation(finding, answer, job.pods)
                continue
            moved += len(answer.moves)
            yield answer
        yield from self._unknown()

    def _worth(self, job: Job, outlook: Outlook, ratio: float) -> float:
        """What the job gains when its bandwidth was `ratio` of the new one, in core-seconds."""
        gained = saved(outlook.seconds, speed_up(outlook.communication, ratio))
        return job.gpus * GPU_WEIGHT * gained

    def _cost(self, job: Job) -> float:
        units = self.view.units
        restarting = {p for pod in job.leaving for p in units.of(pod).restarting(pod)}
        return float(self.view.costs[sorted(restarting)].sum())

    def _left_alone(self, job: Job, outlook: Outlook, moved: int) -> Blocked | None:
        """Why nothing is tried."""
        for pod in job.leaving:
            if not self.view.movable[pod]:
                key = f"pod/{self.view.snapshot.pods[pod].key}"
                return self.view.blocked(pod) or Blocked(Reason.SUPERSEDED, key, "its move was refused in this plan")
        ahead = f"{outlook.seconds / 60:.0f} min left ({outlook.source})"
        if outlook.seconds < self.args.min_remaining.total_seconds():
            return Blocked(Reason.NOT_WORTH_IT, job.name, f"about to end: {ahead}")
        most, cost = self._worth(job, outlook, job.score), self._cost(job)
        if most <= cost:
            return Blocked(Reason.NOT_WORTH_IT, job.name, f"worth {most:.0f} at most, cost {cost:.0f}; {ahead}")
        if moved + len(job.leaving) > self.args.max_moves:
            return Blocked(Reason.CYCLE_LIMIT, f"{NAME}.maxMoves", f"{moved} moves are proposed already")
        return None

    def _improve(self, job: Job, outlook: Outlook, finding: Finding) -> Proposal | Blocked:
        """Move the job where it is better linked; done in `state` if that pays."""
        trial = _Trial(self, job)
        bundle = trial.run(())
        avoid: tuple[int, ...] = ()
        if isinstance(bundle, Blocked) and self.view.steering and bundle.reason in (Reason.NO_GAIN, Reason.WOULD_STAY):
            avoid = trial.elsewhere()
            if 0 < len(avoid) <= self.args.max_avoided:
                bundle = trial.run(avoid)
        if isinstance(bundle, Blocked):
            return trial.told(bundle)
        ratio, width = trial.gained(bundle)
        worth, cost = self._worth(job, outlook, ratio), self._cost(job)
        if ratio >= 1.0 or worth <= cost:
            return Blocked(Reason.NOT_WORTH_IT, job.name, f"worth {worth:.0f}, cost {cost:.0f}")
        self.state = bundle.state
        self.state.steer(())
        factor = speed_up(outlook.communication, ratio)
        return Proposal(
            finding=finding,
            moves=bundle.moves,
            benefit=job.score / ratio - job.score,
            worth=worth,
            note=trial.note(width, factor, outlook),
            avoid=avoid,
        )

    def _unknown(self) -> Iterator[Observation]:
        """What could not be judged, in one line of each kind."""
        kinds = (
            ("devices", self.jobs.unlocated, "nobody reports which GPUs they hold"),
            ("links", self.jobs.unlinked, "nothing is known of the links between their GPUs"),
            ("network", self.jobs.unplaced, "their nodes do not say where in the network they are"),
        )
        for kind, pods, why in kinds:
            if pods:
                value = float(len(set(pods)))
                text = f"{value:.0f} pods cannot be judged: {why}"
                finding = Finding(NAME, f"gpu/{kind}", "pods that cannot be judged", value, 0.0, text)
                yield Observation(finding, Blocked(Reason.DATA_MISSING, f"gpu/{kind}", why), tuple(sorted(set(pods))))


class _Trial:
    """One job tried elsewhere: which nodes are good for each of its pods, and what it would get."""

    def __init__(self, search: _Search, job: Job) -> None:
        self._search = search
        self._view = search.view
        self._job = job
        self._held = {held.pod: held for held in job.holdings}
        self._widths: dict[int, dict[int, float]] = {}

    def run(self, avoid: tuple[int, ...]) -> Bundle | Blocked:
        """All that must move leaves, and lands where it probably would; or why that is no good."""
        return relocate(
            self._view,
            self._search.state,
            self._job.leaving,
            self._accept,
            avoid=avoid,
            max_risk=self._search.args.max_risk,
            bad=Reason.NO_GAIN,
        )

    def _accept(self, attempt: Scenario) -> Accept:
        pod = next(p for p in self._job.leaving if attempt.node_of(p) < 0)

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
        widths = self._search.sets.widths(attempt, self._held[pod], nodes)
        self._widths[pod] = dict(zip(nodes.tolist(), widths.tolist(), strict=True))
        enough = widths >= self._job.width if self._job.network < 1.0 else widths > self._job.width
        if self._held[pod].count < 2:
            enough = widths > 0
        good: Mask = enough & (widths > 0) & self._search.jobs.in_pool[nodes]
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

    def elsewhere(self) -> tuple[int, ...]:
        """Nodes that could take a pod of the job, and on which nothing is gained."""
        attempt = self._search.state.fork()
        sources = {attempt.node_of(p) for p in self._job.leaving}
        for pod in self._job.leaving:
            attempt.remove(pod)
        pod = max(self._held, key=lambda p: (self._held[p].count, -p))
        nodes = np.flatnonzero(attempt.fits(pod)).astype(np.int32)
        good = self._good(attempt, pod, nodes)
        if self._job.level >= 0:
            good &= np.isin(nodes, self._target())
        return tuple(n for n in nodes[~good].tolist() if n not in sources)

    def _target(self) -> Positions:
        """Nodes of the roomiest domains, as few as hold the gang, on the level that it is spread on."""
        job = self._job
        domain = self._view.topology.levels.domain[job.level]
        if job.spread is None or job.room is None:
            return np.arange(len(domain), dtype=np.int32)
        room = room_by_domain(self._view.topology.levels, job.level, job.room)
        chosen = np.argsort(-room, kind="stable")[: int(job.spread.fewest[job.level])]
        return np.flatnonzero(np.isin(domain, chosen)).astype(np.int32)

    def gained(self, bundle: Bundle) -> tuple[float, float]:
        """Old bandwidth over new, and the new one of the narrowest set, each pod on the worst of its good nodes."""
        job = self._job
        held = [move for move in bundle.moves if move.pod in self._held]
        widths = [min(self._widths[move.pod][n] for n in move.destinations) for move in held]
        stay = [held.bandwidth for held in job.holdings if held.pod not in bundle.landed]
        width = min([*widths, *stay])
        links = job.width / width if np.isfinite(width) and np.isfinite(job.width) else 1.0
        if job.spread is None:
            return links, width
        domain = self._view.topology.levels.domain
        nodes = [bundle.state.node_of(p) for p in job.pods]
        used = np.array([len(np.unique(row[nodes])) for row in domain], np.int64)
        return links * job.network / self._search.jobs.closeness(used, job.spread), width

    def told(self, blocked: Blocked) -> Blocked:
        """The refusal, with what stands in the way where it is the choice of the kubelet."""
        job, search = self._job, self._search
        if blocked.reason is not Reason.NO_GAIN or job.links >= 1.0 or search.args.devices == "best":
            return blocked
        attempt = search.state.fork()
        for pod in job.leaving:
            attempt.remove(pod)
        held = min(job.holdings, key=lambda h: (h.score, h.pod))
        lucky = np.where(attempt.fits(held.pod), search.sets.best_widths(attempt, held), 0.0)
        lucky[search.state.node_of(held.pod)] = 0.0
        if not lucky.size or lucky.max() <= job.width:
            return blocked
        node = self._view.snapshot.nodes[int(lucky.argmax())].name
        text = f"{node} has a set at {lucky.max():g} GB/s left, but the kubelet chooses, and could give a worse one"
        return Blocked(Reason.NO_GAIN, blocked.by, text)

    def note(self, width: float, factor: float, outlook: Outlook) -> str:
        """What is expected, and of whom."""
        job, args = self._job, self._search.args
        parts: list[str] = []
        if np.isfinite(width) and width > job.width:
            sure = "whichever GPUs the kubelet gives" if args.devices == "any" else "on the best GPUs left"
            parts.append(f"{job.width:g} → {width:g} GB/s, {sure}")
        if job.level >= 0:
            parts.append(f"gathered on level {self._view.topology.levels.names[job.level]}")
        parts.append(f"up to {factor:.2f} times as fast for {outlook.seconds / 3600:.1f} h ({outlook.source})")
        return "; ".join(parts)
