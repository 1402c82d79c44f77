"""What people ask of a plan before they read it: what they will notice, and why most pods stay where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from descheduler.model.plan import AwayRow
from descheduler.planning.filters.build import REASONS
from descheduler.planning.planner import Outcome


def away(outcome: Outcome, restarting: Iterable[int]) -> tuple[AwayRow, ...]:
    """How many replicas of each workload are away, and for how long a restart is reckoned to take; those that are
    replaced before they go are away for no time."""
    columns, workloads = outcome.view.snapshot.columns, outcome.view.snapshot.workloads
    costs, model = outcome.context.costs, outcome.context.settings.costs
    rows: dict[int, list[int]] = {}
    for pod in restarting:
        rows.setdefault(int(columns.pod_workload[pod]), []).append(pod)
    out = []
    for at, pods in rows.items():
        key = columns.workloads[at]
        found = workloads.get(key)
        extra = model.stateful_seconds if key.kind == "StatefulSet" else 0.0
        gone, warming = costs.restart[pods].any(), costs.warm_up[pods].any()
        seconds = (model.restart_seconds + extra) * bool(gone) + model.warm_up_seconds * bool(warming and gone)
        replicas = found.wanted if found is not None else int((columns.pod_workload == at).sum())
        out.append(AwayRow(str(key), len(pods), max(replicas, len(pods)), seconds))
    return tuple(sorted(out, key=lambda row: row.workload))


def staying(outcome: Outcome) -> Mapping[str, int]:
    """Of all pods those that no use of a strategy may move, by the first reason against it, the most frequent first."""
    kept = ~outcome.context.movable
    codes, counts = np.unique(outcome.context.filters.reason_code[kept], return_counts=True)
    found = {REASONS[code].value: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}
    return dict(sorted(found.items()))
