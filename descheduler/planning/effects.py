"""What moves do for a finding: its level with them, and whether that cures it."""

from __future__ import annotations

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.moves import Finding


def level_with(
    view: RebalanceView, state: Scenario, finding: Finding, benefit: float
) -> tuple[float, tuple[float, ...]]:
    """The finding's value in the state, and its curve; without one it is what moves with that `benefit` make of it.

    What the finding is above its curve now, it stays above the new one.
    """
    loads = view.loads.get(finding.resource)
    if not finding.curve or loads is None or not finding.nodes:
        return finding.value + benefit, ()
    nodes = np.array(finding.nodes[:1], np.int32)
    curve = loads.curve(state.vectors(finding.resource, nodes), nodes, finding.quantile)[0]
    steps = max(1, int(finding.horizon_seconds // finding.step_seconds))
    above = max(0.0, finding.value - max(finding.curve[:steps]))
    return float(curve[:steps].max()) + above, tuple(curve.tolist())


def cures(finding: Finding, after: float) -> bool:
    """Whether the value is where it should be."""
    high = finding.value > finding.threshold
    return after <= finding.threshold if high else after >= finding.threshold
