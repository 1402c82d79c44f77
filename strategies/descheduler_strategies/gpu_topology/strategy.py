"""GpuTopology: multi-GPU jobs on badly linked GPUs, and gangs spread too far, move where they run faster.

Links inside a node differ: of eight V100 the best pair has three times the bandwidth of the worst. A job on a bad set
gains on all that is left of it, and pays for a restart; it moves when the gain is larger. What it gains is bounded by
Amdahl's law with the share of its time that it communicates. Where it lands must be likely, and good whatever the
kubelet then does: on a plain cluster nobody but the kubelet chooses among the GPUs of a node, so a destination counts
with the worst set that may be left there.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from descheduler.contract import GPU_WEIGHT, RebalanceView, Relocation, StrategyArgs, rate
from descheduler.model.fence import fenced
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.pods import PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.topology import Board
from descheduler_strategies.gpu_topology.args import NAME, GpuTopologyArgs
from descheduler_strategies.gpu_topology.jobs import Job, Jobs, finding_of
from descheduler_strategies.gpu_topology.sets import DeviceSets
from descheduler_strategies.gpu_topology.time import Outlook, Outlooks, saved, speed_up
from descheduler_strategies.gpu_topology.trial import Trial

Answer = Proposal | Observation
_Alike = tuple[PodSpec, Board | None, float, int]

MAX_TRIED = 512
"""Trials of jobs in one round; each costs some milliseconds on thousands of nodes."""


ALIKE = 8
"""So many pods of one kind are tried in one state: the next could land elsewhere only for the node that it leaves."""
MAX_NAMED = 200
"""Jobs that are left alone with a finding of their own, those with most to gain; the others are summed up."""


class GpuTopology:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = GpuTopologyArgs

    def propose(self, view: RebalanceView, args: GpuTopologyArgs) -> Iterable[Answer]:
        """One proposal for each job that gains, the one with most to gain first."""
        if not any(node.gpus is not None for node in view.snapshot.nodes):
            return
        search = _Search(view, args)
        yield from search.answers()


@dataclass(frozen=True, eq=False, slots=True)
class _Gain:
    """What a job would gain with `bundle`, worked out when so many pods had `moved`."""

    bundle: Relocation
    ratio: float
    worth: float
    note: str
    moved: int


@dataclass(frozen=True, eq=False, slots=True)
class _Entry:
    """A job in the queue. `key`: the least first; minus what it gains for its cost, at most until `gain` is known."""

    key: float
    job: Job
    outlook: Outlook
    gain: _Gain | None = None

    def __lt__(self, other: _Entry) -> bool:
        return (self.key, str(self.job.subject)) < (other.key, str(other.job.subject))


class _Search:
    """One run; `state` moves on with every job that was proposed."""

    def __init__(self, view: RebalanceView, args: GpuTopologyArgs) -> None:
        self.view = view
        self.args = args
        self.state = view.what_if()
        self.sets = DeviceSets(view, best=args.devices == "best")
        self.jobs = Jobs(view, args, self.sets, self.state)
        self.outlooks = Outlooks(view, args)
        self.moved = sum(1 for pod in self.state.moved if self.sets.count(pod))
        self.tried = 0
        self.proposed = 0
        self.none: dict[_Alike, Blocked | None] = {}
        self.failed: Counter[_Alike] = Counter()

    def answers(self) -> Iterator[Answer]:
        """Job after job, the one that gains most for its cost first: what one takes, the next does not find."""
        queue: list[_Entry] = []
        named, unnamed = 0, dict[Reason, list[Job]]()
        for job in self.jobs.bad():
            outlook = fenced(partial(self.outlooks.of, job.pods), partial(self._failed, job))
            if isinstance(outlook, Blocked):
                yield Observation(finding_of(self.view, self.args, job, 0.0), outlook, job.pods)
            else:
                heapq.heappush(queue, _Entry(-self._rate(job, self._worth(job, outlook, job.score)), job, outlook))
        while queue:
            if self.moved >= self.args.max_moves or self.tried >= MAX_TRIED:
                text = f"{self.moved} moves are proposed, {self.tried} jobs were tried"
                yield self._rest([entry.job for entry in sorted(queue)], Blocked(Reason.CYCLE_LIMIT, NAME, text))
                break
            entry = heapq.heappop(queue)
            answer = fenced(partial(self._answer, entry), partial(self._failed, entry.job))
            if isinstance(answer, Blocked):
                named += 1
                if named > MAX_NAMED:
                    unnamed.setdefault(answer.reason, []).append(entry.job)
                    continue
                finding = finding_of(self.view, self.args, entry.job, entry.outlook.seconds)
                yield Observation(finding, answer, entry.job.pods)
            elif queue and answer.key > queue[0].key:
                heapq.heappush(queue, answer)  # another may gain more than this one does now
            else:
                yield self._taken(answer)
        for reason, jobs in unnamed.items():
            yield self._rest(jobs, Blocked(reason, NAME, f"{len(jobs)} jobs besides those that are named"))
        yield from self._unknown()

    def _answer(self, entry: _Entry) -> _Entry | Blocked:
        return self._left_alone(entry.job, entry.outlook) or self._gain(entry)

    def _failed(self, job: Job, why: str) -> Blocked:
        """One job that cannot be judged is left alone; the others are not."""
        return Blocked(Reason.STRATEGY_FAILED, str(job.subject), why)

    def _worth(self, job: Job, outlook: Outlook, ratio: float) -> float:
        """What the job gains when its bandwidth was `ratio` of the new one, in core-seconds."""
        gained = saved(outlook.seconds, speed_up(outlook.communication, ratio))
        return job.gpus * GPU_WEIGHT * gained

    def _cost(self, job: Job) -> float:
        units = self.view.units
        restarting = {p for pod in job.leaving for p in units.restarting(pod)}
        return float(self.view.costs[sorted(restarting)].sum())

    def _left_alone(self, job: Job, outlook: Outlook) -> Blocked | None:
        """Why nothing is tried."""
        for pod in job.leaving:
            if not self.view.movable[pod]:
                key = f"pod/{self.view.snapshot.pods[pod].key}"
                return self.view.blocked(pod) or Blocked(Reason.SUPERSEDED, key, "its move was refused in this plan")
        ahead = f"{outlook.seconds / 60:.0f} min left ({outlook.source})"
        if outlook.seconds < self.args.min_remaining.total_seconds():
            return Blocked(Reason.NOT_WORTH_IT, str(job.subject), f"about to end: {ahead}")
        most, cost = self._worth(job, outlook, job.score), self._cost(job)
        if most <= cost:
            return Blocked(Reason.NOT_WORTH_IT, str(job.subject), f"worth {most:.0f} at most, cost {cost:.0f}; {ahead}")
        if self.moved + len(job.leaving) > self.args.max_moves:
            return Blocked(Reason.CYCLE_LIMIT, f"{NAME}.maxMoves", f"{self.moved} moves are proposed already")
        return None

    def _gain(self, entry: _Entry) -> _Entry | Blocked:
        """The entry with what it gains in the present state, or why it gains nothing."""
        if entry.gain is not None and entry.gain.moved == self.moved:
            return entry
        job, outlook = entry.job, entry.outlook
        trial = Trial(self.view, self.args, self.sets, self.jobs, self.state, job)
        alike = self._alike(job)
        hopeless = self._hopeless(trial, alike)
        if hopeless is not None:
            return hopeless
        self.tried += 1
        bundle = trial.best()
        if isinstance(bundle, Blocked):
            if alike is not None and bundle.reason is Reason.NO_GAIN:
                self.failed[alike] += 1
            return trial.explained(bundle)
        ratio, width = trial.gained(bundle)
        worth, cost = self._worth(job, outlook, ratio), self._cost(job)
        if ratio >= 1.0 or worth <= cost:
            return Blocked(Reason.NOT_WORTH_IT, str(job.subject), f"worth {worth:.0f}, cost {cost:.0f}")
        note = trial.note(width, speed_up(outlook.communication, ratio), outlook)
        gain = _Gain(bundle, ratio, worth, note, self.moved)
        return replace(entry, key=max(entry.key, -self._rate(job, worth)), gain=gain)

    def _alike(self, job: Job) -> _Alike | None:
        """What a pod alone has in common with others for which the same nodes are good; None for gangs."""
        if len(job.holdings) > 1:
            return None
        held, columns = job.holdings[0], self.view.snapshot.columns
        return columns.specs[columns.pod_spec[held.pod]], held.board, held.bandwidth, self.moved

    def _hopeless(self, trial: Trial, alike: _Alike | None) -> Blocked | None:
        """Why not even to try: until something moves, what holds for some pods holds for all alike."""
        if alike is None:
            return None
        if self.failed[alike] >= ALIKE:
            return Blocked(Reason.NO_GAIN, "gpu/sets", f"{ALIKE} others alike would land where nothing is gained")
        if alike not in self.none:
            none = Blocked(Reason.NO_GAIN, "gpu/sets", "no node is sure to have a better linked set left")
            self.none[alike] = None if trial.hopeful() else trial.explained(none)
        return self.none[alike]

    def _taken(self, entry: _Entry) -> Proposal:
        """The proposal of an entry whose gain is worked out; done in `state`."""
        gain, job = entry.gain, entry.job
        if gain is None:
            raise ValueError("nothing is worked out yet")
        self.moved += len(gain.bundle.moves)
        self.proposed += 1
        self.state = gain.bundle.state
        return Proposal(
            finding=finding_of(self.view, self.args, job, entry.outlook.seconds),
            moves=tuple(replace(move, only=True) for move in gain.bundle.moves),
            benefit=job.score / gain.ratio - job.score,
            worth=gain.worth,
            note=gain.note,
            avoid=gain.bundle.avoid,
            follows=self.proposed > 1,  # what one takes, the next did not find
        )

    def _rate(self, job: Job, worth: float) -> float:
        return rate(worth, float(self.view.costs[list(job.leaving)].sum()))

    def _rest(self, jobs: Sequence[Job], blocked: Blocked) -> Observation:
        """Jobs that are badly placed, in one line."""
        value = float(len(jobs))
        text = f"{value:.0f} more jobs are badly placed"
        finding = Finding(
            NAME, Subject(SubjectKind.GPU, blocked.reason), "further jobs that are badly placed", value, 0.0, text
        )
        return Observation(finding, blocked, tuple(p for job in jobs for p in job.pods))

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
                finding = Finding(NAME, Subject(SubjectKind.GPU, kind), "pods that cannot be judged", value, 0.0, text)
                yield Observation(finding, Blocked(Reason.DATA_MISSING, f"gpu/{kind}", why), tuple(sorted(set(pods))))
