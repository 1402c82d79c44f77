"""How sure the forecasts are that findings of nodes rest on: yesterday's, made again for the same pods from what was
known then, held against what came.

One definition of coverage everywhere: the share of measured steps at or under what was forecast for them. Only what
runs in pods is compared; what runs on a node outside of them has a history of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.contract.loads import NodeLoads
from descheduler.model.arrays import Floats, Positions
from descheduler.model.plan import EvidenceRow, FindingRow, PlanDocument
from descheduler.planning.document.findings import CURVE_STEPS
from descheduler.planning.planner import Outcome
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY, ProfileSettings

FINDINGS = 12  # that are looked into, the furthest over their limits first: it takes milliseconds each
_SHOWN = 900  # seconds for each point that is kept of a day
_ALIKE = 1.005  # of a load that never changes both are the same, but for what rounding takes away


def with_evidence(
    document: PlanDocument, outcome: Outcome, settings_of: Callable[[str], ProfileSettings]
) -> PlanDocument:
    """The document with evidence at the forecasts of its hottest nodes; `settings_of` says how profiles of a signal are
    made."""
    about = [
        row for row in document.findings if row.curve and row.resource in outcome.view.loads and len(row.nodes) == 1
    ]
    about = sorted(about, key=lambda row: row.threshold - row.value)[:FINDINGS]
    names = {node.name: at for at, node in enumerate(outcome.view.snapshot.nodes)}
    found: dict[str, EvidenceRow] = {}
    for resource in dict.fromkeys(row.resource for row in about):
        mine = [row for row in about if row.resource == resource]
        found |= _of_resource(outcome, resource, mine, [names[row.nodes[0]] for row in mine], settings_of)
    return replace(
        document, findings=tuple(replace(row, evidence=found.get(row.id, row.evidence)) for row in document.findings)
    )


@dataclass(frozen=True, slots=True)
class _Past:
    """A history, and what its `rows` [K] would have been forecast a day before its end."""

    history: History
    made: SignalProfiles
    rows: Positions


def _of_resource(
    outcome: Outcome,
    resource: str,
    findings: Sequence[FindingRow],
    nodes: Sequence[int],
    settings_of: Callable[[str], ProfileSettings],
) -> dict[str, EvidenceRow]:
    loads = outcome.view.loads[resource]
    signal = loads.profiles.signal
    history = outcome.view.usage.get(signal)
    pods = [outcome.view.snapshot.columns.pods_on(node) for node in nodes]
    past = _yesterday(history, loads, pods, settings_of(signal)) if history is not None else None
    quantile = outcome.context.settings.proof.quantile
    return {
        finding.id: _of_node(loads, past, node, mine, finding, quantile)
        for finding, node, mine in zip(findings, nodes, pods, strict=True)
    }


def _yesterday(
    history: History, loads: NodeLoads, pods: Sequence[Positions], settings: ProfileSettings
) -> _Past | None:
    """None where the history is too short to leave a day out."""
    day = DAY // history.step
    rows = np.unique(loads.pod_row[np.concatenate(pods)])
    rows = rows[rows >= 0]
    if not rows.size or history.values.shape[1] < 2 * day or history.keys != loads.profiles.keys:
        return None
    known = replace(
        history,
        keys=tuple(history.keys[row] for row in rows.tolist()),
        values=history.values[rows, :-day],
        replicas=history.replicas[rows],
    )
    return _Past(history, build(known, replace(settings, select=False)), rows)


def _of_node(
    loads: NodeLoads, past: _Past | None, node: int, pods: Positions, finding: FindingRow, quantile: float
) -> EvidenceRow:
    mine = pods[loads.pod_row[pods] >= 0]
    rows, weights = loads.pod_row[mine], loads.pod_weight[mine]
    at = np.array([node], np.int32)
    base = EvidenceRow(
        quantile=quantile,
        workloads=len(np.unique(rows)),
        samples=0,
        confidence=round(float(loads.confidence[node]), 3),
        covered=round(float(loads.covered[node]), 3),
        usual=_rounded(loads.curve(loads.of_nodes(at), at, 0.5)[0][:CURVE_STEPS]),
    )
    if past is None or not mine.size:
        return base
    history, day = past.history, DAY // past.history.step
    there = np.searchsorted(past.rows, rows)
    share = 1.0 / float(loads.capacity[node])
    forecast = (
        past.made.curve((past.made.vectors[there] * weights[:, None]).sum(axis=0)[None], quantile)[0][:day] * share
    )
    came = (history.values[rows, -day:] * weights[:, None]).sum(axis=0)[: len(forecast)] * share
    known = np.isfinite(came) & bool((past.made.confidence[there] > 0).all())
    base = replace(base, samples=int(np.isfinite(history.values[np.unique(rows)]).sum()))
    if not known.any():
        return base
    each = max(1, _SHOWN // history.step)
    return replace(
        base,
        step_seconds=each * history.step,
        forecast=_rounded(_tops(forecast, each)),
        came=_rounded(_tops(np.where(known, came, -1.0), each)),
        compared=int(known.sum()),
        under=round(float((came <= forecast * _ALIKE)[known].mean()), 4),
    )


def _tops(values: Floats, each: int) -> Floats:
    """The highest of each so many steps."""
    whole = len(values) // each * each
    out: Floats = values[:whole].reshape(-1, each).max(axis=1)
    return out


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
