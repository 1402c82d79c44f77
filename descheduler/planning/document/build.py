"""The outcome of planning, written down as a plan document: names instead of positions, rows instead of arrays."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np

from descheduler import __version__
from descheduler.contract import Scenario
from descheduler.model.arrays import Floats, Ints, Positions
from descheduler.model.devices import WHOLE
from descheduler.model.moves import FindingKey, Seat
from descheduler.model.plan import (
    PLAN_FORMAT,
    PLAN_VERSION,
    Action,
    ActionKind,
    BudgetRow,
    CostRow,
    ExecutorRow,
    FindingRow,
    NodeRow,
    NodeUse,
    PlanDocument,
    PodMove,
    ProofRow,
    SeatRow,
)
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.document.findings import finding_rows
from descheduler.planning.document.gpus import gpu_map
from descheduler.planning.document.people import away, staying
from descheduler.planning.document.refusals import refusal_rows
from descheduler.planning.document.remade import asked, remade
from descheduler.planning.document.removed import REMOVER, removed_pod
from descheduler.planning.document.unlooked import unlooked
from descheduler.planning.planner import Outcome
from descheduler.planning.proofs import Accepted, Proof


def build_document(outcome: Outcome) -> PlanDocument:
    """The document of an outcome, created when its data was seen."""
    settings = outcome.context.settings
    ids = {key: f"f{i + 1}" for i, key in enumerate(outcome.findings)}
    actions = tuple(_action(outcome, a, i, ids) for i, a in enumerate(outcome.accepted))
    nodes = tuple(_nodes(outcome))
    refusals = tuple(refusal_rows(outcome, ids))
    findings = tuple(finding_rows(outcome, ids, actions))
    document = PlanDocument(
        format=PLAN_FORMAT,
        version=PLAN_VERSION,
        id="",
        created=outcome.context.given.now,
        product=__version__,
        cluster=outcome.view.snapshot.cluster,
        policy_hash=settings.policy_hash,
        horizon_seconds=int(settings.proof.horizon_seconds),
        sources=outcome.context.sources.rows,
        findings=findings,
        actions=actions,
        refusals=refusals,
        nodes=nodes,
        summary=_summary(outcome, nodes, actions, findings),
        problems=tuple(problem.text for problem in outcome.problems),
        acting_blocked="; ".join([*outcome.context.stops, *filter(None, [settings.landing_choice.lacking])]),
        gpus=gpu_map(outcome),
        landing=settings.landing.value,
        landing_why=settings.landing_choice.why,
        levers=outcome.levers,
        unlooked=tuple(unlooked(outcome)),
        executors=_manners(outcome, actions),
        staying=staying(outcome),
    )
    digest = hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()
    return replace(document, id=digest[:12])


def _action(
    outcome: Outcome,
    accepted: Accepted,
    position: int,
    ids: dict[FindingKey, str],
) -> Action:
    view, proposal = outcome.view, accepted.proposal
    pods = [move.pod for move in proposal.moves]
    unit = view.units.of(pods[0])
    restarting, kind = list(accepted.restarting), proposal.kind
    row = _pod if kind is ActionKind.MOVE else partial(removed_pod, released=kind is ActionKind.RELEASE)
    parts = {
        "restart": float(outcome.context.costs.restart[restarting].sum()),
        "warm-up": float(outcome.context.costs.warm_up[restarting].sum()),
        "lost work": float(outcome.context.costs.lost_work[restarting].sum()),
    }
    return Action(
        id=f"a{position + 1}",
        wave=outcome.waves[position],
        strategy=proposal.finding.strategy,
        finding=ids[proposal.finding.key],
        unit=unit.name if len(pods) <= len(unit.members) else f"{len(pods)} pods",
        gang=unit.gang,
        executor=REMOVER if accepted.way is None else accepted.way.name,
        pods=tuple(map(partial(row, outcome), accepted.proofs)),
        benefit=proposal.benefit,
        worth=proposal.worth,
        cost=CostRow(accepted.cost, parts, _costs(accepted)),
        budgets=tuple(BudgetRow(c.name, c.kind, c.allowed, c.used) for c in accepted.charges),
        also_restarted=tuple(view.snapshot.pods[p].key for p in restarting if p not in set(pods)),
        restarts=_by_workload(view.snapshot, restarting),
        note=proposal.note,
        room_for=tuple(_seat(view.snapshot, seat) for seat in proposal.seats),
        steer=tuple(view.snapshot.nodes[n].name for n in proposal.vacating) if view.steering else (),
        cordon=tuple(view.snapshot.nodes[n].name for n in proposal.cordon),
        stage=accepted.stage,
        stages=accepted.stages,
        bundle=f"a{position - accepted.stage + 2}" if accepted.stages > 1 else "",
        kind=proposal.kind,
        away=away(outcome, restarting),
        gentler=_gentler(outcome, accepted),
    )


def _gentler(outcome: Outcome, accepted: Accepted) -> tuple[str, ...]:
    return () if accepted.way is None else outcome.context.ways.gentler(move.pod for move in accepted.proposal.moves)


def _costs(accepted: Accepted) -> str:
    if accepted.kind is ActionKind.REMOVE:
        return f"{accepted.cost:.0f} core-seconds, which the policy accepts"
    return f"{accepted.cost:.0f} core-seconds against {accepted.proposal.worth:.0f} gained"


def _manners(outcome: Outcome, actions: Iterable[Action]) -> tuple[ExecutorRow, ...]:
    """What the executors do that the actions name, in the policy's order."""
    named = {action.executor for action in actions}
    return tuple(
        ExecutorRow(one.name, one.manner.steps, one.manner.kept, tuple(sorted(one.manner.spares)))
        for one in outcome.context.settings.executors
        if one.name in named and one.manner.steps
    )


