"""Plans of LowNodeUtilization and HighNodeUtilization on small clusters, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from builders import NOW
from descheduler.gangs import resolve
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import (
    ChosenStrategy,
    Outcome,
    PlanningInput,
    PlanningSettings,
    build_document,
    decide,
    survey,
)
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.scheduler import Scoring
from descheduler_profiling.build import build
from descheduler_profiling.series import History
from descheduler_strategies.node_utilization import HighNodeUtilization, LowNodeUtilization

UNLIMITED = PlanningSettings(limits=DisruptionLimits(per_node=None, per_workload=None))
PACKING = replace(UNLIMITED, scoring={"default-scheduler": Scoring.MOST_ALLOCATED})
"""Where the scheduler itself fills nodes that are in use."""


def low(**arguments: object) -> ChosenStrategy:
    """With thresholds of 20 % and targets of 50 % of CPU, unless said otherwise."""
    given = {"thresholds": {"cpu": 20}, "targetThresholds": {"cpu": 50}, **arguments}
    return ChosenStrategy(LowNodeUtilization(), LowNodeUtilization.Args.model_validate(given))


def high(**arguments: object) -> ChosenStrategy:
    """With thresholds of 30 % of CPU, unless said otherwise."""
    given = {"thresholds": {"cpu": 30}, **arguments}
    return ChosenStrategy(HighNodeUtilization(), HighNodeUtilization.Args.model_validate(given))


@dataclass(frozen=True)
class Made:
    """A plan, and what it says."""

    outcome: Outcome

    @property
    def gone(self) -> list[str]:
        """Names of the pods that leave, in the order in which they were accepted."""
        pods = self.outcome.view.snapshot.pods
        return [pods[proof.pod].name for one in self.outcome.accepted for proof in one.proofs]

    @property
    def landed(self) -> Mapping[str, str]:
        """By pod, the node where it is expected."""
        snapshot = self.outcome.view.snapshot
        proofs = [proof for one in self.outcome.accepted for proof in one.proofs]
        return {snapshot.pods[proof.pod].name: snapshot.nodes[proof.node].name for proof in proofs}

    @property
    def left_alone(self) -> Mapping[str, Reason]:
        """By the name of the node, why it is left as it is."""
        return {key[1].name: seen.blocked.reason for key, seen in self.outcome.observed.items()}

    @property
    def document(self) -> PlanDocument:
        return build_document(self.outcome)

    def after(self) -> ClusterSnapshot:
        """The cluster when all of it is done."""
        snapshot, landed = self.outcome.view.snapshot, self.landed
        pods = tuple(replace(pod, node=landed.get(pod.name, pod.node)) for pod in snapshot.pods)
        return replace(snapshot, pods=pods)


def made(
    snapshot: ClusterSnapshot,
    *chosen: ChosenStrategy,
    settings: PlanningSettings = UNLIMITED,
    histories: Sequence[History] = (),
) -> Made:
    by_signal = {one.signal: one for one in histories}
    profiles = {signal: build(one) for signal, one in by_signal.items()}
    given = PlanningInput(snapshot, resolve(snapshot), profiles, NOW, histories=by_signal)
    return Made(decide(survey(given, settings), chosen))
