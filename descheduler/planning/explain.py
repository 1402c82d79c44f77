"""Why something would or would not move: check by check, with what would have to change.

Nothing is decided here. Every line is read off the outcome of planning: the same filters, budgets, proofs and forecasts
that made the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches

import numpy as np

from descheduler.contract import node_levels
from descheduler.model.errors import UsageError
from descheduler.model.format import quantity, tried
from descheduler.model.moves import ActionKind
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod
from descheduler.model.reasons import EXPLANATION, Blocked
from descheduler.model.units import Unit
from descheduler.planning.decisions import decisions
from descheduler.planning.document.refusals import counted
from descheduler.planning.document.remade import asked, remade
from descheduler.planning.explanation import REMEDY, Check, Explanation
from descheduler.planning.planner import Outcome


def explain(outcome: Outcome, kind: str, name: str) -> Explanation:
    """Explain a `pod`, `node`, `gang` or `workload` by name. Raises UsageError when there is none of that name."""
    kinds: dict[str, Callable[[Outcome, str], Explanation]] = {
        "pod": _pod,
        "node": _node,
        "gang": _gang,
        "workload": _workload,
    }
    return kinds[kind](outcome, name)


def _pod(outcome: Outcome, name: str) -> Explanation:
    view = outcome.view
    at = _position([p.key for p in view.snapshot.pods], name, "pod")
    pod, unit = view.snapshot.pods[at], view.units.of(at)
    stops = outcome.context.filters.every(at)
    own = {use: filters.every(at) for use, filters in outcome.context.own.items()}
    checks = [_about(outcome, pod, at), *_remade_check(outcome, at), *_unit_checks(outcome, unit)]
    checks += [_stop(blocked) for blocked in stops] or [Check("filters", True, "every filter lets it go")]
    checks += [_own_protections(use, every) for use, every in own.items() if every != stops]
    checks += list(_removal_check(outcome, at, stops))
    checks += list(_budget_checks(outcome, at))
    checks += list(_load_checks(outcome, at))
    if pod.node:
        checks.append(_place_check(outcome, at))
    checks += decisions(outcome, {at})
    verdict = (
        f"it stays: {stops[0]}"
        if stops and all(own.values())
        else "it may move; whether it does depends on what its node needs"
    )
    mine = next((a for a in outcome.accepted if at in {m.pod for m in a.proposal.moves}), None)
    if mine is not None:
        verdict = f"the plan {_DOES[mine.kind]}"
    return Explanation(f"pod {pod.key}", verdict, tuple(checks))


_DOES = {
    ActionKind.MOVE: "moves it",
    ActionKind.REMOVE: "removes it",
    ActionKind.RELEASE: "lets it go, so that others start",
}


def _about(outcome: Outcome, pod: Pod, at: int) -> Check:
    columns = outcome.view.snapshot.columns
    owner = columns.workloads[columns.pod_workload[at]]
    asks = ", ".join(f"{amount} {resource}" for resource, amount in asked(pod.spec).items())
    return Check("pod", None, f"{pod.phase} on {pod.node or 'no node'}, of {owner}, asks for {asks or 'nothing'}")


def _remade_check(outcome: Outcome, at: int) -> Iterator[Check]:
    _, text = remade(outcome.view.snapshot, at)
    if text:
        yield Check("replacement", None, text)


def _unit_checks(outcome: Outcome, unit: Unit) -> Iterator[Check]:
    if not unit.gang:
        yield Check("unit", None, f"moves alone; consequence: {unit.consequence}")
        return
    more = len(unit.amplified) - len(unit.members)
    text = f"{unit.name}: {unit.alive} alive, minimum {unit.min_available}, mode {unit.mode}"
    text += f"; consequence: {unit.consequence}" + (f", {more} more restart" if more else "")
    yield Check("gang", unit.blocked is None, text if unit.blocked is None else f"{text}; {unit.blocked}")


def _stop(blocked: Blocked) -> Check:
    return Check(blocked.reason.value, False, str(blocked), REMEDY.get(blocked.reason, ""))


def _removal_check(outcome: Outcome, at: int, stops: Sequence[Blocked]) -> Iterator[Check]:
    """Whether it may be removed, where that is another question than whether it may move."""
    kept = outcome.view.kept(at)
    if kept is None and stops:
        yield Check("removal", True, "it may be removed, if a strategy asks for it")
    elif kept is not None and kept not in stops:
        yield Check("removal", False, str(kept), REMEDY.get(kept.reason, ""))


def _own_protections(use: str, stops: Sequence[Blocked]) -> Check:
    lets = "; ".join(map(str, stops)) or "every filter lets it go"
    return Check("filters", not stops, f"under the protections of {use}: {lets}")


def _budget_checks(outcome: Outcome, at: int) -> Iterator[Check]:
    for position in outcome.context.filters.matches.of(at):
        budget = outcome.view.snapshot.budgets[position]
        health = f"{budget.current_healthy} healthy, {budget.desired_healthy} wanted"
        text = f"{budget.key} allows {budget.allowed} now ({health})"
        yield Check("budget", budget.allowed > 0 and not budget.stale, text)


def _load_checks(outcome: Outcome, at: int) -> Iterator[Check]:
    rules = outcome.context.settings.proof
    for resource, loads in outcome.view.loads.items():
        if loads.pod_row[at] < 0:
            yield Check(
                f"{resource} history", False, "none that can be used: its request stands in", "time, or metrics"
            )
            continue
        vector = loads.of_pods(np.array([at], np.int32))
        peak = float(loads.profiles.peak(vector, rules.quantile, rules.horizon_seconds)[0])
        unit = 1000.0 if resource == "cpu" else 1.0
        trust = float(loads.profiles.confidence[loads.pod_row[at]])
        text = f"p{rules.quantile * 100:g} of its peak within {rules.horizon_seconds / 3600:g} h: "
        text += quantity(resource, peak * unit)
        yield Check(f"{resource} forecast", None, f"{text} (confidence {trust:.2f})")


def _place_check(outcome: Outcome, at: int) -> Check:
    view = outcome.view
    state = view.start.fork()
    source = state.node_of(at)
    if source < 0:
        return Check("place", None, "it is not on a node")
    state.remove(at)
    likely = state.landing(at, source)
    fits = int(state.fits(at).sum())
    elsewhere = [(n, s) for n, s in likely if n != source]
    if not elsewhere:
        return Check("place", False, state.explain(at), "room on a node that its rules allow")
    back = sum(s for n, s in likely if n == source)
    names = ", ".join(f"{view.snapshot.nodes[n].name} ({s:.0%})" for n, s in elsewhere[:3])
    text = f"{fits} nodes can take it; the scheduler would most likely pick {names}"
    if back > 0.2:
        return Check(
            "place", False, f"{text}, but with {back:.0%} its own node again", "another node that scores better"
        )
    return Check("place", True, text)


def _node(outcome: Outcome, name: str) -> Explanation:
    view = outcome.view
    at = _position([n.name for n in view.snapshot.nodes], name, "node")
    node, one = view.snapshot.nodes[at], np.array([at], np.int32)
    rules = outcome.context.settings.proof
    fit = node.ready and not node.unschedulable and not node.leaving
    checks = [Check("node", fit, _state(node))]
    for resource, loads in view.loads.items():
        before = float(view.start.hottest(resource, one, rules.quantile, rules.horizon_seconds)[0])
        after = float(outcome.final.hottest(resource, one, rules.quantile, rules.horizon_seconds)[0])
        limit = rules.max_load.get(resource, 1.0)
        text = f"p{rules.quantile * 100:g} within {rules.horizon_seconds / 3600:g} h {before:.0%} of allocatable"
        text += (
            f", {after:.0%} with the plan; a destination up to {limit:.0%}; {loads.covered[at]:.0%} of it has history"
        )
        own = [f for f in outcome.findings.values() if at in f.nodes and f.resource == resource and f.curve]
        text += "".join(f"; {f.strategy} finds it above its own limit of {f.threshold:.0%}" for f in own)
        checks.append(Check(resource, before <= limit and not own, text))
        outside = float(loads.outside_of_pods(one, rules.quantile, rules.horizon_seconds)[0])
        told = "not known: it is taken to keep to what is kept back for it"
        told = told if np.isnan(outside) else f"{outside:.0%} of allocatable, beyond what is kept back for it"
        checks.append(Check(f"{resource} outside of pods", None, told))
        waiting = loads.profiles.strain.pressed.get(name)
        if waiting is not None:
            checks.append(Check(f"{resource} pressure", False, f"tasks wait for it {waiting:.0%} of the time"))
    checks += _own_limits(outcome, at)
    pods = view.snapshot.columns.pods_on(at).tolist()
    checks.append(_movable(outcome, pods))
    found, reasons = [f for f in outcome.findings.values() if at in f.nodes], counted(outcome)
    for finding in found:
        seen = outcome.observed.get(finding.key)
        checks.append(Check("finding", False, finding.text + (f"; {seen.blocked}" if seen else "")))
        if finding.key in reasons:
            checks.append(Check("tried", None, tried(reasons[finding.key])))
    checks += decisions(outcome, set(pods), at)
    verdict = "; ".join(f.text for f in found) if found else "no strategy finds anything wrong with it"
    return Explanation(f"node {name}", verdict, tuple(checks))


def _own_limits(outcome: Outcome, node: int) -> Iterator[Check]:
    """Where the node stands by each strategy's own limits, whether that finds anything or not."""
    for one in outcome.chosen:
        for level in node_levels(one.strategy, outcome.view, one.args, node):
            measure = level.measure.removesuffix(", fraction of allocatable")
            yield Check(one.name, not level.beyond, f"{measure} {level.value:.0%}, its limit {level.limit:.0%}")


