"""Is a plan document true to itself and to the cluster? Every number is computed again from the moves."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from descheduler.model.plan import Action, FindingRow, NodeUse, PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from invariants.placing import Places

NEAR = 2e-4  # fractions are written with four decimals


def untrue(plan: PlanDocument, snapshot: ClusterSnapshot) -> Iterator[str]:
    """What is not as it says, one sentence each."""
    yield from _identity(plan)
    yield from _actions(plan, snapshot)
    yield from _nodes(plan, snapshot)
    yield from _steered(plan)
    yield from _cordoned(plan)
    summary = plan.summary
    expected = {
        "nodes": len(snapshot.nodes),
        "pods": len(snapshot.pods),
        "findings": len(plan.findings),
        "actions": len(plan.actions),
        "moves": sum(len(a.pods) for a in plan.actions if a.kind == "Move"),
        "restarts": sum(len(_running(a, snapshot)) + len(a.also_restarted) for a in plan.actions),
        "waves": len({a.wave for a in plan.actions}),
        "hot_nodes_before": len(_hot(plan, lambda found: found.value)),
        "hot_nodes_after": len(_hot(plan, lambda found: found.after)),
        "whole_gpu_nodes_before": sum(n.gpus > 0 and n.ready and n.before.gpus_used == 0 for n in plan.nodes),
        "whole_gpu_nodes_after": sum(n.gpus > 0 and n.ready and n.after.gpus_used == 0 for n in plan.nodes),
    }
    removals = sum(len(a.pods) for a in plan.actions if a.kind == "Remove")
    if removals:
        expected["removals"] = removals
    for key, value in expected.items():
        if summary[key] != value:
            yield f"summary.{key} is {summary[key]}, counted {value}"


def _running(action: Action, snapshot: ClusterSnapshot) -> list[str]:
    """Those of its pods that are not over."""
    over = {p.key for p in snapshot.pods if p.terminal}
    return [key for move in action.pods if (key := f"{move.namespace}/{move.pod}") not in over]


def _identity(plan: PlanDocument) -> Iterator[str]:
    text = msgspec.json.encode(replace(plan, id=""), order="deterministic")
    if plan.id != hashlib.sha256(text).hexdigest()[:12]:
        yield "id is not the digest of the rest"
    try:
        read = msgspec.json.decode(msgspec.json.encode(plan), type=PlanDocument)
    except msgspec.ValidationError as error:  # a number that is not finite is written as null
        yield f"it cannot be read back: {error}"
    else:
        if read != plan:
            yield "it does not read back as it was written"


def _actions(plan: PlanDocument, snapshot: ClusterSnapshot) -> Iterator[str]:
    findings = {f.id for f in plan.findings}
    if plan.acting_blocked and plan.actions:
        yield "acting is blocked, yet there are actions"
    if len({a.id for a in plan.actions}) != len(plan.actions):
        yield "ids of actions repeat"
    if sorted({a.wave for a in plan.actions}) != list(range(len({a.wave for a in plan.actions}))):
        yield f"waves are {sorted({a.wave for a in plan.actions})}"
    for action in plan.actions:
        if action.finding not in findings:
            yield f"{action.id} answers {action.finding}, which is no finding"
        if not action.pods:
            yield f"{action.id} moves nothing"
        if abs(sum(action.cost.parts.values()) - action.cost.total) > 1e-6 * max(1.0, action.cost.total):
            yield f"{action.id} costs {action.cost.total}, its parts {sum(action.cost.parts.values())}"
        if action.cost.total >= action.worth:
            yield f"{action.id} costs {action.cost.total} and is worth {action.worth}"
        yield from _moves(action, snapshot)


def _steered(plan: PlanDocument) -> Iterator[str]:
    """Where one action steers all do, away from their sources, and from no place where one of their wave is to land."""
    for action in plan.actions if any(a.steer for a in plan.actions) else ():
        if action.kind == "Remove":
            continue
        staying = {m.source for m in action.pods} - set(action.steer)
        if staying:
            yield f"{action.id} does not steer away from {staying}"
        for other in plan.actions:
            lost = {m.destination for m in other.pods} & set(action.steer) - set(other.steer)
            if other.wave == action.wave and lost:
                yield f"{action.id} steers away from {lost}, where {other.id} of the same wave is to land"


def _cordoned(plan: PlanDocument) -> Iterator[str]:
    """Nobody is to land on a node that an action of its wave cordons."""
    for action in plan.actions:
        for other in plan.actions if action.cordon else ():
            met = {m.destination for m in other.pods} & set(action.cordon)
            if other.wave == action.wave and met:
                yield f"{action.id} cordons {met}, where {other.id} of the same wave is to land"


def _moves(action: Action, snapshot: ClusterSnapshot) -> Iterator[str]:
    by_key = {p.key: p for p in snapshot.pods}
    moved = {f"{m.namespace}/{m.pod}" for m in action.pods}
    for row in action.budgets:
        if row.used > row.allowed:
            yield f"{action.id} uses {row.used} of {row.allowed} of {row.kind} {row.name}"
    for key in action.also_restarted:
        if key not in by_key or key in moved:
            yield f"{action.id} also restarts {key}, which is unknown or moved"
    restarting = [key for key in (*_running(action, snapshot), *action.also_restarted) if key in by_key]
    by_workload = Counter(str(snapshot.root(by_key[key])) for key in restarting)
    if by_workload != action.restarts:
        yield f"{action.id} restarts {dict(by_workload)}, written {dict(action.restarts)}"
    for move in action.pods:
        pod = by_key.get(f"{move.namespace}/{move.pod}")
        if pod is None:
            yield f"{action.id} moves {move.namespace}/{move.pod}, which is unknown"
        elif (pod.uid, pod.node) != (move.uid, move.source):
            yield f"{action.id} moves {pod.key} ({pod.uid}) from {pod.node}, written ({move.uid}) {move.source}"
        if (action.kind == "Remove") is bool(move.destination or not move.state):
            yield f"{action.id} is a {action.kind}, with {move.pod} ({move.state}) to {move.destination}"
        if move.source == move.destination:
            yield f"{action.id} moves {move.pod} to where it is"
        if move.proof.expected != move.destination or not 0 < move.proof.expected_share <= 1 + 1e-6:
            yield f"{action.id}: proof of {move.pod} expects {move.proof.expected} by {move.proof.expected_share}"


def _nodes(plan: PlanDocument, snapshot: ClusterSnapshot) -> Iterator[str]:
    places = Places(snapshot)
    index = {p.key: i for i, p in enumerate(snapshot.pods)}
    yield from _uses(plan, places, "before")
    for action in plan.actions:
        for move in action.pods:
            pod = index[f"{move.namespace}/{move.pod}"]
            if action.kind == "Move":
                places.where[pod] = move.destination
            elif _asks_more(places, pod):
                places.renewed.add(pod)
    for seat in {seat for a in plan.actions for seat in a.room_for}:
        places.where[index[f"{seat.namespace}/{seat.pod}"]] = seat.node
    if not any("there is room" in move.proof.text for action in plan.actions for move in action.pods):
        yield from _uses(plan, places, "after")  # else the room of some is held twice


def _asks_more(places: Places, pod: int) -> bool:
    """Whether what is made in the pod's place takes more of its node; one that takes less is counted as it was."""
    had = dict(places.snapshot.pods[pod].spec.requests)
    return any(amount > had.get(name, 0) for name, amount in places.made[pod].spec.requests)