def _by_workload(snapshot: ClusterSnapshot, pods: Iterable[int]) -> dict[str, int]:
    """How many of the pods each workload has."""
    columns = snapshot.columns
    return dict(sorted(Counter(str(columns.workloads[columns.pod_workload[pod]]) for pod in pods).items()))


def _seat(snapshot: ClusterSnapshot, seat: Seat) -> SeatRow:
    pod = snapshot.pods[seat.pod]
    return SeatRow(pod.namespace, pod.name, snapshot.nodes[seat.node].name)


def _pod(outcome: Outcome, proof: Proof) -> PodMove:
    view = outcome.view
    pod = view.snapshot.pods[proof.pod]
    columns = view.snapshot.columns
    target = view.snapshot.nodes[proof.node].name
    others = [view.snapshot.nodes[n].name for n, _ in proof.likely if n != proof.node]
    rules, one = outcome.context.settings.proof, np.array([proof.node], np.int32)
    peaks = {
        resource: float(level)
        for resource in view.loads
        for level in outcome.final.hottest(resource, one, rules.quantile, rules.horizon_seconds)
    }
    becomes, why = remade(view.snapshot, proof.pod)
    return PodMove(
        namespace=pod.namespace,
        pod=pod.name,
        uid=pod.uid,
        workload=str(columns.workloads[columns.pod_workload[proof.pod]]),
        source=pod.node,
        destination=target,
        requests=asked(pod.spec),
        proof=ProofRow(
            candidates=proof.candidates,
            expected=target,
            expected_share=proof.share,
            alternatives=tuple(others[:5]),
            destination_peaks=peaks,
            text=_expected(proof, target),
        ),
        becomes=becomes,
        remade=why,
        towards=tuple(view.snapshot.nodes[n].name for n in proof.towards),
        direction=proof.direction if proof.towards else "",
    )


def _expected(proof: Proof, target: str) -> str:
    room = f"{proof.candidates} other nodes can take it"
    match len(proof.towards):
        case 0:
            return f"{room}; the scheduler most likely picks {target}"
        case 1:
            return f"{room}; it is directed to {target}"
        case several:
            return f"{room}; it is directed to {several} of them, {target} most likely"


def _nodes(outcome: Outcome) -> Iterable[NodeRow]:
    view = outcome.view
    before, after, outside = _uses(outcome, view.start), _uses(outcome, outcome.final), _outside(outcome)
    for i, node in enumerate(view.snapshot.nodes):
        yield NodeRow(
            name=node.name,
            pool=view.pools[view.pool_of[i]],
            gpus=node.gpus.physical if node.gpus else 0,
            ready=bool(view.snapshot.columns.node_ready[i]),
            before=NodeUse(*before[i]),
            after=NodeUse(*after[i]),
            outside={resource: level for resource, levels in outside.items() if (level := levels[i]) >= 0},
        )


def _outside(outcome: Outcome) -> dict[str, list[float]]:
    """By resource [N] what nodes use outside of pods, as fractions of allocatable, -1 where that is not known."""
    rules, every = outcome.context.settings.proof, np.arange(len(outcome.view.snapshot.nodes), dtype=np.int32)
    return {
        resource: np.round(np.nan_to_num(level.astype(np.float64), nan=-1.0), 4).tolist()
        for resource, loads in sorted(outcome.view.loads.items())
        if loads.outside.known.any()
        for level in (loads.outside_of_pods(every, rules.quantile, rules.horizon_seconds),)
    }