def _state(node: Node) -> str:
    cordoned = ", cordoned" if node.unschedulable else ""
    going = f", about to be removed ({node.leaving})" if node.leaving else ""
    return ("ready" + cordoned if node.ready else "not ready") + going


def _gang(outcome: Outcome, name: str) -> Explanation:
    view = outcome.view
    names = {unit.name: unit for unit in view.units.gangs}
    short = {n.partition(":")[2]: n for n in names}
    unit = names[list(names)[_position(list(names), short.get(name, name), "gang")]]
    checks = list(_unit_checks(outcome, unit))
    where = Counter(view.snapshot.pods[p].node or "(no node)" for p in unit.members)
    checks.append(Check("members", None, ", ".join(f"{n} on {node}" for node, n in sorted(where.items()))))
    checks.append(_movable(outcome, unit.members))
    checks += decisions(outcome, set(unit.members))
    stops = map(outcome.context.filters.blocked, unit.members)
    blocked = None if outcome.context.movable[list(unit.members)].all() else next((b for b in stops if b), None)
    return Explanation(f"gang {unit.name}", f"it stays: {blocked}" if blocked else "it may move", tuple(checks))


def _workload(outcome: Outcome, name: str) -> Explanation:
    columns = outcome.view.snapshot.columns
    at = _position([str(key) for key in columns.workloads], name, "workload")
    pods = np.flatnonzero(columns.pod_workload == at).tolist()
    checks = [_movable(outcome, pods)]
    for resource, loads in outcome.view.loads.items():
        row = loads.profiles.row(columns.workloads[at])
        if row < 0:
            checks.append(Check(f"{resource} profile", False, "no history", "metrics of its pods"))
            continue
        trust = float(loads.profiles.confidence[row])
        why = loads.profiles.why[row]
        checks.append(Check(f"{resource} profile", trust > 0, f"confidence {trust:.2f}" + (f": {why}" if why else "")))
    checks += decisions(outcome, set(pods))
    free = int(outcome.context.movable[pods].sum())
    return Explanation(f"workload {name}", f"{free} of its {len(pods)} pods may move", tuple(checks))


def _movable(outcome: Outcome, pods: Iterable[int]) -> Check:
    pods = list(pods)
    reasons = Counter(b.reason for b in map(outcome.context.filters.blocked, pods) if b is not None)
    free = len(pods) - sum(reasons.values())
    stays = "; ".join(f"{n}: {EXPLANATION[reason]}" for reason, n in reasons.most_common())
    return Check("pods", free > 0, f"{free} of {len(pods)} may move" + (f"; {stays}" if stays else ""))


def _position(names: list[str], wanted: str, kind: str) -> int:
    """Where the name stands; a name without its namespace is enough where it is the only one."""
    if wanted in names:
        return names.index(wanted)
    endings = [
        i for i, n in enumerate(names) if n.rpartition("/")[2] == wanted or n.replace("/", " ").split()[-1] == wanted
    ]
    if len(endings) == 1:
        return endings[0]
    if endings:
        raise UsageError(f"several {kind}s are named {wanted}: {', '.join(names[i] for i in endings[:5])}")
    close = get_close_matches(wanted, names, 3, 0.5)
    raise UsageError(f"no {kind} {wanted}" + (f"; did you mean {' or '.join(close)}?" if close else ""))