def _uses(plan: PlanDocument, places: Places, when: str) -> Iterator[str]:
    for row, node in zip(plan.nodes, places.snapshot.nodes, strict=True):
        use: NodeUse = getattr(row, when)
        has = dict(node.allocatable)
        total = {"cpu": 0, "memory": 0, "pods": 0, node.gpus.resource if node.gpus else "-": 0}
        for p in places.on(node.name):
            for name, amount in places.pod(p, node.name).spec.requests:
                total[name] = total.get(name, 0) + amount
        gpus = total[node.gpus.resource] if node.gpus else 0
        said = (use.cpu_requested, use.memory_requested, use.gpus_used, use.pods)
        counted = (
            total["cpu"] / max(1, has.get("cpu", 0)),
            total["memory"] / max(1, has["memory"]),
            gpus,
            total["pods"],
        )
        if row.name != node.name or any(abs(a - b) > NEAR for a, b in zip(said, counted, strict=True)):
            yield f"node {node.name} {when}: written {said}, counted {counted}"


def _hot(plan: PlanDocument, level: Callable[[FindingRow], float]) -> set[str]:
    """Nodes of which a finding says it, by its own limit and by what it tells of their level."""
    return {node for one in plan.findings if one.curve and level(one) > one.threshold for node in one.nodes}
