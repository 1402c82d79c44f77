"""What is said of the pods of the honest, and what of it another tenant changes by what he writes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import ClassVar

import numpy as np

from descheduler.contract import Accept, RebalanceView, Scenario, StrategyArgs, relocate
from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject
from descheduler.planning import ChosenStrategy, PlanningInput, PlanningSettings, build_document, decide, survey
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.budgets.match import match_budgets
from descheduler.planning.filters.build import build_filters
from generated.tenants import with_tenant
from generated.town import EVIL, FRIEND, HONEST, Objects, town
from kube.wire_objects import Json

THE_HONEST = (HONEST, FRIEND)
NOW = 1_760_000_000.0
SETTINGS = PlanningSettings(limits=DisruptionLimits(), landing=LandingMode.DIRECTED)

Verdicts = dict[str, object]
"""What is said of each honest pod, by its name and of what."""


class EverybodyElsewhere:
    """Proposes to move each honest pod, with all that must move with it, to any other node."""

    name: ClassVar[str] = "EverybodyElsewhere"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal | Observation]:
        del args
        state = view.what_if()
        for at, pod in enumerate(view.snapshot.pods):
            if pod.namespace not in THE_HONEST or state.node_of(at) < 0:
                continue
            finding = Finding(self.name, Subject("pod", pod.key), "here", 1.0, 0.0, "is here")
            found = relocate(view, state, (at,), anywhere, max_risk=1.0, bad=Reason.NO_GAIN)
            if isinstance(found, Blocked):
                yield Observation(finding, found, (at,))
            else:
                yield Proposal(finding, found.moves, benefit=1.0, worth=1e9)


def anywhere(_state: Scenario, _pod: int) -> Accept:
    return lambda nodes: np.ones(len(nodes), np.bool_)


def verdicts(objects: Objects) -> Verdicts:
    snapshot = snapshot_from_objects(objects, NOW)
    units = resolve(snapshot)
    filters = build_filters(snapshot, units, SETTINGS.filters, now=NOW)
    matches = match_budgets(snapshot)
    out: Verdicts = {}
    for at, pod in enumerate(snapshot.pods):
        if pod.namespace not in THE_HONEST:
            continue
        unit = units.of(at)
        out[f"{pod.key} is stopped by"] = filters.every(at)
        out[f"{pod.key} moves with"] = tuple(snapshot.pods[i].key for i in unit.members)
        out[f"{pod.key} is in"] = (unit.name, unit.mode, unit.consequence, unit.min_available, unit.blocked)
        out[f"{pod.key} belongs to"] = snapshot.columns.workloads[snapshot.columns.pod_workload[at]]
        out[f"{pod.key} comes again as"] = snapshot.columns.specs[snapshot.columns.pod_remade[at]]
        out[f"{pod.key} has budgets"] = tuple(snapshot.budgets[i].key for i in matches.of(at))
        out[f"{pod.key} holds"] = (pod.gpu_shares, pod.gpu_source)
    given = PlanningInput(snapshot, units, {}, NOW)
    plan = build_document(decide(survey(given, SETTINGS), (ChosenStrategy(EverybodyElsewhere(), StrategyArgs()),)))
    for action in plan.actions:
        for move in action.pods:
            out[f"{move.namespace}/{move.pod} goes"] = (action.unit, move.destination, move.workload, action.wave)
    for row in plan.refusals:
        if row.strategy:
            # Details count nodes by why they are none, and his own may be one for another reason.
            out[f"{row.finding}: {row.subject} is refused"] = (row.reason, row.by)
    return out


@cache
def alone() -> Verdicts:
    return verdicts(town())


def changed(written: Iterable[tuple[str, Json]], namespace: str = EVIL) -> list[str]:
    """What is another for honest pods because of what the other tenant wrote in his namespace."""
    before, after = alone(), verdicts(with_tenant(written, namespace))
    keys = dict.fromkeys((*before, *after))
    return [f"{key}: {before.get(key)} | {after.get(key)}" for key in keys if before.get(key) != after.get(key)]