def _uses(outcome: Outcome, state: Scenario) -> list[tuple[float, float, float, float, float, int]]:
    """One tuple a node, in the order of NodeUse."""
    view = outcome.view
    columns = view.snapshot.columns
    every = np.arange(len(view.snapshot.nodes), dtype=np.int32)
    requested = columns.allocatable - state.free(every, promised=True)
    share = requested / np.maximum(columns.allocatable, 1)
    peaks = {r: _peaks(outcome, state, r, every) for r in ("cpu", "memory")}
    gpus = _gpus_used(outcome, state, requested)
    pods = requested[:, columns.resource("pods")]
    rows = zip(
        np.round(share[:, 0], 4).tolist(), np.round(share[:, 1], 4).tolist(), np.round(peaks["cpu"], 4).tolist(),
        np.round(peaks["memory"], 4).tolist(), gpus.tolist(), pods.tolist(), strict=True,
    )  # fmt: skip
    return list(rows)


def _gpus_used(outcome: Outcome, state: Scenario, requested: Ints) -> Floats:
    """[N] devices in use, parts as parts; `requested` [N, R]."""
    columns = outcome.view.snapshot.columns
    whole, milli = state.whole_gpus(promised=True), np.maximum(state.gpu_milli(promised=True), 0).sum(axis=1)
    used = np.zeros(len(requested))
    for i, node in enumerate(outcome.view.snapshot.nodes):
        if node.gpus is not None:
            column = columns.resource(node.gpus.resource)
            if node.gpus.units > 1 and not node.gpus.sliced:
                used[i] = node.gpus.physical - milli[i] / WHOLE
            elif column >= 0:
                used[i] = requested[i, column] * node.gpus.unit
            else:  # devices that a sharing scheduler alone knows of are no resource of the node
                used[i] = node.gpus.count - whole[i]
    return used


def _peaks(outcome: Outcome, state: Scenario, resource: str, every: Positions) -> Floats:
    """[N] forecast peaks as fractions, -1 where unknown; the snapshot's own are computed once, only changes anew."""
    loads = outcome.view.loads.get(resource)
    if loads is None:
        return np.full(len(every), -1.0)
    rules = outcome.context.settings.proof
    out: Floats = loads.tops(rules.quantile, rules.horizon_seconds).astype(np.float64)
    changed = state.changed(resource)
    if changed.size:
        out[changed] = state.hottest(resource, changed, rules.quantile, rules.horizon_seconds)
    return out


def _summary(
    outcome: Outcome, nodes: tuple[NodeRow, ...], actions: tuple[Action, ...], findings: tuple[FindingRow, ...]
) -> dict[str, float]:
    """Hot are the nodes that a finding says it of, by its own limit: two limits would give two answers."""
    hot = [finding for finding in findings if finding.curve and finding.resource in outcome.view.loads]
    still = {node for finding in hot if finding.after > finding.threshold for node in finding.nodes}
    removed = sum(len(a.pods) for a in actions if a.kind is ActionKind.REMOVE)
    released = sum(len(a.pods) for a in actions if a.kind is ActionKind.RELEASE)
    whole = {
        when: float(sum(n.gpus > 0 and n.ready and getattr(n, when).gpus_used == 0 for n in nodes))
        for when in ("before", "after")
    }
    return {
        "nodes": float(len(nodes)),
        "pods": float(len(outcome.view.snapshot.pods)),
        "gangs": float(len(outcome.view.units.gangs)),
        "findings": float(len(outcome.findings)),
        "actions": float(len(actions)),
        "moves": float(sum(len(a.pods) for a in actions if a.kind is ActionKind.MOVE)),
        "restarts": float(sum(sum(a.restarts.values()) for a in actions)),
        "waves": float(max((a.wave for a in actions), default=-1) + 1),
        "movable_pods": float(outcome.context.movable.sum()),
        "hot_nodes_before": float(len({node for finding in hot for node in finding.nodes})),
        "hot_nodes_after": float(len(still)),
        "whole_gpu_nodes_before": whole["before"],
        "whole_gpu_nodes_after": whole["after"],
        **({"removals": float(removed)} if removed else {}),
        **({"releases": float(released)} if released else {}),
    }
